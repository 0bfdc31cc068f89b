"""The repairs of MiniStack: what is kept and what is walked, counted; answers as without them."""

import base64
import json
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as some
from ministack.services import dynamodb as dynamodb_service
from ministack.services import kinesis as kinesis_service

from ops.local.emulator import kinesis, queries

STREAM, TABLE = "positions", "fleets"


def call(service: ModuleType, action: str, **request: Any) -> dict[str, Any]:
    """What the service answers. Fails where it refuses."""
    headers = {"x-amz-target": f"Service.{action}", "content-type": "application/x-amz-json-1.1"}
    handling = service.handle_request("POST", "/", headers, json.dumps(request).encode(), {})
    with pytest.raises(StopIteration) as ended:  # it waits for nothing
        handling.send(None)
    status, _, body = ended.value.value
    answer: dict[str, Any] = json.loads(body) if body else {}
    assert status == 200, answer
    return answer


def as_it_was(service: ModuleType) -> Iterator[None]:
    """Takes back what a test changes in a service, and empties it."""
    before = dict(vars(service))
    service.reset()
    yield
    service.reset()
    vars(service).update(before)


# --- Kinesis -------------------------------------------------------------------------------------


@pytest.fixture
def streams() -> Iterator[None]:
    """The repaired service with a stream of one shard."""
    for _ in as_it_was(kinesis_service):
        kinesis.repair()
        call(kinesis_service, "CreateStream", StreamName=STREAM, ShardCount=1)
        yield


class Records(list[dict[str, Any]]):
    """The records of a shard, which count how many were looked at."""

    looked_at = 0

    def __getitem__(self, place: Any) -> Any:
        self.looked_at += 1
        return super().__getitem__(place)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for one in super().__iter__():
            self.looked_at += 1
            yield one


def shard() -> dict[str, Any]:
    stream: dict[str, Any] = kinesis_service._streams[STREAM]
    found: dict[str, Any]
    (found,) = stream["shards"].values()
    return found


def put(*texts: str) -> list[str]:
    """Their sequence numbers."""
    return [
        call(
            kinesis_service,
            "PutRecord",
            StreamName=STREAM,
            PartitionKey="a",
            Data=base64.b64encode(text.encode()).decode(),
        )["SequenceNumber"]
        for text in texts
    ]


def iterator(kind: str, **place: str) -> str:
    found: str = call(
        kinesis_service,
        "GetShardIterator",
        StreamName=STREAM,
        ShardId="shardId-000000000000",
        ShardIteratorType=kind,
        **place,
    )["ShardIterator"]
    return found


def read(where: str, limit: int = 100) -> tuple[list[str], str]:
    """The texts of the records, and the next iterator."""
    answer = call(kinesis_service, "GetRecords", ShardIterator=where, Limit=limit)
    texts = [base64.b64decode(one["Data"]).decode() for one in answer["Records"]]
    return texts, answer["NextShardIterator"]


@pytest.mark.usefixtures("streams")
def test_no_iterator_is_kept() -> None:
    put("a")
    where = iterator("TRIM_HORIZON")
    for _ in range(100):
        _, where = read(where)

    assert len(kinesis_service._shard_iterators._data) == 0


@pytest.mark.usefixtures("streams")
def test_an_iterator_stands_where_its_kind_says() -> None:
    first, second, _ = put("a", "b", "c")
    latest = iterator("LATEST")

    found = {
        kind: read(iterator(kind, StartingSequenceNumber=number))[0]
        for kind, number in (
            ("TRIM_HORIZON", ""),
            ("AT_SEQUENCE_NUMBER", second),
            ("AFTER_SEQUENCE_NUMBER", first),
        )
    }
    put("d")

    assert found == {
        "TRIM_HORIZON": ["a", "b", "c"],
        "AT_SEQUENCE_NUMBER": ["b", "c"],
        "AFTER_SEQUENCE_NUMBER": ["b", "c"],
    }
    assert read(latest)[0] == ["d"]


