"""Many items at once: across tables, over a hundred, and what DynamoDB leaves unprocessed."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.foundation.aws import clients
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import documents, reads

pytestmark = pytest.mark.usefixtures("store")


def put(table_name: str, **attributes: str) -> None:
    item = {key: {"S": value} for key, value in attributes.items()}
    clients.dynamodb().put_item(TableName=table(table_name), Item=item)


def keys_of(name: str, key: str, *values: str, consistent: bool = True) -> reads.Read[list[str]]:
    """The keys of those of the items that there are."""
    wanted = reads.keys(key, values)
    return reads.Read(
        table(name), wanted, lambda items: [item[key]["S"] for item in items], consistent
    )


@pytest.fixture
def calls() -> Iterator[list[dict[str, Any]]]:
    """The BatchGetItem calls made."""
    made: list[dict[str, Any]] = []

    def note(params: dict[str, Any], **_: object) -> None:
        made.append(params)

    events = clients.dynamodb().meta.events
    events.register("provide-client-params.dynamodb.BatchGetItem", note)
    yield made
    events.unregister("provide-client-params.dynamodb.BatchGetItem", note)


def test_two_tables_are_read_in_one_call(calls: list[dict[str, Any]]) -> None:
    put("cells", cell="1")
    put("taxis", taxi_id="a")

    cells, taxis = reads.read(keys_of("cells", "cell", "1", "2"), keys_of("taxis", "taxi_id", "a"))

    assert cells == ["1"]
    assert taxis == ["a"]
    assert len(calls) == 1


def test_over_a_hundred_keys_take_another_call(calls: list[dict[str, Any]]) -> None:
    for number in range(101):
        put("cells", cell=str(number))

    cells = reads.one(keys_of("cells", "cell", *map(str, range(101))))

    assert len(cells) == 101
    assert len(calls) == 2


def test_a_key_asked_for_twice_is_read_once(calls: list[dict[str, Any]]) -> None:
    put("cells", cell="1")

    one, other = reads.read(keys_of("cells", "cell", "1"), keys_of("cells", "cell", "1"))

    assert one == other
    assert len(calls[0]["RequestItems"][table("cells")]["Keys"]) == 1


def test_nothing_wanted_is_no_call(calls: list[dict[str, Any]]) -> None:
    assert reads.one(keys_of("cells", "cell")) == []
    assert calls == []


def test_items_come_in_the_order_of_their_keys_and_stand_for_what_is_made_of_them() -> None:
    put("cells", cell="1")
    put("cells", cell="2")

    wanted = keys_of("cells", "cell", "2", "3", "1").then("".join)

    assert reads.one(wanted) == "21"


def test_each_table_is_read_as_strongly_as_it_is_wanted(calls: list[dict[str, Any]]) -> None:
    reads.read(keys_of("cells", "cell", "1"), keys_of("taxis", "taxi_id", "a", consistent=False))

    asked = calls[0]["RequestItems"]
    assert asked[table("cells")]["ConsistentRead"] is True
    assert asked[table("taxis")]["ConsistentRead"] is False


def leaves_unprocessed(times: int) -> Any:
    """A hook that makes DynamoDB leave the first key of each call unprocessed, so many times."""
    left = [times]

    def cut(parsed: dict[str, Any], **_: object) -> None:
        for name, items in parsed["Responses"].items():
            if items and left[0]:
                left[0] -= 1
                item = items.pop(0)
                parsed["UnprocessedKeys"] = {name: {"Keys": [{"cell": item["cell"]}]}}

    return cut


@pytest.mark.parametrize(("times", "enough"), [(3, True), (99, False)])
def test_what_is_left_unprocessed_is_asked_for_again_for_a_while(
    times: int, monkeypatch: pytest.MonkeyPatch, *, enough: bool
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    put("cells", cell="1")
    put("cells", cell="2")
    hook = leaves_unprocessed(times)
    events = clients.dynamodb().meta.events
    events.register("after-call.dynamodb.BatchGetItem", hook)

    try:
        if enough:
            assert reads.one(keys_of("cells", "cell", "1", "2")) == ["1", "2"]
        else:
            with pytest.raises(reads.StoreBusy):
                reads.one(keys_of("cells", "cell", "1", "2"))
    finally:
        events.unregister("after-call.dynamodb.BatchGetItem", hook)


WORD: documents.Document[str] = documents.Document(
    "word", lambda item: item["word"]["S"] if item else ""
)


def test_a_document_is_empty_until_it_is_put_and_new_at_once_where_it_was_put() -> None:
    assert WORD.current() == ""

    WORD.replace({"word": {"S": "mellon"}})

    assert WORD.current() == "mellon"


def test_documents_that_are_due_share_a_call_with_another_read(
    calls: list[dict[str, Any]],
) -> None:
    reads.read(keys_of("cells", "cell", "1"), documents.due())

    WORD.current()

    assert len(calls) == 1
    assert documents.due().keys == []


def test_documents_that_are_due_are_read_in_one_call(calls: list[dict[str, Any]]) -> None:
    WORD.current()
    WORD.current()

    assert len(calls) == 1


def test_a_change_made_elsewhere_is_known_within_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    WORD.replace({"word": {"S": "old"}})
    WORD.current()
    put("config", name="word", word="new")
    assert WORD.current() == "old"

    later = time.monotonic() + 60
    monkeypatch.setattr("chalicelib.foundation.store.documents.time.monotonic", lambda: later)

    assert WORD.current() == "new"


def test_numbers_are_never_given_twice() -> None:
    given = [documents.next_number("vehicle") for _ in range(3)] + [
        documents.next_number("account")
    ]

    assert given == [1, 2, 3, 1]
