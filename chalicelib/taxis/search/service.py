"""Search for free taxis near a customer, over positions, territory and registry."""

from collections.abc import Iterable, Sized
from datetime import datetime

from msgspec import Struct

from chalicelib.foundation.errors import Unknown, in_url
from chalicelib.foundation.geo import Circle, LngLat
from chalicelib.foundation.observe import metrics
from chalicelib.foundation.store import reads
from chalicelib.taxis.fleets import service as fleets
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.positions.rules import Found
from chalicelib.taxis.registry import service as registry
from chalicelib.taxis.registry.rules import TaxiDetails
from chalicelib.taxis.search import notes
from chalicelib.taxis.settings import settings
from chalicelib.taxis.territory import service as territory
from chalicelib.taxis.territory.rules import Place
from chalicelib.taxis.vocabulary import Account, Role


class CruisingForbidden(Unknown):
    """The customer is inside an exclusion zone."""


class Candidate(Struct, frozen=True):
    """A free taxi near the customer, with its details."""

    position: Found
    details: TaxiDetails


class Answer(Struct, frozen=True):
    """The result of a search after each step [contract: Search order].

    `near` counts the free and fresh within the largest radius that the viewer may know of, `found`
    holds those of them that may pick up here, `seen` those whose own radius reaches the customer,
    nearest first.
    """

    place: Place
    near: int
    found: tuple[Candidate, ...]
    seen: tuple[Candidate, ...]


def search(point: LngLat, *, viewer: Account, now: datetime) -> Answer | None:
    """The taxis for a customer at a point; None where the point is in no known town.

    Cells and tile come in one BatchGetItem, details in a second one where they are not at hand. An
    operator's search asks for its fleet besides. A search that reaches a town is noted for the
    statistics [contract: Search statistics]. Raises CruisingForbidden.
    """
    if territory.excluded(point):
        _count("excluded")
        raise CruisingForbidden(in_url("No cruising allowed in this area"))
    circle = Circle(point, settings().radius_max_m)
    near, place = reads.read(positions.near(circle, now=now), territory.place(point))
    if not place.towns:
        _count("no_town")
        return None
    if not viewer.has(Role.MOTEUR, Role.ADMIN):
        # Before anything is counted, or read: neither the numbers nor the time of the answer may move
        # with where somebody else's taxi is.
        own = fleets.all_ids_of(viewer.owner)
        near = [taxi for taxi in near if taxi.taxi_id in own]
    details = registry.details([taxi.taxi_id for taxi in near])
    allowed = tuple(
        Candidate(taxi, shown)
        for taxi in near
        if (shown := details.get(taxi.taxi_id)) is not None and shown.insee in place.allowed
    )
    found = _one_a_vehicle(allowed)
    seen = _one_a_vehicle(
        taxi for taxi in allowed if taxi.position.distance_m <= taxi.position.reach_m
    )
    notes.note(
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


def _one_a_vehicle(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """The nearest taxi of each vehicle: one whose plate several taxis or operators have is found once."""
    by_plate: dict[str, Candidate] = {}
    for candidate in candidates:
        by_plate.setdefault(candidate.details.licence_plate, candidate)
    return tuple(by_plate.values())


def _why_empty(near: Sized, found: Sized, seen: Sized) -> str | None:
    """The reason of an empty result; None where it is not empty."""
    if not near:
        return "none_near"  # free and fresh, within the largest radius
    if not found:
        return "none_allowed"  # whose licence is for here, and that the viewer may see
    return None if seen else "none_reaching"  # whose own radius is large enough


def _count(why_empty: str | None) -> None:
    metrics.emit({}, counts={"searches": 1})
    if why_empty is not None:
        metrics.emit({"reason": why_empty}, counts={"searches_empty": 1}, in_total=True)
