"""What the night takes from the registry's tables: taxis and parts that nobody has used for long.

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
from datetime import datetime
from functools import partial
from typing import TypeVar

from pynamodb.expressions.condition import Condition
from pynamodb.transactions import TransactWrite

from chalicelib.foundation.store import reads
from chalicelib.foundation.store.writes import Moved, connection, written
from chalicelib.foundation.values import replace
from chalicelib.taxis.positions import retention as positions
from chalicelib.taxis.positions.service import Sighting
from chalicelib.taxis.registry import fleet, rows, rules
from chalicelib.taxis.registry.rows import AdsRow, DescriptionRow, DriverRow, TaxiRow
from chalicelib.taxis.registry.rules import Description, Taxi

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
    """Takes away a taxi with its key, its line, its id on this page of the fleet, and its last position.

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
            fleet.leave(transaction, taxi, page=page)
            transaction.update(
                DescriptionRow(taxi.description_id),
                actions=[
                    DescriptionRow.taxis.delete({taxi.taxi_id}),
                    DescriptionRow.availability_changed_at.set(after.availability_changed_at),
                ],
                condition=as_read,
            )
            positions.forget(transaction, taxi.taxi_id, seen)

    written(write)
    return after


def used_parts() -> frozenset[str]:
    """The ids of every ADS and driver that a taxi is made of: some 200 MB for 600,000 taxis."""
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
    """Takes a part that does not say when it was added for one that was added now."""
    kind = type(part)
    there = kind.get_attributes()[KEYS[kind]].exists() & kind.added_at.does_not_exist()
    with suppress(Moved):  # it is gone, or was replaced meanwhile, which says it too
        written(partial(part.update, [kind.added_at.set(now)], there))


def delete_part(part: Part, *, unused_since: datetime) -> bool:
    """Takes away a part that no taxi has been made of since then; False where one was, or it is gone.

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
        written(partial(part.delete, condition))
    except Moved:
        return False
    return True
