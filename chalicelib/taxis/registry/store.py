"""Drivers, ADS and taxis in DynamoDB (`vehicles.py` has descriptions, `fleets` what operators own).

| question                    | table         | key                | cost               | asked by         |
| --------------------------- | ------------- | ------------------ | ------------------ | ---------------- |
| this driver, or a new one   | drivers       | owner#departement  | 1 write unit       | POST /drivers    |
|                             |               | #licence           |                    |                  |
| this ADS, or a new one      | ads           | owner#insee#numero | 1 write unit       | POST /ads        |
| what a taxi may be made of  | ads, drivers, | their keys         | 3 units, strong,   | POST /taxis      |
|                             | vehicles      |                    | one call           |                  |
| whether it is made already  | descriptions, | owner#vehicle_id,  | 2 units, strong,   | POST /taxis      |
|                             | fleets        | taxi#...           | one call           |                  |
| a new taxi                  | all but       | their keys         | 12 write units     | POST /taxis      |
|                             | vehicles      |                    |                    |                  |
| these taxis                 | taxis         | taxi_id            | 1 unit a taxi,     | /taxis/{id},     |
|                             |               |                    | strong             | GET /taxis/all   |
| what these taxis are        | ads, drivers, | their keys         | 3 units a taxi,    | the same         |
| made of                     | descriptions  |                    | strong             |                  |
| what a search shows of them | taxis         | taxi_id            | 0.5 unit a taxi    | GET /taxis       |

Calls for many items carry a hundred keys each.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TypeVar

from msgspec import Struct
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chalicelib.foundation.aws import clients
from chalicelib.foundation.store import reads
from chalicelib.foundation.store.reads import Item, Read
from chalicelib.foundation.store.writes import connection, run_write
from chalicelib.foundation.values import milliseconds
from chalicelib.taxis.fleets import service as fleets
from chalicelib.taxis.registry import rows, rules
from chalicelib.taxis.registry.rows import (
    AdsRow,
    DescriptionRow,
    DriverRow,
    TaxiRow,
    VehicleRow,
)
from chalicelib.taxis.registry.rules import (
    Ads,
    Description,
    Driver,
    Taxi,
    TaxiDetails,
)

R = TypeVar("R", bound=Model)
T = TypeVar("T")


class Parts(Struct, frozen=True):
    """The parts of a new taxi, each None where the owner has none such."""

    ads: Ads | None
    driver: Driver | None
    vehicle_id: int | None


def _of_keys(
    model: type[R],
    key: str,
    values: Iterable[str],
    parse: Callable[[R], T],
    *,
    consistent: bool = True,
) -> Read[dict[str, T]]:
    """What the rows of these keys stand for, by their keys; those that there are not are left out."""

    def each(items: Iterable[Item]) -> dict[str, T]:
        return {item[key]["S"]: parse(model.from_raw_data(dict(item))) for item in items}

    return Read(model.Meta.table_name, reads.keys(key, values), each, consistent)


def drivers(driver_ids: Iterable[str]) -> Read[dict[str, Driver]]:
    """The drivers there are, by their keys."""
    return _of_keys(DriverRow, "driver_id", driver_ids, rows.driver)


def ads(ads_ids: Iterable[str]) -> Read[dict[str, Ads]]:
    """The ADS there are, by their keys."""
    return _of_keys(AdsRow, "ads_id", ads_ids, rows.ads)


def numbers(licence_plates: Iterable[str]) -> Read[dict[str, int]]:
    """The numbers of those of the plates that have one."""
    return _of_keys(VehicleRow, "licence_plate", licence_plates, lambda row: int(row.vehicle_id))


def descriptions(description_ids: Iterable[str]) -> Read[dict[str, Description]]:
    """The descriptions there are, by their keys."""
    return _of_keys(DescriptionRow, "description_id", description_ids, rows.description)


def taxis(taxi_ids: Iterable[str]) -> Read[dict[str, Taxi]]:
    """The taxis there are, by their ids."""
    return _of_keys(TaxiRow, "taxi_id", taxi_ids, rows.taxi)


def taxi_by_id(taxi_id: str) -> Read[Taxi | None]:
    """The taxi of an id, if there is one."""
    return taxis([taxi_id]).then(lambda found: found.get(taxi_id))


def details(taxi_ids: Iterable[str]) -> Read[dict[str, TaxiDetails]]:
    """Details of the taxis that exist; a change of the last second may be missing."""
    return _of_keys(TaxiRow, "taxi_id", taxi_ids, rows.details, consistent=False)


def _replaced(row: Model, key: str, *, now: datetime) -> bool:
    """Puts a row; whether it replaced another.

    Only when it was first added, and when it was used, stays.
    """
    given = row.serialize()
    names = row.get_attributes().keys() - {key, "added_at", "used_at"}
    kept = sorted(names & given.keys())
    gone = sorted(names - given.keys())
    change = "SET #added_at = if_not_exists(#added_at, :added_at)"
    change += "".join(f", #{name} = :{name}" for name in kept)
    change += f" REMOVE {', '.join(f'#{name}' for name in gone)}" if gone else ""
    answer = run_write(
        partial(
            clients.dynamodb().update_item,
            TableName=row.Meta.table_name,
            Key={key: given[key]},
            UpdateExpression=change,
            ExpressionAttributeNames={f"#{name}": name for name in (*names, "added_at")},
            ExpressionAttributeValues={
                ":added_at": {"N": str(milliseconds(now))},
                **{f":{name}": given[name] for name in kept},
            },
            ReturnValues="ALL_OLD",
        )
    )
    return "Attributes" in answer


def put_driver(owner: str, driver: Driver, *, now: datetime) -> bool:
    """Stores a driver; whether there was none."""
    return not _replaced(rows.driver_row(owner, driver), "driver_id", now=now)


def put_ads(owner: str, ads: Ads, *, now: datetime) -> bool:
    """Stores an ADS; whether there was none."""
    return not _replaced(rows.ads_row(owner, ads), "ads_id", now=now)


def parts(
    owner: str, *, insee: str, numero: str, licence_plate: str, departement: str, licence: str
) -> Parts:
    """Reads the parts of a new taxi."""
    ads_id = rules.ads_id(owner, insee, numero)
    driver_id = rules.driver_id(owner, departement, licence)
    known_ads, known_drivers, known_numbers = reads.read(
        ads([ads_id]), drivers([driver_id]), numbers([licence_plate])
    )
    its_ads, driver = known_ads.get(ads_id), known_drivers.get(driver_id)
    # A code or number with a `#` in it makes the key of an ADS or driver that it does not name.
    return Parts(
        its_ads if its_ads is not None and its_ads.insee == insee else None,
        driver if driver is not None and driver.departement == departement else None,
        known_numbers.get(licence_plate),
    )


def made_already(
    owner: str, vehicle_id: int, ads_id: str, driver_id: str
) -> tuple[Description | None, str | None]:
    """The owner's description of a vehicle, and the taxi that it makes with an ADS and a driver."""
    description_id = rules.description_id(owner, vehicle_id)
    described, taxi_id = reads.read(
        descriptions([description_id]), fleets.taxi_of(owner, vehicle_id, ads_id, driver_id)
    )
    return described.get(description_id), taxi_id


