"""Sheets of counters in DynamoDB: many small values of one type, packed into one item.

| question                | table      | key           | order    | cost                          | asked by        |
| ----------------------- | ---------- | ------------- | -------- | ----------------------------- | --------------- |
| this sheet              | statistics | series, entry | one item | half a unit per 4 KB; a whole | the statistics' |
|                         |            |               |          | one where it is read strongly | own stores      |
| the sheets of a series  | statistics | series        | by entry | the same, of all together     | the same        |
| another sheet, or a new | statistics | series, entry | one item | 1 write unit per KB           | jobs            |
| version of it           |            |               |          |                               |                 |

Which series there are, and of which type, stands in the `store.py` of each subject.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from chalicelib.foundation.aws import clients
from chalicelib.foundation.packing import pack, unpack
from chalicelib.foundation.retry import Retry
from chalicelib.foundation.settings import table
from chalicelib.foundation.store.writes import Moved, run_write

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

T = TypeVar("T")
V = TypeVar("V")

LARGEST = 400_000  # bytes of an item of DynamoDB, less its names

_CHANGES = Retry(8)  # of a sheet that others change, too: about 1 s in all

# Of how sheets are packed, in the name of each series: those of another format are not seen.
_FORMAT = "2"


class SheetTooLarge(Exception):
    """The counters of one sheet do not fit into an item; its series must be divided further."""


class Series(Generic[T]):
    """The sheets of one name: each has an entry of its own, and holds a `T` (`packing.pack`)."""

    def __init__(self, name: str, content: type[T]) -> None:
        self._name, self._content = name, content

    def of(self, part: str) -> "Series[T]":
        """The series of one part, for instance of a day."""
        return Series(f"{self._name}#{part}", self._content)

    def get(self, entry: str, *, consistent: bool = False) -> T | None:
        """What a sheet holds; one that was written a moment ago may be missing unless read strongly."""
        return self._versioned(entry, consistent=consistent)[0]

    def all(self, *, begins: str = "", consistent: bool = False) -> Iterator[tuple[str, T]]:
        """The entries that begin so, in order, and what their sheets hold."""
        values: dict[str, AttributeValueTypeDef] = {":series": self._key("")["series"]}
        condition = "series = :series"
        if begins:
            values[":begins"] = {"S": begins}
            condition += " AND begins_with(entry, :begins)"
        pages = (
            clients.dynamodb()
            .get_paginator("query")
            .paginate(
                TableName=table("statistics"),
                KeyConditionExpression=condition,
                ExpressionAttributeValues=values,
                ConsistentRead=consistent,
            )
        )
        for page in pages:
            for item in page["Items"]:
                yield item["entry"]["S"], self._read(item)

    def put(self, entry: str, content: T, *, until: datetime | None = None) -> None:
        """Puts a sheet in place of what was there; kept for good, or `until`. Raises SheetTooLarge."""
        self._put(entry, content, until=until)

    def put_parts(
        self, begins: str, contents: Iterable[T], *, until: datetime | None = None
    ) -> list[str]:
        """Puts sheets with numbered entries that begin so; the entries. Raises SheetTooLarge."""
        entries = []
        for number, content in enumerate(contents):
            entries.append(f"{begins}{number:04}")
            self.put(entries[-1], content, until=until)
        return entries

    def change(
        self,
        entry: str,
        changed: Callable[[T | None], T | None],
        *,
        until: datetime | None = None,
    ) -> None:
        """Writes what a sheet's content (None: there is none) is changed into, unless that is None.

        Where another write comes first, the sheet is read and changed again, so that what is counted
        by two at once is counted once. Raises Moved where that goes on, and SheetTooLarge.
        """
        for attempt in _CHANGES.attempts():
            content, version = self._versioned(entry, consistent=True)
            new = changed(content)
            if new is None:
                return
            write = partial(self._put, entry, new, until=until, version=version)
            try:
                run_write(write)
            except Moved:
                if attempt + 1 == _CHANGES.tries:
                    raise
            else:
                return

    def remove(self, entry: str) -> None:
        """Deletes a sheet, if it is there."""
        clients.dynamodb().delete_item(TableName=table("statistics"), Key=self._key(entry))

    def _versioned(self, entry: str, *, consistent: bool) -> tuple[T | None, int]:
        """What a sheet holds, and how often it was changed; 0 where it is not there."""
        answer = clients.dynamodb().get_item(
            TableName=table("statistics"), Key=self._key(entry), ConsistentRead=consistent
        )
        item = answer.get("Item")
        return (None, 0) if item is None else (self._read(item), int(item["version"]["N"]))

    def _read(self, item: "Mapping[str, AttributeValueTypeDef]") -> T:
        return unpack(bytes(item["content"]["B"]), self._content)

    def _key(self, entry: str) -> "dict[str, AttributeValueTypeDef]":
        return {"series": {"S": f"{_FORMAT}#{self._name}"}, "entry": {"S": entry}}

    def _put(
        self, entry: str, content: T, *, until: datetime | None, version: int | None = None
    ) -> None:
        """Puts a sheet, on condition that it is at a `version` where one is given."""
        packed = pack(content)
        if len(packed) > LARGEST:
            raise SheetTooLarge(f"{self._name}/{entry} has {len(packed)} bytes")
        item: dict[str, AttributeValueTypeDef] = {
            **self._key(entry),
            "version": {"N": str((version or 0) + 1)},
            "content": {"B": packed},
        }
        if until is not None:
            item["ttl"] = {"N": str(int(until.timestamp()))}
        put = partial(clients.dynamodb().put_item, TableName=table("statistics"), Item=item)
        if version is None:
            put()
        elif version == 0:
            put(ConditionExpression="attribute_not_exists(series)")
        else:
            read: dict[str, AttributeValueTypeDef] = {":read": {"N": str(version)}}
            put(ConditionExpression="version = :read", ExpressionAttributeValues=read)


def divide(things: Sequence[V], content: Callable[[Sequence[V]], T]) -> list[T]:
    """What the sheets hold that it takes for all the things, in their order; at least one."""
    whole = content(things)
    if len(things) < 2 or len(pack(whole)) <= LARGEST:
        return [whole]
    half = len(things) // 2
    return [*divide(things[:half], content), *divide(things[half:], content)]
