"""Reads of many items at once, across tables, in one round trip: what a search is made of.

PynamoDB keeps the records; this module is for the paths where each round trip is counted. Items
are in DynamoDB's own form, `{"taxi_id": {"S": "..."}}`.
"""

import random
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from chalicelib.foundation.aws import clients
from chalicelib.foundation.observe import metrics

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

Item = Mapping[str, "AttributeValueTypeDef"]

KEYS_A_CALL = 100  # BatchGetItem's limit
_TRIES = 6  # of what DynamoDB leaves unprocessed: about 1.5 s in all


class Want(NamedTuple):
    """Items of one table, by their whole keys, to be read strongly or not."""

    table: str
    keys: Sequence[Item]
    consistent: bool = True


class StoreBusy(Exception):
    """DynamoDB went on leaving items unprocessed. The request that needed them fails as a 500."""


def _frozen(item: Item, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(repr(item[name]) for name in names)


def _call(
    batch: Sequence[tuple[str, Item]], consistent: Mapping[str, bool]
) -> tuple[list[tuple[str, Item]], list[tuple[str, Item]]]:
    """One BatchGetItem: the items there are, and the keys that were left unprocessed."""
    by_table: dict[str, list[Item]] = {}
    for table, key in batch:
        by_table.setdefault(table, []).append(key)
    answer = clients.dynamodb().batch_get_item(
        RequestItems={
            table: {"Keys": keys, "ConsistentRead": consistent[table]}
            for table, keys in by_table.items()
        }
    )
    items: list[tuple[str, Item]] = [
        (table, item) for table, found in answer["Responses"].items() for item in found
    ]
    left: list[tuple[str, Item]] = [
        (table, key)
        for table, rest in answer.get("UnprocessedKeys", {}).items()
        for key in rest["Keys"]
    ]
    return items, left


def fetch(*wants: Want) -> list[list[Item]]:
    """The items there are, one list a want, in no order; those that do not exist are left out.

    One BatchGetItem for every hundred keys, plus one for each time that DynamoDB left some
    unprocessed, with pauses that grow. Two wants of one table must agree on `consistent`.
    Raises StoreBusy.
    """
    asked: dict[str, dict[tuple[str, ...], Item]] = {}
    consistent: dict[str, bool] = {}
    key_names: dict[str, list[str]] = {}
    for want in wants:
        if not want.keys:
            continue
        key_names[want.table] = sorted(want.keys[0])
        if consistent.setdefault(want.table, want.consistent) != want.consistent:
            raise ValueError(f"{want.table} is wanted both strongly and not")
        for key in want.keys:
            asked.setdefault(want.table, {})[_frozen(key, key_names[want.table])] = key

    found: dict[str, dict[tuple[str, ...], Item]] = {table: {} for table in asked}
    waiting = [(table, key) for table, keys in asked.items() for key in keys.values()]
    tries = 0
    while waiting:
        batch, waiting = waiting[:KEYS_A_CALL], waiting[KEYS_A_CALL:]
        items, left = _call(batch, consistent)
        for table, item in items:
            found[table][_frozen(item, key_names[table])] = item
        if left:
            tries += 1
            is_busy = tries >= _TRIES
            metrics.emit({}, counts={"keys_left": len(left), "store_busy": 1 if is_busy else 0})
            if is_busy:
                raise StoreBusy(f"{len(left)} items were left unprocessed {tries} times")
            time.sleep(random.uniform(0.5, 1) * 0.025 * 2**tries)  # noqa: S311  # jitter, no secret
            waiting = left + waiting

    return [
        [
            found[want.table][name]
            for key in want.keys
            if (name := _frozen(key, key_names[want.table])) in found[want.table]
        ]
        for want in wants
    ]


def scanned(
    table: str, key: str, after: str | None, *, size: int
) -> tuple[Sequence[Item], str | None]:
    """So many items behind the key `after`, and the last one's key where more may follow.

    Half a unit per 4 KB: for jobs and the desk. A change of the last second may be missing.
    """
    start: dict[str, AttributeValueTypeDef] = {key: {"S": after}} if after else {}
    answer = (
        clients.dynamodb().scan(TableName=table, Limit=size, ExclusiveStartKey=start)
        if start
        else clients.dynamodb().scan(TableName=table, Limit=size)
    )
    last = answer.get("LastEvaluatedKey")
    return answer["Items"], last[key]["S"] if last else None
