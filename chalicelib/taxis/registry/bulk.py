"""What is there of many things at once, for an import to compare its lines with: for the desk only.

| question                    | table        | key                | cost                | asked by |
| --------------------------- | ------------ | ------------------ | ------------------- | -------- |
| these drivers               | drivers      | owner#departement  | 1 unit each, strong | `import` |
|                             |              | #licence           |                     |          |
| these ADS                   | ads          | owner#insee#numero | the same            | `import` |
| the numbers of these plates | vehicles     | licence_plate      | the same            | `import` |
| all that was said of these  | descriptions | owner#vehicle_id   | the same            | `import` |
| vehicles                    |              |                    |                     |          |
| the taxis that these parts  | fleets       | owner, taxi#...    | the same            | `import` |
| make                        |              |                    |                     |          |
| the number of every plate   | vehicles     | scan               | half a unit per 4   | `import` |
|                             |              |                    | KB, 10 per 1,000    |          |

Calls carry a hundred keys each. A new taxi costs an import what it costs `POST /taxis`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from chalicelib.foundation.store import reads
from chalicelib.foundation.store.reads import Item, Want
from chalicelib.taxis.registry import fleet, rows
from chalicelib.taxis.registry.rows import AdsRow, DescriptionRow, DriverRow, FleetRow, VehicleRow
from chalicelib.taxis.registry.rules import Ads, Driver

_A_SCAN = 5000  # items


def _read(table: str, key: str, values: Iterable[str]) -> list[Item]:
    keys: list[Item] = [{key: {"S": value}} for value in dict.fromkeys(values)]
    return reads.fetch(Want(table, keys))[0]


def drivers(driver_ids: Collection[str]) -> dict[str, Driver]:
    """The drivers there are, by their keys."""
    found = (
        DriverRow.from_raw_data(dict(item))
        for item in _read(DriverRow.Meta.table_name, "driver_id", driver_ids)
    )
    return {row.driver_id: rows.driver(row) for row in found}


def ads(ads_ids: Collection[str]) -> dict[str, Ads]:
    """The ADS there are, by their keys."""
    found = (
        AdsRow.from_raw_data(dict(item))
        for item in _read(AdsRow.Meta.table_name, "ads_id", ads_ids)
    )
    return {row.ads_id: rows.ads(row) for row in found}


def numbers(licence_plates: Collection[str]) -> dict[str, int]:
    """The numbers of those of the plates that have one."""
    return {
        item["licence_plate"]["S"]: int(item["vehicle_id"]["N"])
        for item in _read(VehicleRow.Meta.table_name, "licence_plate", licence_plates)
    }


def said(description_ids: Collection[str]) -> dict[str, Mapping[str, Any]]:
    """All that was ever said of vehicles, by the keys of their descriptions and the body's names."""
    found = (
        DescriptionRow.from_raw_data(dict(item))
        for item in _read(DescriptionRow.Meta.table_name, "description_id", description_ids)
    )
    return {
        row.description_id: {name: getattr(row, name) for name in row.get_attributes()}
        for row in found
    }


def made(parts: Collection[tuple[str, int, str, str]]) -> dict[tuple[str, int, str, str], str]:
    """The ids of the taxis that these make: owner, vehicle, ADS and driver."""
    entries = {
        (owner, fleet.key(vehicle_id, ads_id, driver_id)): (owner, vehicle_id, ads_id, driver_id)
        for owner, vehicle_id, ads_id, driver_id in parts
    }
    keys: list[Item] = [{"owner": {"S": owner}, "entry": {"S": entry}} for owner, entry in entries]
    (items,) = reads.fetch(Want(FleetRow.Meta.table_name, keys))
    return {entries[item["owner"]["S"], item["entry"]["S"]]: item["taxi_id"]["S"] for item in items}


def every_number() -> Iterator[tuple[str, int]]:
    """Every plate and its number: a scan."""
    after: str | None = None
    while True:
        items, after = reads.scanned(
            VehicleRow.Meta.table_name, "licence_plate", after, size=_A_SCAN
        )
        for item in items:
            yield item["licence_plate"]["S"], int(item["vehicle_id"]["N"])
        if after is None:
            return
