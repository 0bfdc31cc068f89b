"""Retention of the registry's tables: deletion of taxis and parts that nobody has used for long.

| question                     | table          | key           | cost                 | asked by         |
| ---------------------------- | -------------- | ------------- | -------------------- | ---------------- |
| a page of taxis              | taxis          | scan          | 0.5 unit per 4 KB    | delete-old-taxis |
| which parts taxis are made   | taxis          | scan          | 0.5 unit per 4 KB    | delete-orphans   |
| of                           |                |               |                      |                  |
| a page of drivers, of ADS,   | each its own   | scan          | 0.5 unit per 4 KB    | delete-orphans   |
| of descriptions              |                |               |                      |                  |
| a part less, or first seen   | each its own   | its key       | 1 write unit         | delete-orphans   |
| a taxi less, with all that   | taxis, fleets, | their keys    | 12 write units       | delete-old-taxis |
| belongs to it                | descriptions,  |               |                      |                  |
|                              | last-positions |               |                      |                  |

A deletion goes through only if nothing has changed since what it was decided on was read.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import TypeVar

from pynamodb.expressions.condition import Condition
from pynamodb.transactions import TransactWrite

from chalicelib.foundation.jobs.rules import Page
from chalicelib.foundation.store import reads
from chalicelib.foundation.store.writes import Moved, connection, run_write
from chalicelib.foundation.values import replace
from chalicelib.taxis.fleets import service as fleets
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.positions.service import Sighting
from chalicelib.taxis.registry import rows, rules
from chalicelib.taxis.registry.rows import AdsRow, DescriptionRow, DriverRow, TaxiRow
from chalicelib.taxis.registry.rules import Description, Taxi
from chalicelib.taxis.settings import settings

Part = TypeVar("Part", DriverRow, AdsRow, DescriptionRow)

KEYS: Mapping[type[DriverRow] | type[AdsRow] | type[DescriptionRow], str] = {
    DriverRow: "driver_id",
    AdsRow: "ads_id",
    DescriptionRow: "description_id",
}

_A_SCAN = 5000  # items


def page_of_taxis(after: str | None, *, size: int) -> tuple[Sequence[Taxi], str | None]:
    """So many taxis behind the id `after`, and the last one's id where more may follow."""
    items, last = reads.scanned(TaxiRow.Meta.table_name, "taxi_id", after, size=size)
    return [rows.taxi(TaxiRow.from_raw_data(dict(item))) for item in items], last


def delete_taxi(
    taxi: Taxi, description: Description, seen: Sighting, *, page: int | None
) -> Description:
    """Deletes a taxi with its key, its line, its id on a page of the fleet, and its last position.

    Answers the description without it. Its time of change rises, so that a hail which was computed
    from the old one fails. Raises Moved where the taxi's town, its description (every hail changes
    that) or its last position is no longer as it was read.
    """
    after = replace(
        description,
        taxis=description.taxis - {taxi.taxi_id},
        availability_changed_at=description.availability_changed_at + rules.STEP,
    )
    as_read = (
        (DescriptionRow.status == description.status.value)
        & (DescriptionRow.availability_changed_at == description.availability_changed_at)
        & DescriptionRow.open_hail.does_not_exist()
    )

    def write() -> None:
        with TransactWrite(connection=connection()) as transaction:
            transaction.delete(TaxiRow(taxi.taxi_id), condition=TaxiRow.ads_id == taxi.ads_id)
            fleets.leave(transaction, taxi, page=page)
            transaction.update(
                DescriptionRow(taxi.description_id),
                actions=[
                    DescriptionRow.taxis.delete({taxi.taxi_id}),
                    DescriptionRow.availability_changed_at.set(after.availability_changed_at),
                ],
                condition=as_read,
            )
            positions.forget(transaction, taxi.taxi_id, seen)

    run_write(write)
    return after


def used_parts() -> frozenset[str]:
    """The ids of every ADS and driver of a taxi: some 200 MB for 600,000 taxis."""
    after: str | None = None
    used: set[str] = set()
    while True:
        items, after = reads.scanned(TaxiRow.Meta.table_name, "taxi_id", after, size=_A_SCAN)
        for item in items:
            used |= {item["ads_id"]["S"], item["driver_id"]["S"]}
        if after is None:
            return frozenset(used)


