"""What the other domains ask of the registry."""

import os
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from chalicelib.foundation import cache, sealing
from chalicelib.foundation.store import reads
from chalicelib.foundation.store.reads import Read
from chalicelib.taxis.registry import store, temporary_ids
from chalicelib.taxis.registry.availability import availability_of, licences
from chalicelib.taxis.registry.availability_change import show
from chalicelib.taxis.registry.rules import Description, Driver, Taxi, TaxiDetails
from chalicelib.taxis.registry.store import taxi_by_id
from chalicelib.taxis.registry.survey import every_taxi
from chalicelib.taxis.registry.vehicles import add_hail_step
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import Account

__all__ = [
    "add_hail_step",
    "availability_of",
    "described",
    "description_of",
    "descriptions",
    "details",
    "driver_of",
    "every_taxi",
    "licences",
    "of_same_vehicle",
    "real_id",
    "show",
    "taxi_by_id",
    "taxis",
    "temporary_ids_of",
]


def description_of(taxi: Taxi) -> Read[Description | None]:
    """The description of a taxi's vehicle, as the last write left it."""
    key = taxi.description_id
    return store.descriptions([key]).then(lambda found: found.get(key))


def driver_of(taxi: Taxi) -> Read[Driver | None]:
    """The driver of a taxi, as the last write left them."""
    return store.drivers([taxi.driver_id]).then(lambda found: found.get(taxi.driver_id))


def described(description_id: str) -> Description | None:
    """A description, read strongly."""
    return reads.one(store.descriptions([description_id])).get(description_id)


def of_same_vehicle(description: Description) -> list[Description]:
    """A description, and those that other operators have of its vehicle, read strongly."""
    if not description.others:
        return [description]
    return [description, *descriptions(description.others).values()]


def temporary_ids_of(taxi_ids: Sequence[str], *, viewer: Account, now: datetime) -> list[str]:
    """A new temporary id for each taxi, in the same order, for this account only."""
    key = sealing.derived_keys("temporary taxi ids")[0]
    issued_s = int(now.timestamp())
    size = temporary_ids.NONCE_BYTES
    nonces = os.urandom(size * len(taxi_ids))
    return [
        temporary_ids.issue(
            taxi_id,
            key=key,
            account_id=viewer.id,
            issued_s=issued_s,
            nonce=nonces[size * place : size * (place + 1)],
        )
        for place, taxi_id in enumerate(taxi_ids)
    ]


def real_id(taxi_id: str, *, viewer: Account, now: datetime) -> str:
    """The taxi behind an id that was shown to this account; any other id stands for itself."""
    resolved = temporary_ids.resolve(
        taxi_id,
        keys=sealing.derived_keys("temporary taxi ids"),
        account_id=viewer.id,
        now_s=int(now.timestamp()),
        good_for_s=settings().temporary_id_s,
    )
    return resolved or taxi_id


_details: cache.Memory[str, TaxiDetails] = cache.Memory(
    lambda: 65_536, lambda: float(settings().details_cache_s)
)


def details(taxi_ids: Collection[str]) -> Mapping[str, TaxiDetails]:
    """Details of the taxis that exist, for searches, at most `details_cache_s` old."""
    return _details.completed(taxi_ids, lambda missing: reads.one(store.details(missing)))


def taxis(taxi_ids: Collection[str]) -> Mapping[str, Taxi]:
    """Those of the taxis that there are, by id."""
    return reads.one(store.taxis(taxi_ids))


def descriptions(description_ids: Collection[str]) -> Mapping[str, Description]:
    """Those of the descriptions that there are, by their keys."""
    return reads.one(store.descriptions(description_ids))
