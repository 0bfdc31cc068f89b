"""What the night takes from the last positions: those of taxis that go, or that nobody knows any more.

| question                       | table          | key     | cost                  | asked by         |
| ------------------------------ | -------------- | ------- | --------------------- | ---------------- |
| a page of last positions       | last-positions | scan    | half a unit per 4 KB  | delete-old-taxis |
| a last position less, as it    | last-positions | taxi_id | 2 write units in a    | delete-old-taxis |
| was read                       |                |         | transaction, else 1   |                  |
"""

from collections.abc import Callable, Collection, Container
from datetime import datetime

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chalicelib.foundation.jobs.rules import Page
from chalicelib.foundation.settings import table
from chalicelib.foundation.store.models import Place
from chalicelib.foundation.store.writes import Moved, written
from chalicelib.taxis.positions import codec, store
from chalicelib.taxis.positions.service import POINTERS_A_PAGE, Sighting
from chalicelib.taxis.positions.store import Pointer


class _LastPositionRow(Model):
    """What the condition of a deletion may speak of; all else of the table needs no model."""

    class Meta(Place):
        table_name = table("last-positions")

    taxi_id = UnicodeAttribute(hash_key=True)
    since = NumberAttribute()
    seen = NumberAttribute(null=True)


def forget(transaction: TransactWrite, taxi_id: str, seen: Sighting) -> None:
    """Adds to the transaction that deletes a taxi that its last position goes, if it is as it was seen."""
    taxi = codec.number_of(taxi_id)
    if taxi is None:
        return  # no position could name it
    read = seen.trail.pointers.get(taxi)
    if read is None:
        nothing = _LastPositionRow.taxi_id.does_not_exist()
        transaction.condition_check(_LastPositionRow, taxi_id, condition=nothing)
    else:
        transaction.delete(_LastPositionRow(taxi_id), condition=_as_read(read))


def delete_unknown(
    *,
    known: Callable[[Collection[str]], Container[str]],
    before: datetime,
    after: str | None,
    dry_run: bool,
) -> Page:
    """Deletes a page of last positions of taxis that are not `known` and were last seen `before`."""
    oldest = codec.first_tick_from(before)
    pointers, last = store.page_of_pointers(after, size=POINTERS_A_PAGE)
    old = {
        codec.id_of(taxi): pointer for taxi, pointer in pointers.items() if pointer.seen < oldest
    }
    there = known(old.keys())
    deleted = sum(
        dry_run or _forget_alone(taxi_id, pointer)
        for taxi_id, pointer in old.items()
        if taxi_id not in there
    )
    return Page({"positions_deleted": deleted}, last)


def _forget_alone(taxi_id: str, read: Pointer) -> bool:
    """Takes away a pointer that is as it was read; False where it is not."""
    row = _LastPositionRow(taxi_id)
    try:
        written(lambda: row.delete(_as_read(read)))
    except Moved:
        return False
    return True


def _as_read(read: Pointer) -> Condition:
    as_read: Condition = _LastPositionRow.since == read.since
    if read.last is None:
        as_read &= _LastPositionRow.seen.does_not_exist()
    else:
        as_read &= _LastPositionRow.seen == read.last[0]
    return as_read