def add_taxi(taxi: Taxi, description: Description) -> None:
    """Stores a new taxi, its unique key, its line in the list and its id in the description.

    Its ADS and its driver take note, so that the night does not delete them as unused. Raises Moved
    where the key or the id is taken, the description has changed, or the ADS or the driver is gone.
    """

    def write() -> None:
        with TransactWrite(connection=connection()) as transaction:
            transaction.update(
                AdsRow(taxi.ads_id),
                actions=[AdsRow.used_at.set(taxi.added_at)],
                condition=AdsRow.ads_id.exists(),
            )
            transaction.update(
                DriverRow(taxi.driver_id),
                actions=[DriverRow.used_at.set(taxi.added_at)],
                condition=DriverRow.driver_id.exists(),
            )
            transaction.save(
                rows.taxi_row(taxi, description), condition=TaxiRow.taxi_id.does_not_exist()
            )
            fleets.enter(transaction, taxi, description.vehicle.licence_plate)
            transaction.update(
                DescriptionRow(taxi.description_id),
                actions=[DescriptionRow.taxis.add({taxi.taxi_id})],
                condition=DescriptionRow.details_version == description.details_version,
            )

    run_write(write)


def made_of(taxis: Sequence[Taxi]) -> dict[str, tuple[Ads, Driver, Description]]:
    """The parts of each taxi, by its id; one that lacks a part just now is left out."""
    known_ads, known_drivers, described = reads.read(
        ads(taxi.ads_id for taxi in taxis),
        drivers(taxi.driver_id for taxi in taxis),
        descriptions(taxi.description_id for taxi in taxis),
    )
    found = {}
    for taxi in taxis:
        with suppress(KeyError):
            found[taxi.taxi_id] = (
                known_ads[taxi.ads_id],
                known_drivers[taxi.driver_id],
                described[taxi.description_id],
            )
    return found
