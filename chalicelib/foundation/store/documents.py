"""Small documents that every process keeps at hand: the leaf map, the zones, the exclusions.

| question                   | table  | key  | cost                               | asked by           |
| the documents that are due | config | name | half a unit per 4 KB, all in one   | any request, at    |
|                            |        |      | call, which another read may share | most each 30 s     |
| whether the store answers  | config | name | half a unit                        | monitors           |

A document is replaced whole, by one write, so that a reader sees the old one or the new one. A
change is known everywhere within `config_cache_s` (a minute at most).
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from chalicelib.foundation.aws import clients
from chalicelib.foundation.settings import settings, table
from chalicelib.foundation.store import reads
from chalicelib.foundation.store.reads import Item, Read

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

T = TypeVar("T")

_documents: "dict[str, Document[Any]]" = {}
_lock = threading.Lock()


class Document(Generic[T]):
    """One document and its parsed form. Made once, at import, by the module that it belongs to."""

    def __init__(self, name: str, parse: Callable[[Item | None], T]) -> None:
        """`parse` gets the item, or None while there is none."""
        self.name = name
        self._parse = parse
        self._item: Item | None = None
        self._value: T | None = None
        self._parsed = False
        self._read_at = float("-inf")
        _documents[name] = self

    def current(self) -> T:
        """The document, at most `config_cache_s` old; reads all that are due, in one call."""
        if _is_any_due():
            reads.read(due())
        return self._value  # type: ignore[return-value]  # `_take` has parsed it

    def replace(self, attributes: Mapping[str, "AttributeValueTypeDef"]) -> None:
        """Puts a new version in place of the old; this process sees it at once."""
        clients.dynamodb().put_item(
            TableName=table("config"), Item={"name": {"S": self.name}, **attributes}
        )
        forget()

    def is_due(self, monotonic_s: float) -> bool:
        """Whether it is too old to be used without another reading."""
        return monotonic_s - self._read_at > settings().config_cache_s

    def accept(self, item: Item | None, monotonic_s: float) -> None:
        """Keeps what was read, parsing it only when it changed."""
        if not self._parsed or item != self._item:
            self._value = self._parse(item)
            self._item, self._parsed = item, True
        self._read_at = monotonic_s

    def expire(self) -> None:
        """Makes it due."""
        self._read_at = float("-inf")


def _is_any_due() -> bool:
    monotonic_s = time.monotonic()
    return any(document.is_due(monotonic_s) for document in _documents.values())


def due() -> Read[None]:
    """All documents where one is due, none else: a read that keeps what comes of it."""
    names = list(_documents) if _is_any_due() else []
    return Read(table("config"), reads.keys("name", names), partial(_take, names))


def _take(names: Sequence[str], items: Sequence[Item]) -> None:
    by_name = {item["name"]["S"]: item for item in items}
    monotonic_s = time.monotonic()
    with _lock:
        for name in names:
            _documents[name].accept(by_name.get(name), monotonic_s)


def forget() -> None:
    """Makes every document due: after a change, and between tests."""
    for document in _documents.values():
        document.expire()


def ask_for_none() -> None:
    """Asks for an item that is not there, half a unit: whether the store answers. Raises what it raises."""
    reads.read(
        Read(table("config"), reads.keys("name", ["none"]), lambda _: None, consistent=False)
    )


def next_number(counter: str) -> int:
    """The next of a sequence of ids, from 1, never given twice; one write unit."""
    answer = clients.dynamodb().update_item(
        TableName=table("config"),
        Key={"name": {"S": f"next_{counter}"}},
        UpdateExpression="ADD #value :one",
        ExpressionAttributeNames={"#value": "value"},
        ExpressionAttributeValues={":one": {"N": "1"}},
        ReturnValues="UPDATED_NEW",
    )
    return int(answer["Attributes"]["value"]["N"])


def pass_numbers(counter: str, upto: int) -> None:
    """Gives no number of a sequence again that is `upto` or less; one write unit."""
    client = clients.dynamodb()
    with suppress(client.exceptions.ConditionalCheckFailedException):  # it is past it already
        client.update_item(
            TableName=table("config"),
            Key={"name": {"S": f"next_{counter}"}},
            UpdateExpression="SET #value = :upto",
            ConditionExpression="attribute_not_exists(#value) OR #value < :upto",
            ExpressionAttributeNames={"#value": "value"},
            ExpressionAttributeValues={":upto": {"N": str(upto)}},
        )
