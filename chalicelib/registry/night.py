"""What the night takes from the registry's tables: taxis and parts that nobody has used for long.

| question                     | table          | key           | cost                 | asked by         |
| ---------------------------- | -------------- | ------------- | -------------------- | ---------------- |
| a page of taxis              | taxis          | scan          | 0.5 unit per 4 KB    | delete-old-taxis |
| a taxi less, with all that   | taxis, fleets, | their keys    | 12 write units       | delete-old-taxis |
| belongs to it                | descriptions,  |               |                      |                  |
|                              | last-positions |               |                      |                  |

A deletion goes through only if nothing has changed since what it was decided on was read.
"""

from collections.abc import Sequence
from dataclasses import replace

from pynamodb.transactions import TransactWrite

from chalicelib import dynamo
from chalicelib.positions import service as positions
from chalicelib.positions.service import Sighting
from chalicelib.registry import fleet, rows, rules
from chalicelib.registry.rows import DescriptionRow, TaxiRow
from chalicelib.registry.rules import Description, Taxi
from chalicelib.registry.writes import connection, written


def page_of_taxis(after: str | None, *, size: int) -> tuple[Sequence[Taxi], str | None]:
    """So many taxis behind the id `after`, and the last one's id where more may follow."""
    items, last = dynamo.scanned(TaxiRow.Meta.table_name, "taxi_id", after, size=size)
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
