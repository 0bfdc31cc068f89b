"""The free taxis near a customer: positions, territory and registry put together."""

import os
from collections.abc import Sized
from datetime import datetime

from msgspec import Struct

from chalicelib.foundation import sealing
from chalicelib.foundation.errors import Unknown, in_url
from chalicelib.foundation.geo import Circle, LngLat
from chalicelib.foundation.observe import metrics
from chalicelib.foundation.settings import settings
from chalicelib.foundation.store import reads
from chalicelib.taxis.access.rules import Account, Role
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.positions.rules import Found
from chalicelib.taxis.registry import service as registry
from chalicelib.taxis.registry import temporary_ids
from chalicelib.taxis.registry.rules import TaxiDetails
from chalicelib.taxis.stats.searches import service as searches
from chalicelib.taxis.territory import service as territory
from chalicelib.taxis.territory.rules import Place


class CruisingForbidden(Unknown):
    """The customer is inside an exclusion zone."""


class Candidate(Struct, frozen=True):
    """A free taxi near the customer, and what may be shown of it."""

    position: Found
    details: TaxiDetails


class Answer(Struct, frozen=True):
    """What a search came to, step by step (positions 6).

    `near` counts the free and fresh within the largest radius, `found` holds those of them that may
    pick up here and that the viewer may see, `seen` those whose own radius reaches the customer,
    nearest first.
    """

    place: Place
    near: int
    found: tuple[Candidate, ...]
    seen: tuple[Candidate, ...]


def search(point: LngLat, *, viewer: Account, now: datetime) -> Answer | None:
    """The taxis for a customer at a point; None where the point is in no known town.

    Cells and tile come in one BatchGetItem, details in a second one where they are not at hand. A
    search that reaches a town is noted for the statistics (positions 6, step 14).
    Raises CruisingForbidden.
    """
    if territory.excluded(point):
        _count("excluded")
        raise CruisingForbidden(in_url("No cruising allowed in this area"))
    circle = Circle(point, settings().radius_max_m)
    cells = positions.wants(circle, now=now)
    tile = territory.wants(point)
    if tile is None:
        items, tiles = reads.fetch(cells)[0], []
    else:
        items, tiles = reads.fetch(cells, tile)
    place = territory.place(point, tiles)
    if not place.towns:
        _count("no_town")
        return None
    near = positions.near(circle, items, now=now)
    details = registry.details([taxi.taxi_id for taxi in near])
    sees_all = viewer.has(Role.MOTEUR, Role.ADMIN)
    found = tuple(
        Candidate(taxi, shown)
        for taxi in near
        if (shown := details.get(taxi.taxi_id)) is not None
        and shown.insee in place.allowed
        and (sees_all or shown.owner == viewer.owner)
    )
    seen = tuple(taxi for taxi in found if taxi.position.distance_m <= taxi.position.reach_m)
    searches.note(
        point,
        insee=place.towns[0],
        moteur=viewer.id,
        found=len(found),
        seen=len(seen),
        nearest_m=found[0].position.distance_m if found else None,
        now=now,
    )
    _count(_why_empty(near, found, seen))
    return Answer(place, len(near), found, seen)


def _why_empty(near: Sized, found: Sized, seen: Sized) -> str | None:
    """What left a search without an answer, None where it has one."""
    if not near:
        return "none_near"  # free and fresh, within the largest radius
    if not found:
        return "none_allowed"  # whose licence is for here, and that the viewer may see
    return None if seen else "none_reaching"  # whose own radius is large enough


def _count(why_empty: str | None) -> None:
    metrics.emit({}, counts={"searches": 1})
    if why_empty is not None:
        metrics.emit({"reason": why_empty}, counts={"searches_empty": 1}, in_total=True)


def temporary_ids_of(
    candidates: tuple[Candidate, ...], *, viewer: Account, now: datetime
) -> list[str]:
    """A new temporary id for each taxi, in the same order, for this account only."""
    key = sealing.derived_keys("temporary taxi ids")[0]
    issued_s = int(now.timestamp())
    size = temporary_ids.NONCE_BYTES
    nonces = os.urandom(size * len(candidates))
    return [
        temporary_ids.issue(
            taxi.position.taxi_id,
            key=key,
            account_id=viewer.id,
            issued_s=issued_s,
            nonce=nonces[size * place : size * (place + 1)],
        )
        for place, taxi in enumerate(candidates)
    ]


def real_id(taxi_id: str, *, viewer: Account, now: datetime) -> str:
    """The taxi behind an id that a search showed to this account; any other id stands for itself."""
    resolved = temporary_ids.resolve(
        taxi_id,
        keys=sealing.derived_keys("temporary taxi ids"),
        account_id=viewer.id,
        now_s=int(now.timestamp()),
        good_for_s=settings().temporary_id_s,
    )
    return resolved or taxi_id
