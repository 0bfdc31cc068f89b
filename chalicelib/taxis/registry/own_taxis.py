"""An operator's own taxis: one of them, and pages of all."""

from collections.abc import Sequence
from datetime import datetime

from chalicelib.foundation.errors import Unknown, in_url
from chalicelib.foundation.store import reads
from chalicelib.taxis.fleets import service as fleets
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.positions.rules import LastPosition
from chalicelib.taxis.registry import rules, store
from chalicelib.taxis.registry.rules import Registered, Taxi
from chalicelib.taxis.territory import service as territory
from chalicelib.taxis.vocabulary import Account, is_taxi_id

LISTED = 10_000  # lines of an operator's list that a request reads at most


class TaxiUnknown(Unknown):
    """There is no such taxi, or another account added it."""


def find_taxi(viewer: Account, taxi_id: str) -> Registered:
    """The viewer's taxi, read strongly. Raises TaxiUnknown."""
    unknown = TaxiUnknown(
        in_url(f"Unknown taxi {taxi_id}, or taxi exists but you are not the owner.")
    )
    taxi = reads.one(store.taxi_by_id(taxi_id)) if is_taxi_id(taxi_id) else None
    if taxi is None or taxi.owner != viewer.owner:
        raise unknown
    found = _registered([taxi])
    if not found:
        raise unknown
    return found[0]


def _registered(taxis: Sequence[Taxi]) -> list[Registered]:
    """The taxis with their parts, in the same order; one without a description is left out."""
    made_of = store.made_of(taxis)
    names = territory.town_names({taxi.insee for taxi in taxis})
    return [
        Registered(taxi, *made_of[taxi.taxi_id], names.get(taxi.insee, ""))
        for taxi in taxis
        if taxi.taxi_id in made_of
    ]


def last_position(taxi: Taxi, *, now: datetime) -> LastPosition | None:
    """Where the taxi was last, however long ago."""
    return positions.where_is([taxi.taxi_id], now=now).get(taxi.taxi_id)


def list_taxis(
    viewer: Account, *, ids: Sequence[str], licence_plates: Sequence[str], page: int, per_page: int
) -> tuple[list[Registered], int]:
    """A page of the viewer's taxis, newest first, and how many there are.

    Each filter keeps what any of its values asks for (`rules.pattern`). Beyond the newest `LISTED`
    taxis none is looked at, and the count is a lower bound.
    """
    by_id, by_plate = rules.pattern(ids), rules.pattern(licence_plates)
    found = [
        taxi_id
        for taxi_id, licence_plate in fleets.newest(viewer.owner, limit=LISTED)
        if (not ids or by_id.match(taxi_id))
        and (not licence_plates or by_plate.match(licence_plate))
    ]
    shown = found[(page - 1) * per_page : page * per_page]
    taxis = reads.one(store.taxis(shown))
    return _registered([taxis[taxi_id] for taxi_id in shown if taxi_id in taxis]), len(found)
