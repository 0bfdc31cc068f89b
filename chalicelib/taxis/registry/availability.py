"""What the index of positions asks of the registry: where taxis belong, and whether they can be hailed.

| question                    | table        | key              | cost                    | asked by      |
| --------------------------- | ------------ | ---------------- | ----------------------- | ------------- |
| whose these taxis are, and  | taxis        | taxi_id          | 1 unit a taxi, strong,  | ingest,       |
| of which town               |              |                  | once an hour            | count-active  |
| status and radius of these  | descriptions | owner#vehicle_id | 1 unit a taxi, strong   | ingest        |

All that the ingest function has of the registry, in DynamoDB's own form: PynamoDB would be a tenth of
each of its cold starts.
"""

from collections.abc import Collection, Mapping

from chalicelib.foundation import cache
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import reads
from chalicelib.foundation.store.reads import Item, Want
from chalicelib.taxis.positions.rules import Availability
from chalicelib.taxis.registry import rules
from chalicelib.taxis.registry.rules import Licence, TaxiStatus

_licences: cache.Memory[str, Licence] = cache.Memory(lambda: 131_072, lambda: 3600.0)


def licence(taxi: Item) -> Licence:
    """Where the taxi of an item belongs."""
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
        changed_at=rules.moment(int(description["availability_changed_at"]["N"])),
    )


def licences(taxi_ids: Collection[str]) -> Mapping[str, Licence]:
    """Where those of the taxis that there are belong; a town's merging is known within the hour."""
    return _licences.completed(
        taxi_ids,
        lambda missing: {
            taxi["taxi_id"]["S"]: licence(taxi) for taxi in _items("taxis", "taxi_id", missing)
        },
    )


def availability_of(taxi_ids: Collection[str]) -> Mapping[str, Availability]:
    """Status and radius of those of the taxis that there are, as the last write left them."""
    known = licences(taxi_ids)
    described = {
        description["description_id"]["S"]: availability(description)
        for description in _items(
            "descriptions",
            "description_id",
            {licence.description_id for licence in known.values()},
        )
    }
    return {
        taxi_id: described[licence.description_id]
        for taxi_id, licence in known.items()
        if licence.description_id in described
    }


def _items(name: str, key: str, values: Collection[str]) -> list[Item]:
    """The items there are, read strongly."""
    (items,) = reads.fetch(Want(table(name), [{key: {"S": value}} for value in values]))
    return items
