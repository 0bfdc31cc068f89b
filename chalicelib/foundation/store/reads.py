"""Typed reads of DynamoDB that travel together: several tables in one BatchGetItem.

PynamoDB keeps the records; this module is for the paths where each round trip is counted. Items are
in DynamoDB's own form, `{"taxi_id": {"S": "..."}}`, and known to `store` modules only: a `Read` says
which items are wanted and what they stand for, so that domains can share a round trip without
knowing each other's tables.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from msgspec import Struct

from chalicelib.foundation.aws import clients
from chalicelib.foundation.observe import metrics
from chalicelib.foundation.retry import Retry

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

Item = Mapping[str, "AttributeValueTypeDef"]

KEYS_A_CALL = 100  # BatchGetItem's limit
_UNPROCESSED = Retry(tries=6, pause_s=0.05)  # of what DynamoDB leaves: about 1.5 s in all

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")


class Read(Struct, Generic[T], frozen=True):
    """Items of one table that are wanted, by their whole keys, and what they stand for.

    `parse` gets the items there are, in the order of the keys. A read without keys costs nothing. `consistent`:
    strongly, as the last write left them.
    """

    table: str
    keys: Sequence[Item]
    parse: Callable[[Sequence[Item]], T]
    consistent: bool = True

    def then(self, function: Callable[[T], A]) -> "Read[A]":
        """The same items, standing for what the function makes of what they stood for."""
        return Read(
            self.table, self.keys, lambda items: function(self.parse(items)), self.consistent
        )


def keys(name: str, values: Iterable[str]) -> list[Item]:
    """The keys of items of a table whose key is one text, each value once."""
    return [{name: {"S": value}} for value in dict.fromkeys(values)]


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


def _fetch(wanted: Sequence[Read[Any]]) -> list[list[Item]]:
    """The items there are, one list a read, in the order of its keys."""
    keys_by_table: dict[str, dict[tuple[str, ...], Item]] = {}
    consistent: dict[str, bool] = {}
    key_names: dict[str, list[str]] = {}
    for one in wanted:
        if not one.keys:
            continue
        key_names[one.table] = sorted(one.keys[0])
        if consistent.setdefault(one.table, one.consistent) != one.consistent:
            raise ValueError(f"{one.table} is wanted both strongly and not")
        for key in one.keys:
            keys_by_table.setdefault(one.table, {})[_frozen(key, key_names[one.table])] = key

    found: dict[str, dict[tuple[str, ...], Item]] = {table: {} for table in keys_by_table}
    waiting = [(table, key) for table, keys in keys_by_table.items() for key in keys.values()]
    tries = 0
    while waiting:
        batch, waiting = waiting[:KEYS_A_CALL], waiting[KEYS_A_CALL:]
        items, left = _call(batch, consistent)
        for table, item in items:
            found[table][_frozen(item, key_names[table])] = item
        if left:
            tries += 1
            is_busy = tries >= _UNPROCESSED.tries
            metrics.emit({}, counts={"keys_left": len(left), "store_busy": 1 if is_busy else 0})
            if is_busy:
                raise StoreBusy(f"{len(left)} items were left unprocessed {tries} times")
            _UNPROCESSED.wait(tries - 1)
            waiting = left + waiting

    return [
        [
            found[one.table][name]
            for key in one.keys
            if (name := _frozen(key, key_names[one.table])) in found[one.table]
        ]
        for one in wanted
    ]


@overload
def read(one: Read[A], two: Read[B], /) -> tuple[A, B]: ...
@overload
def read(one: Read[A], two: Read[B], three: Read[C], /) -> tuple[A, B, C]: ...
@overload
def read(one: Read[A], two: Read[B], three: Read[C], four: Read[D], /) -> tuple[A, B, C, D]: ...
@overload
def read(
    one: Read[A], two: Read[B], three: Read[C], four: Read[D], five: Read[E], /
) -> tuple[A, B, C, D, E]: ...
@overload
def read(*wanted: Read[Any]) -> tuple[Any, ...]: ...
def read(*wanted: Read[Any]) -> tuple[Any, ...]:
    """The values of some reads, all in one round trip.

    One BatchGetItem for every hundred keys, plus one for each time that DynamoDB left some
    unprocessed, with pauses that grow. Two reads of one table must agree on `consistent`.
    Raises StoreBusy.
    """
    return tuple(one.parse(items) for one, items in zip(wanted, _fetch(wanted), strict=True))


def one(wanted: Read[A]) -> A:
    """The value of a single read. Raises StoreBusy."""
    result: A = read(wanted)[0]
    return result


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
