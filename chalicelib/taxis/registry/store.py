"""Drivers, ADS, vehicles, descriptions and taxis in DynamoDB (`fleet.py` has what operators own).

| question                    | table         | key                | cost               | asked by         |
| --------------------------- | ------------- | ------------------ | ------------------ | ---------------- |
| this driver, or a new one   | drivers       | owner#departement  | 1 write unit       | POST /drivers    |
|                             |               | #licence           |                    |                  |
| this ADS, or a new one      | ads           | owner#insee#numero | 1 write unit       | POST /ads        |
| the number of a plate       | vehicles      | licence_plate      | 1 unit, strong; 2  | POST /vehicles   |
|                             |               |                    | write units if new |                  |
| a description, or a new one | descriptions  | owner#vehicle_id   | 1 write unit, and  | POST /vehicles   |
|                             |               |                    | 1 a taxi of it     |                  |
| a description               | descriptions  | owner#vehicle_id   | 1 unit, strong     | POST /ads        |
| another status or radius    | descriptions  | owner#vehicle_id   | 1 write unit       | PUT /taxis/{id}  |
| a hail's step               | descriptions  | owner#vehicle_id   | 2 write units      | hails            |
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
| the ADS and taxis of towns  | ads, taxis    | scan               | 1 unit per 4 KB    | towns that merge |
| whose every taxi is, and    | taxis         | scan               | half a unit per 4  | the survey of    |
| since when                  |               |                    | KB, 45 per 1,000   | fleets           |
| how every vehicle is used   | descriptions  | scan               | the same           | the same         |
| an ADS in its new town      | ads, taxis,   | their keys         | 4 write units, 6 a | towns that merge |
|                             | fleets        |                    | taxi               |                  |

Calls for many items carry a hundred keys each. A vehicle's number is everybody's, its description
each owner's own. A taxi carries a copy of what searches show of its description; `details_version`
rises with the description, and no older copy wins over a newer one.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from msgspec import Struct
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chalicelib.foundation.aws import clients
from chalicelib.foundation.store import documents, reads
from chalicelib.foundation.store.reads import Item, Read
from chalicelib.foundation.store.writes import Moved, connection, run_write, setting
from chalicelib.foundation.values import milliseconds, replace
from chalicelib.taxis.fleets import service as fleets
from chalicelib.taxis.registry import rows, rules
from chalicelib.taxis.registry.availability import licence
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
    Licence,
    Taxi,
    TaxiDetails,
    Usage,
)
from chalicelib.taxis.vocabulary import TaxiStatus

R = TypeVar("R", bound=Model)
T = TypeVar("T")

TAXIS_A_MOVE = 32  # of one ADS: three actions each, of the hundred that a transaction takes


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


def number_of(licence_plate: str, *, otherwise: int | None = None) -> int:
    """The vehicle's number: the one that the plate has, or else the one given, or else the next."""
    try:
        return int(VehicleRow.get(licence_plate, consistent_read=True).vehicle_id)
    except VehicleRow.DoesNotExist:
        vehicle_id = documents.next_number("vehicle") if otherwise is None else otherwise
        row = VehicleRow(licence_plate, vehicle_id=vehicle_id)
    try:
        run_write(partial(row.save, VehicleRow.licence_plate.does_not_exist()))
    except Moved:
        return number_of(licence_plate)
    return int(row.vehicle_id)


def describe(
    owner: str, vehicle_id: int, given: Mapping[str, Any], *, now: datetime
) -> tuple[Description, bool]:
    """The owner's description, with what is given written over it, and whether it is new.

    A new one is `off`. The write itself tells: the first version is 1.
    """
    row = DescriptionRow(rules.description_id(owner, vehicle_id))
    actions = [
        *setting(DescriptionRow, {"owner": owner, "vehicle_id": vehicle_id, **given}),
        DescriptionRow.status.set(DescriptionRow.status | TaxiStatus.OFF.value),
        DescriptionRow.availability_changed_at.set(DescriptionRow.availability_changed_at | now),
        DescriptionRow.details_version.add(1),
        DescriptionRow.added_at.set(DescriptionRow.added_at | now),
    ]
    run_write(partial(row.update, actions))
    return rows.description(row), row.details_version == 1


def renew_copies(description: Description) -> None:
    """Writes what searches show into the taxis of a description, except over a newer copy."""
    older = TaxiRow.details_version < description.details_version
    for taxi_id in sorted(description.taxis):
        try:
            actions = setting(TaxiRow, rows.copy(description))
            run_write(partial(TaxiRow(taxi_id).update, actions, older))
        except Moved:
            continue


