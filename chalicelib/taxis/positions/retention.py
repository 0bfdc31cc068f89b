"""Retention of positions: cells that grow old, last positions of two months ago and of taxis that go.

| question                       | table          | key     | cost                  | asked by         |
| ------------------------------ | -------------- | ------- | --------------------- | ---------------- |
| a page of cells                | cells          | scan    | half a unit per 4 KB  | retire-cells     |
| a page of last positions       | last-positions | scan    | half a unit per 4 KB  | blur-positions,  |
|                                |                |         |                       | delete-old-taxis |
| a last position less, as it    | last-positions | taxi_id | 2 write units in a    | delete-old-taxis |
| was read                       |                |         | transaction, else 1   |                  |
"""

from collections.abc import Callable, Collection, Container, Iterable
from datetime import datetime

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chalicelib.foundation.jobs.rules import Page
from chalicelib.foundation.settings import table
from chalicelib.foundation.store.models import Place
from chalicelib.foundation.store.writes import Moved, run_write
from chalicelib.taxis.positions import availability, codec, pointers, rules, store
from chalicelib.taxis.positions.availability import AvailabilityOf
from chalicelib.taxis.positions.entries import Cell
from chalicelib.taxis.positions.lookup import Sighting, oldest_fresh
from chalicelib.taxis.positions.rules import Pointer, Register

A_PAGE = 500  # last positions


class _LastPositionRow(Model):
    """The attributes that the condition of a deletion needs; the rest of the table needs no model."""

    class Meta(Place):
        table_name = table("last-positions")

    taxi_id = UnicodeAttribute(hash_key=True)
    since = NumberAttribute()
    seen = NumberAttribute(null=True)


def retire_cells(
    *,
    availability_of: AvailabilityOf,
    now: datetime,
    after: str | None = None,
    dry_run: bool = False,
) -> Page:
    """Turns positions that are too old for a cell into last positions, and removes empty cells.

    Then it shows what `availability_of` says of the taxis that are left where a cell says otherwise: a
    change that its stream has given up would else stay unseen for as long as the taxi stays about.
    A page is one of the scan of all cells, and the reading of two small items for each taxi left. May be
    broken off and repeated, from the beginning or from `after`, a cell's key. A cell that changes
    meanwhile is alive and left alone. Raises CellContended.
    """
    oldest = oldest_fresh(now)
    emptied = kept = 0
    last, cells = next(store.every_cell(after))
    for name, cell in cells.items():
        rewrite = cell.rewritten(oldest=oldest)
        kept += len(rewrite.retired)
        if dry_run:
            emptied += not rewrite.packed
            continue
        pointers.keep([rewrite], now=now)
        if not rewrite.packed:
            emptied += store.delete_cell(name, cell.version)
        elif rewrite.retired:
            store.rewrite({name: rewrite}, now=now)
    outdated = _outdated(cells.values(), availability_of, oldest=oldest)
    if not dry_run:
        availability.show(outdated, now=now)
    return Page(
        {"cells": len(cells), "emptied": emptied, "kept": kept, "corrected": len(outdated)},
        last or None,
    )


def _outdated(
    cells: Iterable[Cell], availability_of: AvailabilityOf, *, oldest: int
) -> dict[int, Register]:
    """Availability that differs from the cells, of taxis seen in the tick `oldest` or later."""
    shown: dict[int, Register] = {}
    for cell in cells:
        for taxi, entry in cell.entries.items():
            if entry[3] >= oldest:
                shown[taxi] = max(rules.register(entry), shown.get(taxi, (0, 0)))
    known = availability.available(shown, availability_of)
    return {taxi: register for taxi, register in known.items() if register > shown[taxi]}


def blur(*, now: datetime, after: str | None = None, dry_run: bool = False) -> Page:
    """Blurs a page of last positions over two months old: the coordinates go, the time stays.

    A taxi that reports meanwhile keeps what it says. May be broken off and repeated, from the
    beginning or from the last `after`.
    """
    oldest = codec.first_tick_from(now - rules.LAST_POSITION_KEPT)
    found, last = pointers.page(after, size=A_PAGE)
    blurred = sum(
        dry_run or pointers.blur(taxi, pointer, pointer.last)
        for taxi, pointer in found.items()
        if pointer.last is not None and pointer.seen < oldest and pointer.last[1:] != (0, 0)
    )
    return Page({"blurred": blurred}, last)


def forget(transaction: TransactWrite, taxi_id: str, seen: Sighting) -> None:
    """Adds the deletion of a taxi's last position, if it is unchanged, to a transaction."""
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
    found, last = pointers.page(after, size=A_PAGE)
    old = {codec.id_of(taxi): pointer for taxi, pointer in found.items() if pointer.seen < oldest}
    there = known(old.keys())
    deleted = sum(
        dry_run or _forget_alone(taxi_id, pointer)
        for taxi_id, pointer in old.items()
        if taxi_id not in there
    )
    return Page({"positions_deleted": deleted}, last)


def _forget_alone(taxi_id: str, read: Pointer) -> bool:
    """Deletes a pointer that is unchanged; False where it has changed."""
    row = _LastPositionRow(taxi_id)
    try:
        run_write(lambda: row.delete(_as_read(read)))
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
