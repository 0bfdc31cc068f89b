"""Owner, town and availability of taxis, read without PynamoDB, for the index of positions.

| question                    | table        | key              | cost                    | asked by      |
| --------------------------- | ------------ | ---------------- | ----------------------- | ------------- |
| whose these taxis are, and  | taxis        | taxi_id          | 1 unit a taxi, strong,  | ingest,       |
| of which town               |              |                  | once an hour            | count-active  |
| status and radius of these  | descriptions | owner#vehicle_id | 1 unit a taxi, strong   | ingest        |

All that the ingest function has of the registry, in DynamoDB's own form: PynamoDB would be a tenth of
each of its cold starts.
"""

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from chalicelib.foundation import cache
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import reads
from chalicelib.foundation.store.reads import Item, Read
from chalicelib.foundation.values import moment
from chalicelib.taxis.positions.rules import Availability
from chalicelib.taxis.registry import rules
from chalicelib.taxis.registry.rules import Licence
from chalicelib.taxis.vocabulary import TaxiStatus

T = TypeVar("T")

_licences: cache.Memory[str, Licence] = cache.Memory(lambda: 131_072, lambda: 3600.0)


def licence(taxi: Item) -> Licence:
    """Owner, town and description of an item's taxi."""
    owner = taxi["owner"]["S"]
    return Licence(
        owner, taxi["insee"]["S"], rules.description_id(owner, int(taxi["vehicle_id"]["N"]))
    )


def availability(description: Item) -> Availability:
    """Status and radius that the description of an item gives. Raises KeyError and ValueError."""
    radius = description.get("radius", {}).get("N")
    return Availability(
        status=TaxiStatus(description["status"]["S"]),
        radius_m=None if radius is None else int(radius),
        changed_at=moment(int(description["availability_changed_at"]["N"])),
    )


def licences(taxi_ids: Collection[str]) -> Mapping[str, Licence]:
    """Owner, town and description of the taxis that exist; a merged town is known within the hour."""
    return _licences.completed(
        taxi_ids, lambda missing: _read("taxis", "taxi_id", missing, licence)
    )


def availability_of(taxi_ids: Collection[str]) -> Mapping[str, Availability]:
    """Status and radius of the taxis that exist, read strongly."""
    known = licences(taxi_ids)
    of_description = {licence.description_id for licence in known.values()}
    described = _read("descriptions", "description_id", of_description, availability)
    return {
        taxi_id: described[licence.description_id]
        for taxi_id, licence in known.items()
        if licence.description_id in described
    }


def _read(name: str, key: str, values: Collection[str], parse: Callable[[Item], T]) -> dict[str, T]:
    """What the items of these keys stand for, by their keys, read strongly."""
    keys = reads.keys(key, values)
    return reads.one(
        Read(table(name), keys, lambda items: {item[key]["S"]: parse(item) for item in items})
    )
