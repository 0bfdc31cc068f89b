"""Bulk reads of the registry, for `maraude import` to compare with: for commands only.

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
from chalicelib.foundation.store.reads import Item, Read
from chalicelib.taxis.fleets import store as fleet
from chalicelib.taxis.fleets.store import FleetRow
from chalicelib.taxis.registry import store
from chalicelib.taxis.registry.rows import DescriptionRow, VehicleRow
from chalicelib.taxis.registry.rules import Ads, Description, Driver, Taxi

_A_SCAN = 5000  # items


def drivers(driver_ids: Collection[str]) -> dict[str, Driver]:
    """The drivers there are, by their keys."""
    return reads.one(store.drivers(driver_ids))


def ads(ads_ids: Collection[str]) -> dict[str, Ads]:
    """The ADS there are, by their keys."""
    return reads.one(store.ads(ads_ids))


def numbers(licence_plates: Collection[str]) -> dict[str, int]:
    """The numbers of those of the plates that have one."""
    return reads.one(store.numbers(licence_plates))


def descriptions(description_ids: Collection[str]) -> dict[str, Description]:
    """The descriptions there are, by their keys."""
    return reads.one(store.descriptions(description_ids))


def taxis(taxi_ids: Collection[str]) -> dict[str, Taxi]:
    """The taxis there are, by their ids."""
    return reads.one(store.taxis(taxi_ids))


def stored_fields(description_ids: Collection[str]) -> dict[str, Mapping[str, Any]]:
    """All stored fields of descriptions, by their keys, under the names of the body."""

    def all_of(items: Iterable[Item]) -> dict[str, Mapping[str, Any]]:
        found = (DescriptionRow.from_raw_data(dict(item)) for item in items)
        return {
            row.description_id: {name: getattr(row, name) for name in row.get_attributes()}
            for row in found
        }

    keys = reads.keys("description_id", description_ids)
    return reads.one(Read(DescriptionRow.Meta.table_name, keys, all_of))


def taxi_ids(parts: Collection[tuple[str, int, str, str]]) -> dict[tuple[str, int, str, str], str]:
    """The ids of the taxis that these parts form: owner, vehicle, ADS and driver."""
    entries = {
        (owner, fleet.key(vehicle_id, ads_id, driver_id)): (owner, vehicle_id, ads_id, driver_id)
        for owner, vehicle_id, ads_id, driver_id in parts
    }

    def by_parts(items: Iterable[Item]) -> dict[tuple[str, int, str, str], str]:
        return {
            entries[item["owner"]["S"], item["entry"]["S"]]: item["taxi_id"]["S"] for item in items
        }

    keys: list[Item] = [{"owner": {"S": owner}, "entry": {"S": entry}} for owner, entry in entries]
    return reads.one(Read(FleetRow.Meta.table_name, keys, by_parts))


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