def description(owner: str, vehicle_id: int) -> Description | None:
    """The owner's description of a vehicle."""
    key = rules.description_id(owner, vehicle_id)
    return reads.one(descriptions([key])).get(key)


def change_availability(before: Description, after: Description) -> None:
    """Writes status, radius and their times. Raises Moved where another change came first."""
    values = {
        "status": after.status.value,
        "radius": after.radius_m,
        "availability_changed_at": after.availability_changed_at,
        "status_changed_at": after.status_changed_at,
    }
    as_read = (DescriptionRow.status == before.status.value) & (
        DescriptionRow.availability_changed_at == before.availability_changed_at
    )
    row = DescriptionRow(after.description_id)
    run_write(partial(row.update, setting(DescriptionRow, values), as_read))


def hail_step(transaction: TransactWrite, before: Description, after: Description) -> None:
    """Adds the taxi's part of a hail's step to the transaction that writes the hail.

    The condition is that status, time of change and open hail are as they were read.
    """
    as_read = (DescriptionRow.status == before.status.value) & (
        DescriptionRow.availability_changed_at == before.availability_changed_at
    )
    if before.open_hail is None:
        as_read &= DescriptionRow.open_hail.does_not_exist()
    else:
        as_read &= DescriptionRow.open_hail == before.open_hail
    values = {
        "status": after.status.value,
        "availability_changed_at": after.availability_changed_at,
        "open_hail": after.open_hail,
    }
    row = DescriptionRow(after.description_id)
    transaction.update(row, actions=setting(DescriptionRow, values), condition=as_read)


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


def ads_of_towns(insees: Collection[str]) -> Iterator[tuple[str, Ads]]:
    """Owner and ADS of every licence of these towns: a scan, for the desk only."""
    for row in AdsRow.scan(consistent_read=True):
        if row.insee in insees:
            yield row.owner, rows.ads(row)


def taxis_of_towns(insees: Collection[str]) -> Iterator[Taxi]:
    """Every taxi with a licence of these towns: a scan, for the desk only."""
    for row in TaxiRow.scan(consistent_read=True):
        if row.insee in insees:
            yield rows.taxi(row)


def _scanned(model: type[Model], *names: str) -> Iterator[Item]:
    """These attributes of every item, page by page; a change of the last second may be missing."""
    pages = (
        clients.dynamodb()
        .get_paginator("scan")
        .paginate(
            TableName=model.Meta.table_name,
            ProjectionExpression=", ".join(f"#{name}" for name in names),
            ExpressionAttributeNames={f"#{name}": name for name in names},
        )
    )
    for page in pages:
        yield from page["Items"]


def every_licence() -> Iterator[tuple[Licence, datetime]]:
    """Of every taxi whose it is, and when it was added: a scan, for jobs only."""
    for item in _scanned(TaxiRow, "owner", "insee", "vehicle_id", "added_at"):
        yield licence(item), TaxiRow.added_at.deserialize(item["added_at"]["S"])


def every_usage() -> Iterator[tuple[str, Usage]]:
    """How every vehicle is used, beside its description's key: a scan, for jobs only."""
    for item in _scanned(DescriptionRow, "description_id", "status_changed_at", "radius"):
        changed, radius = item.get("status_changed_at"), item.get("radius")
        yield (
            item["description_id"]["S"],
            Usage(
                DescriptionRow.status_changed_at.deserialize(changed["N"]) if changed else None,
                int(radius["N"]) if radius else None,
            ),
        )


def move_ads(owner: str, ads: Ads, insee: str, taxis: Sequence[Taxi]) -> None:
    """Gives an ADS and all its taxis (at most `TAXIS_A_MOVE`) another town, all at once.

    Raises Moved where the owner has the same number there already, or something has changed.
    """
    old_id, new_id = (
        rules.ads_id(owner, ads.insee, ads.numero),
        rules.ads_id(owner, insee, ads.numero),
    )

    def write() -> None:
        with TransactWrite(connection=connection()) as transaction:
            transaction.save(
                rows.ads_row(owner, replace(ads, insee=insee)),
                condition=AdsRow.ads_id.does_not_exist(),
            )
            transaction.delete(AdsRow(old_id), condition=AdsRow.ads_id.exists())
            for taxi in taxis:
                moved = replace(taxi, ads_id=new_id, insee=insee)
                transaction.update(
                    TaxiRow(taxi.taxi_id),
                    actions=setting(TaxiRow, {"ads_id": new_id, "insee": insee}),
                    condition=TaxiRow.ads_id == old_id,
                )
                fleets.change_key(transaction, taxi, moved)

    run_write(write)
