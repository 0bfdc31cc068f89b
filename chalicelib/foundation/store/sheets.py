"""Sheets of counters in DynamoDB: many small numbers packed into one item, as compressed JSON.

| question                | table      | key           | order    | cost                          | asked by        |
| ----------------------- | ---------- | ------------- | -------- | ----------------------------- | --------------- |
| this sheet              | statistics | series, entry | one item | half a unit per 4 KB; a whole | the statistics' |
|                         |            |               |          | one where it is read strongly | own stores      |
| the sheets of a series  | statistics | series        | by entry | the same, of all together     | the same        |
| another sheet, or a new | statistics | series, entry | one item | 1 write unit per KB           | jobs            |
| version of it           |            |               |          |                               |                 |

A sheet that is added to is written over the version that was read (`renew`), so that what is counted
twice or by two at once is counted once. Which series there are stands in the `store.py` of each
subject.
"""

import json
import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from chalicelib.foundation.aws import clients
from chalicelib.foundation.settings import table
from chalicelib.foundation.store.writes import written

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

LARGEST = 400_000  # bytes of an item of DynamoDB, less its names


class SheetTooLarge(Exception):
    """The counters of one sheet do not fit into an item; its series must be divided further."""


class Sheet(NamedTuple):
    """What an item holds. `content` is JSON; `version` is 0 for a sheet that is not there yet."""

    entry: str
    content: Any
    version: int


def get(series: str, entry: str, *, consistent: bool = False) -> Sheet | None:
    """The sheet, or None; one that was written a moment ago may be missing unless read strongly."""
    answer = clients.dynamodb().get_item(
        TableName=table("statistics"), Key=_key(series, entry), ConsistentRead=consistent
    )
    return _sheet(answer["Item"]) if "Item" in answer else None


def every(series: str, *, begins: str = "", consistent: bool = False) -> Iterator[Sheet]:
    """The sheets of a series whose entries begin so, by entry."""
    values: dict[str, AttributeValueTypeDef] = {":series": {"S": series}}
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
        yield from map(_sheet, page["Items"])


def put(series: str, entry: str, content: object, *, until: datetime | None = None) -> None:
    """Puts a sheet in place of what was there; kept for good, or `until`. Raises SheetTooLarge."""
    clients.dynamodb().put_item(
        TableName=table("statistics"), Item=_item(series, Sheet(entry, content, 1), until)
    )


def renew(series: str, after: Sheet, *, until: datetime | None = None) -> None:
    """Writes a sheet whose `version` is the one that was read, 0 where there was none.

    Raises Moved where another write came first, and SheetTooLarge.
    """
    item = _item(series, after._replace(version=after.version + 1), until)
    write = partial(clients.dynamodb().put_item, TableName=table("statistics"), Item=item)
    if after.version == 0:
        write = partial(write, ConditionExpression="attribute_not_exists(series)")
    else:
        write = partial(
            write,
            ConditionExpression="version = :read",
            ExpressionAttributeValues={":read": {"N": str(after.version)}},
        )
    written(write)


def remove(series: str, entry: str) -> None:
    """Takes a sheet away, if it is there."""
    clients.dynamodb().delete_item(TableName=table("statistics"), Key=_key(series, entry))


def _key(series: str, entry: str) -> "dict[str, AttributeValueTypeDef]":
    return {"series": {"S": series}, "entry": {"S": entry}}


def _item(
    series: str, sheet: Sheet, until: datetime | None
) -> "Mapping[str, AttributeValueTypeDef]":
    content = zlib.compress(json.dumps(sheet.content, separators=(",", ":")).encode())
    if len(content) > LARGEST:
        raise SheetTooLarge(f"{series}/{sheet.entry} has {len(content)} bytes")
    ttl: dict[str, AttributeValueTypeDef] = (
        {} if until is None else {"ttl": {"N": str(int(until.timestamp()))}}
    )
    return {
        **_key(series, sheet.entry),
        "version": {"N": str(sheet.version)},
        "content": {"B": content},
        **ttl,
    }


def _sheet(item: "Mapping[str, AttributeValueTypeDef]") -> Sheet:
    content = json.loads(zlib.decompress(bytes(item["content"]["B"])))
    return Sheet(item["entry"]["S"], content, int(item["version"]["N"]))