def page_of_parts(
    kind: type[Part], after: str | None, *, size: int
) -> tuple[Sequence[Part], str | None]:
    """So many drivers, ADS or descriptions behind this key, and the last key where more may follow."""
    items, last = reads.scanned(kind.Meta.table_name, KEYS[kind], after, size=size)
    return [kind.from_raw_data(dict(item)) for item in items], last


def note_first_seen(part: Part, *, now: datetime) -> None:
    """Gives a part without a time of its adding the present one."""
    kind = type(part)
    there = kind.get_attributes()[KEYS[kind]].exists() & kind.added_at.does_not_exist()
    with suppress(Moved):  # it is gone, or was replaced meanwhile, which says it too
        run_write(partial(part.update, [kind.added_at.set(now)], there))


def delete_part(part: Part, *, unused_since: datetime) -> bool:
    """Deletes a part that no taxi has used since a time; False where one has, or it is gone.

    Whether one was made earlier, which is still there, is the caller's to know.
    """
    condition: Condition
    if isinstance(part, DescriptionRow):
        condition = (
            DescriptionRow.taxis.does_not_exist()
            & DescriptionRow.open_hail.does_not_exist()
            & (DescriptionRow.details_version == part.details_version)
        )
    else:
        kind = type(part)
        condition = (kind.added_at == part.added_at) & (
            kind.used_at.does_not_exist() | (kind.used_at < unused_since)
        )
    try:
        run_write(partial(part.delete, condition))
    except Moved:
        return False
    return True


# --- parts that no taxi is made of ----------------------------------------------------------------

PARTS_A_PAGE = 500  # parts that are looked at


def delete_orphans(*, now: datetime, after: str | None = None, dry_run: bool = False) -> Page:
    """Deletes drivers, ADS and descriptions over a year old that no taxi is made of.

    One that does not say when it was added, for an earlier build stored it, counts as added when
    this job first finds it unused. One that becomes part of a taxi meanwhile stays. May be broken
    off and repeated, from the beginning or from the last `after`.
    """
    what, _, key = (after or "drivers/").partition("/")
    if what == "drivers":
        page = _page("drivers", DriverRow, key, now=now, dry_run=dry_run)
        return page if page.after else Page(page.done, "ads/")
    if what == "ads":
        page = _page("ads", AdsRow, key, now=now, dry_run=dry_run)
        return page if page.after else Page(page.done, "descriptions/")
    page = _page("descriptions", DescriptionRow, key, now=now, dry_run=dry_run)
    if page.after is None:
        _used.cache_clear()
    return page


@lru_cache(maxsize=1)
def _used(now: datetime) -> frozenset[str]:  # noqa: ARG001  # a run's own: each has another moment
    """The parts that taxis are made of, read once a run.

    A taxi that is made later has told its parts, which are therefore not deleted.
    """
    return used_parts()


def _page(name: str, kind: type[Part], key: str, *, now: datetime, dry_run: bool) -> Page:
    limit = now - timedelta(days=settings().part_kept_days)
    parts, last = page_of_parts(kind, key, size=PARTS_A_PAGE)
    unused = [part for part in parts if not _is_used(part, limit, now=now)]
    deleted = first_seen = 0
    for part in unused:
        if part.added_at is None:
            first_seen += 1
            if not dry_run:
                note_first_seen(part, now=now)
        elif part.added_at < limit:
            deleted += dry_run or delete_part(part, unused_since=limit)
    done = {name: deleted, "first_seen": first_seen}
    return Page(done, None if last is None else f"{name}/{last}")


def _is_used(part: DriverRow | AdsRow | DescriptionRow, limit: datetime, *, now: datetime) -> bool:
    if isinstance(part, DescriptionRow):
        return bool(part.taxis)
    if part.used_at is not None and part.used_at >= limit:
        return True
    part_id = part.driver_id if isinstance(part, DriverRow) else part.ads_id
    return part_id in _used(now)
