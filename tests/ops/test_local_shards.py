"""The event-source runner on the streams of real services: records, windows, restarts, reshards."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest

from ops.local import shards as feeders
from ops.local.checkpoints import Checkpoints
from ops.local.clients import Clients
from ops.local.delivery import Record
from ops.local.mapping import EventSourceMapping
from ops.local.process import ROOT
from ops.local.runner import Runner
from ops.local.streams import KinesisStream, Page, Shard
from tests.eventually import eventually

from .conftest import MiniStack, calls_of

pytestmark = pytest.mark.local_stack

STREAM = "positions"
TABLE = "descriptions"
FAILURES = "failures"
SOON_S = 30.0


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeders, "POLL_S", 0.02)
    monkeypatch.setattr(feeders, "RESHARD_S", 0.1)


@pytest.fixture
def clients(services: MiniStack) -> Clients:
    made = services.clients
    made.kinesis.create_stream(StreamName=STREAM, ShardCount=2)
    made.sqs.create_queue(QueueName=FAILURES)
    return made


class Function:
    """A function that remembers what it was given; it fails at a record that says "poison"."""

    def __init__(self, *, reports: bool = False) -> None:
        self.batches: list[list[dict[str, Any]]] = []
        self.handled: list[str] = []
        self._reports = reports

    def __call__(self, event: dict[str, Any], context: Any, /) -> object:
        assert context.get_remaining_time_in_millis() > 0
        self.batches.append(event["Records"])
        texts = [base64.b64decode(one["kinesis"]["data"]).decode() for one in event["Records"]]
        if "poison" not in texts:
            self.handled += texts
            return None
        if not self._reports:
            raise ValueError("poison")
        bad = texts.index("poison")
        self.handled += texts[:bad]
        number = event["Records"][bad]["kinesis"]["sequenceNumber"]
        return {"batchItemFailures": [{"itemIdentifier": number}]}


def put(clients: Clients, *texts: str, key: str | None = None) -> None:
    clients.kinesis.put_records(
        StreamName=STREAM,
        Records=[{"Data": text.encode(), "PartitionKey": key or text} for text in texts],
    )


@contextmanager
def running(
    clients: Clients, function: Any, mapping: EventSourceMapping | None = None
) -> Iterator[Runner]:
    made = Runner(clients)
    made.feed_kinesis(STREAM, "ingest", function, mapping or EventSourceMapping())
    made.start()
    try:
        yield made
    finally:
        assert made.stop(timeout_s=SOON_S)


def announced(clients: Clients) -> list[dict[str, Any]]:
    url = clients.sqs.get_queue_url(QueueName=FAILURES)["QueueUrl"]
    messages = clients.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in messages.get("Messages", [])]


def test_every_record_of_every_shard_arrives_once_and_in_its_shards_order(clients: Clients) -> None:
    function = Function()
    sent = [str(number) for number in range(40)]
    put(clients, *sent)

    with running(clients, function, EventSourceMapping(batch_size=7)):
        eventually(lambda: len(function.handled) >= len(sent))

    assert sorted(function.handled, key=int) == sent
    by_shard: dict[str, list[str]] = {}
    for batch in function.batches:
        assert len(batch) <= 7
        for record in batch:
            shard = record["eventID"].partition(":")[0]
            by_shard.setdefault(shard, []).append(record["kinesis"]["sequenceNumber"])
    assert len(by_shard) == 2
    assert all(numbers == sorted(numbers) for numbers in by_shard.values())


def test_a_record_has_the_shape_that_lambda_gives_it(clients: Clients) -> None:
    function = Function()
    before = time.time()
    put(clients, "hello", key="taxi")

    with running(clients, function):
        eventually(lambda: bool(function.batches))

    record = function.batches[0][0]
    number = record["kinesis"]["sequenceNumber"]
    arrived_at = record["kinesis"].pop("approximateArrivalTimestamp")
    assert before - 1 <= arrived_at <= time.time() + 1
    assert record == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "taxi",
            "sequenceNumber": number,
            "data": base64.b64encode(b"hello").decode(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": record["eventID"],
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::000000000000:role/local",
        "awsRegion": "eu-west-3",
        "eventSourceARN": "arn:aws:kinesis:eu-west-3:000000000000:stream/positions",
    }
    assert record["eventID"].endswith(f":{number}")
    assert json.loads(json.dumps(record)) == record


def test_the_window_gathers_what_comes_within_it(clients: Clients) -> None:
    function = Function()

    with running(clients, function, EventSourceMapping(maximum_batching_window_in_seconds=0.6)):
        for text in ("a", "b", "c"):
            put(clients, text, key="same")
            time.sleep(0.1)
        eventually(lambda: bool(function.batches))

    assert [len(batch) for batch in function.batches] == [3]


def test_a_full_batch_does_not_wait_for_the_window(clients: Clients) -> None:
    function = Function()
    mapping = EventSourceMapping(batch_size=2, maximum_batching_window_in_seconds=60)

    with running(clients, function, mapping):
        put(clients, "a", "b", key="same")
        eventually(lambda: function.handled == ["a", "b"])


def test_a_stop_delivers_what_the_window_was_gathering(clients: Clients) -> None:
    function = Function()

    with running(clients, function, EventSourceMapping(maximum_batching_window_in_seconds=60)):
        put(clients, "a", key="same")
        time.sleep(0.2)

    assert function.handled == ["a"]


def test_a_stop_delivers_what_came_just_before_it(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeders, "POLL_S", 60)
    function = Function()
    put(clients, "a", key="same")

    with running(clients, function, EventSourceMapping(batch_size=1)):
        eventually(lambda: function.handled == ["a"])
        time.sleep(0.1)
        put(clients, "b", "c", key="same")

    assert function.handled == ["a", "b", "c"]


def test_a_batch_is_no_larger_than_lambda_takes(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeders, "PAYLOAD_BYTES", 3000)
    function = Function()
    put(clients, *(letter * 1000 for letter in "abcd"), key="same")

    with running(clients, function):
        eventually(lambda: len(function.handled) == 4)

    assert [len(batch) for batch in function.batches] == [2, 2]


@pytest.mark.parametrize("reports", [False, True])
def test_around_a_poison_record_the_good_ones_land_once_and_the_bad_one_is_announced(
    clients: Clients, *, reports: bool
) -> None:
    function = Function(reports=reports)
    put(clients, "a", "b", "poison", "c", "d", key="same")
    mapping = EventSourceMapping(
        bisect_batch_on_function_error=True,
        maximum_retry_attempts=1,
        report_batch_item_failures=reports,
        on_failure=FAILURES,
    )

    with running(clients, function, mapping):
        eventually(lambda: "d" in function.handled)
        put(clients, "later", key="same")
        eventually(lambda: "later" in function.handled)

    assert function.handled == ["a", "b", "c", "d", "later"]
    (message,) = announced(clients)
    (poison,) = next(
        batch
        for batch in function.batches
        if [base64.b64decode(one["kinesis"]["data"]) for one in batch] == [b"poison"]
    )
    number = poison["kinesis"]["sequenceNumber"]
    assert message["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert message["requestContext"]["approximateInvokeCount"] == 2
    batch = message["KinesisBatchInfo"]
    assert batch["startSequenceNumber"] == batch["endSequenceNumber"] == number
    assert (batch["batchSize"], batch["streamArn"]) == (1, poison["eventSourceARN"])
    assert batch["approximateArrivalOfFirstRecord"].endswith("Z")


def test_a_record_that_is_too_old_is_announced_and_not_delivered(clients: Clients) -> None:
    function = Function()
    put(clients, "old", key="same")
    time.sleep(1.2)
    mapping = EventSourceMapping(maximum_record_age_in_seconds=1, on_failure=FAILURES)

    with running(clients, function, mapping):
        put(clients, "new", key="same")
        eventually(lambda: bool(function.handled))

    assert function.handled == ["new"]
    (message,) = announced(clients)
    assert message["requestContext"]["condition"] == "RecordAgeExceeded"


def test_a_restart_goes_on_where_the_last_one_stopped(clients: Clients) -> None:
    function = Function()
    put(clients, "a", key="same")
    with running(clients, function):
        eventually(lambda: function.handled == ["a"])
    put(clients, "b", key="same")

    with running(clients, function):
        eventually(lambda: len(function.handled) > 1)

    assert function.handled == ["a", "b"]


KILLED_BEFORE_THE_CHECKPOINT = """
import os, signal, sys, time
from ops.local.clients import Clients
from ops.local.runner import Runner
from ops.local.delivery import Record
from ops.local.mapping import EventSourceMapping