@pytest.mark.usefixtures("streams")
def test_pages_follow_each_other() -> None:
    put(*"abcde")

    first, where = read(iterator("TRIM_HORIZON"), limit=2)
    second, where = read(where, limit=2)
    third, where = read(where, limit=2)
    put("f")

    assert [first, second, third, read(where)[0]] == [["a", "b"], ["c", "d"], ["e"], ["f"]]


@pytest.mark.usefixtures("streams")
def test_an_iterator_is_right_after_records_have_left_the_stream() -> None:
    put("a", "b", "c")
    _, where = read(iterator("TRIM_HORIZON"))
    for record in shard()["records"][:2]:
        record["ApproximateArrivalTimestamp"] -= 25 * 3600
    put("d", "e")

    assert read(where)[0] == ["d", "e"]
    assert read(iterator("TRIM_HORIZON"))[0] == ["c", "d", "e"]


@pytest.mark.usefixtures("streams")
def test_an_iterator_ends_after_five_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    where = iterator("TRIM_HORIZON")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 301)

    with pytest.raises(AssertionError, match="ExpiredIteratorException"):
        read(where)


@pytest.mark.usefixtures("streams")
@pytest.mark.parametrize("where", ["", "no iterator", base64.b64encode(b"{}").decode()])
def test_what_is_no_iterator_is_refused(where: str) -> None:
    with pytest.raises(AssertionError, match="ExpiredIteratorException"):
        read(where)


@pytest.mark.usefixtures("streams")
def test_a_put_looks_at_the_oldest_record_only() -> None:
    put(*(str(number) for number in range(200)))
    stream = shard()
    stream["records"] = records = Records(stream["records"])

    put("one more")

    assert len(records) == 201
    assert records.looked_at <= 2


# --- DynamoDB ------------------------------------------------------------------------------------

WALKED = dynamodb_service._query  # as MiniStack has it


@pytest.fixture(scope="module")
def tables() -> Iterator[None]:
    """The repaired service with a table of an owner's entries."""
    for _ in as_it_was(dynamodb_service):
        queries.repair()
        call(
            dynamodb_service,
            "CreateTable",
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "owner", "AttributeType": "S"},
                {"AttributeName": "entry", "AttributeType": "S"},
            ],
            KeySchema=[
                {"AttributeName": "owner", "KeyType": "HASH"},
                {"AttributeName": "entry", "KeyType": "RANGE"},
            ],
        )
        yield


def write(owner: str, entry: str) -> None:
    """As each of the service's operations that writes."""
    item = {"owner": {"S": owner}, "entry": {"S": entry}, "n": {"N": str(len(entry))}}
    dynamodb_service._set_item(dynamodb_service._tables[TABLE], owner, entry, item)


def delete(owner: str, entry: str) -> None:
    dynamodb_service._remove_item(dynamodb_service._tables[TABLE], owner, entry)


def query(condition: str, *values: str, **more: Any) -> dict[str, Any]:
    """A query as PynamoDB writes it: the values are the owner's and the entry's."""
    return {
        "TableName": TABLE,
        "KeyConditionExpression": condition,
        "ExpressionAttributeNames": {
            "#0": "owner",
            **({"#1": "entry"} if "#1" in condition else {}),
        },
        "ExpressionAttributeValues": {
            f":{place}": {"S": value} for place, value in enumerate(values)
        },
        **more,
    }


KEYS = some.text("aé𝒳~", min_size=1, max_size=3)  # few enough to meet
CONDITIONS = {
    "#0 = :0": 0,
    "(#0 = :0 AND #1 = :1)": 1,
    "(#0 = :0 AND #1 < :1)": 1,
    "(#0 = :0 AND #1 <= :1)": 1,
    "(#0 = :0 AND #1 > :1)": 1,
    "#0 = :0 AND #1 >= :1": 1,
    "(#0 = :0 AND begins_with (#1, :1))": 1,
    "(#0 = :0 AND #1 BETWEEN :1 AND :2)": 2,
    "(#1 < :1 AND #0 = :0)": 1,
    "(#1 = :1 AND #0 = :0)": 1,
}


@pytest.mark.usefixtures("tables")
@examples(
    max_examples=80,
    deadline=None,
    phases=[Phase.generate],  # to shrink takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    entries=some.lists(KEYS, min_size=17, max_size=40, unique=True),
    again=some.lists(some.integers(0, 39), max_size=5),
    gone=some.lists(some.integers(0, 39), max_size=5),
    condition=some.sampled_from(sorted(CONDITIONS)),
    values=some.lists(KEYS, min_size=2, max_size=2),
    forward=some.booleans(),
    limit=some.none() | some.integers(1, 5),
)
def test_a_query_answers_as_without_the_repair(
    entries: list[str],
    again: list[int],
    gone: list[int],
    condition: str,
    values: list[str],
    forward: bool,  # noqa: FBT001  # a strategy's
    limit: int | None,
) -> None:
    owner = f"{time.monotonic_ns()}"
    for place, entry in enumerate(entries):
        write(owner, entry)
        if place == 20:  # there is an order to keep from here on
            call(dynamodb_service, "Query", **query("#0 = :0", owner))
    for place in again:
        write(owner, entries[place % len(entries)])
    for place in gone:
        delete(owner, entries[place % len(entries)])
    if "BETWEEN" in condition:
        values.sort()
    asked = query(condition, owner, *values[: CONDITIONS[condition]], ScanIndexForward=forward)
    if limit:
        asked["Limit"] = limit

    while True:
        answer = call(dynamodb_service, "Query", **asked)
        _, _, walked = WALKED(asked)
        assert answer == json.loads(walked)
        if "LastEvaluatedKey" not in answer:
            break
        asked["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize(
    ("condition", "values"),
    [
        ("(#0 = :0 AND begins_with (#1, :1))", ["page#"]),
        ("(#0 = :0 AND #1 BETWEEN :1 AND :2)", ["list#0500", "list#0700"]),
        ("(#0 = :0 AND #1 > :1)", ["list#0100"]),
        ("#0 = :0", []),
    ],
)
def test_a_page_of_a_query_reads_its_own_items_only(
    condition: str, values: list[str], monkeypatch: pytest.MonkeyPatch, *, forward: bool
) -> None:
    for number in range(1000):
        write("a big one", f"list#{number:04}")
    for number in range(4):
        write("a big one", f"page#{number:04}")
    evaluate = Mock(wraps=dynamodb_service._evaluate_condition)
    monkeypatch.setattr(dynamodb_service, "_evaluate_condition", evaluate)

    answer = call(
        dynamodb_service,
        "Query",
        **query(condition, "a big one", *values, Limit=1, ScanIndexForward=forward),
    )

    assert answer["Count"] == 1
    assert evaluate.call_count == 1


@pytest.mark.usefixtures("tables")
def test_a_count_holds_the_condition_against_one_item(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1000):
        write("counted", f"list#{number:04}")
    evaluate = Mock(wraps=dynamodb_service._evaluate_condition)
    monkeypatch.setattr(dynamodb_service, "_evaluate_condition", evaluate)

    asked = query("#0 = :0 AND #1 >= :1", "counted", "list#0300", Select="COUNT")
    answer = call(dynamodb_service, "Query", **asked)

    assert answer["Count"] == 700
    assert evaluate.call_count == 1


@pytest.mark.usefixtures("tables")
def test_a_saved_partition_is_a_plain_one() -> None:
    for number in range(40):
        write("kept", str(number))
    call(dynamodb_service, "Query", **query("#0 = :0", "kept"))

    (table,) = dynamodb_service.get_state()["tables"].all_values()

    assert type(table["items"]["kept"]) is dict
    assert len(table["items"]["kept"]) == 40


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "_WALK", "candidates = everything()")

    with pytest.raises(queries.Changed, match="not the one of"):
        queries.repair()