def handle(event, context):
    print(len(event["Records"]), flush=True)
    if len(event["Records"]) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

runner = Runner(Clients.at(sys.argv[1]))
runner.feed_kinesis("positions", "ingest", handle, EventSourceMapping(batch_size=2))
runner.start()
time.sleep(20)
"""


def test_what_was_handled_but_not_checkpointed_when_the_process_was_killed_comes_again(
    services: MiniStack, clients: Clients
) -> None:
    put(clients, "a", "b", key="same")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_BEFORE_THE_CHECKPOINT, services.endpoint],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        timeout=30,
        check=False,
    )
    function = Function()

    with running(clients, function):
        eventually(lambda: len(function.handled) >= 2)

    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, b"2\n")
    assert function.handled == ["a", "b"]


def test_a_checkpoint_that_cannot_be_written_brings_the_batch_again(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Checkpoints.write
    broken = threading.Event()

    def write_at_second_try(self: Checkpoints, shard: str, number: str) -> None:
        if not broken.is_set():
            broken.set()
            raise clients.dynamodb.exceptions.InternalServerError({}, "PutItem")
        write(self, shard, number)

    monkeypatch.setattr(Checkpoints, "write", write_at_second_try)
    function = Function()
    put(clients, "a", key="same")

    with running(clients, function):
        eventually(lambda: len(function.handled) == 2)

    assert function.handled == ["a", "a"]


def test_a_new_shard_is_found_when_its_parent_ends_and_read_from_its_beginning(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeders, "RESHARD_S", 60)
    function = Function()
    with running(clients, function):
        put(clients, *"abcdefgh")
        eventually(lambda: len(function.handled) == 8)
        shard = clients.kinesis.list_shards(StreamName=STREAM)["Shards"][0]
        span = shard["HashKeyRange"]
        clients.kinesis.split_shard(
            StreamName=STREAM,
            ShardToSplit=shard["ShardId"],
            NewStartingHashKey=str(
                (int(span["StartingHashKey"]) + int(span["EndingHashKey"])) // 2
            ),
        )
        put(clients, *"ijklmnopqrst")
        eventually(lambda: len(function.handled) >= 20)

    assert "".join(sorted(function.handled)) == "abcdefghijklmnopqrst"
    shards = {record["eventID"].partition(":")[0] for batch in function.batches for record in batch}
    assert len(shards) > 2


class Split:
    """A stream whose only shard has one record more, and then two children with one each."""

    batch_info: ClassVar[str] = "KinesisBatchInfo"
    arn = "arn:aws:kinesis:eu-west-3:000000000000:stream/split"

    def shards(self) -> list[Shard]:
        return [Shard("parent"), Shard("left", ("parent",)), Shard("right", ("parent",))]

    def read(self, shard: str, after: str | None, _: int) -> Page:
        if after:
            return Page([], closed=shard == "parent")
        return Page([Record("1", time.time(), {"shard": shard})])


def test_a_child_waits_for_the_last_batch_of_its_parent(services: MiniStack) -> None:
    steps: list[str] = []

    def handle(event: dict[str, Any], _: object) -> None:
        (record,) = event["Records"]
        if record["shard"] == "parent":
            time.sleep(0.5)  # several looks of the feeder
        steps.append(record["shard"])

    runner = Runner(services.clients)
    # Within the window it is seen that the parent has ended
    mapping = EventSourceMapping(maximum_batching_window_in_seconds=0.2)
    runner._feed(Split(), "ingest", handle, mapping)
    runner.start()
    eventually(lambda: len(steps) >= 3)
    assert runner.stop(timeout_s=SOON_S)

    assert steps[0] == "parent"


def test_a_shard_is_read_with_one_iterator(clients: Clients) -> None:
    function = Function()
    mapping = EventSourceMapping(batch_size=10)
    counted = Clients.at(clients.kinesis.meta.endpoint_url)
    calls = calls_of(counted.kinesis)

    with running(counted, function, mapping):
        for number in range(5):
            put(clients, *(f"{number} {place}" for place in range(12)), key="same")
            eventually(lambda: len(function.handled) == 12 * (number + 1))  # noqa: B023  # it waits for it here
        looks = calls["GetRecords"]
        eventually(lambda: calls["GetRecords"] > looks + 10)

    assert calls["GetShardIterator"] == 2  # of two shards
    assert calls["ListShards"] >= 1


def test_an_iterator_that_has_ended_is_replaced(clients: Clients) -> None:
    stream = KinesisStream(clients.kinesis, STREAM)
    put(clients, "a", key="same")
    shard = next(one.id for one in stream.shards() if stream.read(one.id, None, 10).records)
    number = stream.read(shard, None, 10).records[-1].sequence_number
    stream._next[shard] = number, "ended"
    put(clients, "b", key="same")

    (record,) = stream.read(shard, number, 10).records

    assert base64.b64decode(record.event["kinesis"]["data"]) == b"b"


def test_records_that_a_batch_had_no_room_for_are_read_again(clients: Clients) -> None:
    stream = KinesisStream(clients.kinesis, STREAM)
    put(clients, "a", "b", "c", key="same")
    shard = next(one.id for one in stream.shards() if stream.read(one.id, None, 10).records)
    first = stream.read(shard, None, 10).records[0].sequence_number

    again = stream.read(shard, first, 10).records

    assert [base64.b64decode(one.event["kinesis"]["data"]) for one in again] == [b"b", b"c"]


def test_changes_of_a_table_arrive_with_both_images(services: MiniStack) -> None:
    clients = services.clients
    clients.dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    events: list[dict[str, Any]] = []
    runner = Runner(clients)
    runner.feed_table_stream(
        TABLE, "ingest", lambda event, _: events.extend(event["Records"]), EventSourceMapping()
    )
    clients.dynamodb.put_item(TableName=TABLE, Item={"id": {"S": "a"}, "raw": {"B": b"\xff"}})
    clients.dynamodb.put_item(TableName=TABLE, Item={"id": {"S": "a"}, "raw": {"B": b"\x00"}})

    runner.start()
    eventually(lambda: len(events) >= 2)
    assert runner.stop(timeout_s=SOON_S)

    insert, modify = events
    assert (insert["eventName"], modify["eventName"]) == ("INSERT", "MODIFY")
    assert modify["eventSource"] == "aws:dynamodb"
    assert modify["eventSourceARN"].startswith(
        "arn:aws:dynamodb:eu-west-3:000000000000:table/descriptions/stream/"
    )
    change = modify["dynamodb"]
    assert change["Keys"] == {"id": {"S": "a"}}
    assert change["OldImage"] == {"id": {"S": "a"}, "raw": {"B": "/w=="}}
    assert change["NewImage"] == {"id": {"S": "a"}, "raw": {"B": "AA=="}}
    assert json.loads(json.dumps(events)) == events
