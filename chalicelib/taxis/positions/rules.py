"""Entries of cells: their meaning, how two of one taxi are joined, and the taxis near a point: pure.

An entry is two registers side by side. The position is the newest reported: received last, and of
two received in the same tick the more northern, then the more eastern. The availability is the
newest decided: by the time of the change, and of two in the same tick the higher code. Each is a
maximum, so `joined` may be applied in any order and as often as one likes.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from math import asin, cos, pi, radians, sin, sqrt
from typing import NamedTuple

from msgspec import Struct

from chalicelib.foundation.geo import E7, EARTH_RADIUS_M, Circle, LngLat
from chalicelib.taxis.positions import codec
from chalicelib.taxis.positions.codec import ID, IDS, RADIUS_SHIFT, REGISTER, Entry, id_of
from chalicelib.taxis.vocabulary import TaxiStatus

LAST_POSITION_KEPT = timedelta(
    days=60
)  # then its coordinates are shown as 0, 0 [contract: Retention]

Position = tuple[int, int, int]  # seen, lat_e7, lng_e7: in this order the greater is the newer
Register = tuple[int, int]  # changed, and the head's bits of status and radius: likewise


class CellContended(Exception):
    """A cell was changed by others at each try. The batch or request may be sent again."""


class Availability(Struct, frozen=True):
    """Status of a taxi and its chosen radius, None where it has chosen none."""

    status: TaxiStatus
    radius_m: int | None
    changed_at: datetime  # of either


class Found(NamedTuple):
    """A free taxi near a customer. Found taxis sort by distance, then by id."""

    distance_m: float
    taxi_id: str
    reach_m: int  # how far from the taxi a customer may be: its own radius, or the largest allowed
    lng_e7: int
    lat_e7: int
    seen: int  # tick

    @property
    def point(self) -> LngLat:
        """Its position."""
        return LngLat(self.lng_e7 / E7, self.lat_e7 / E7)

    @property
    def seen_at(self) -> datetime:
        """When its position was received, to 0.1 s."""
        return codec.moment(self.seen)


class LastPosition(Struct, frozen=True):
    """A taxi's last position, exactly as reported, and the time of its receipt, to 0.1 s."""

    point: LngLat
    seen_at: datetime


class Pointer(NamedTuple):
    """A taxi's squares (`leaf_map`), and its last position once that is too old for a cell."""

    square: int
    since: int  # tick of the position that brought it there
    before: int | None
    last: Position | None

    @property
    def seen(self) -> int:
        """Tick of the newest position that it tells of."""
        return max(self.since, self.last[0]) if self.last else self.since


def position(entry: Entry) -> Position:
    """The entry's position."""
    _, lat_e7, lng_e7, seen, _ = entry
    return seen, lat_e7, lng_e7


def register(entry: Entry) -> Register:
    """The entry's availability."""
    return entry[4], entry[0] & REGISTER


def register_of(availability: Availability) -> Register:
    """The register of a description's availability."""
    bits = codec.head(0, availability.status, availability.radius_m or 0)
    return codec.tick(availability.changed_at), bits


def entry(taxi: int, at: Position, available: Register) -> Entry:
    """The entry of a taxi with this position and availability, not `LEAVING`."""
    seen, lat_e7, lng_e7 = at
    changed, bits = available
    return taxi | bits, lat_e7, lng_e7, seen, changed


def joined(one: Entry, other: Entry) -> Entry:
    """Joins two entries of the same taxi into one."""
    return entry(
        one[0] & ID,
        max(position(one), position(other)),
        max(register(one), register(other)),
    )


def shown(last: Position, *, now: datetime) -> LastPosition:
    """A last position as partners see it: without coordinates once `LAST_POSITION_KEPT` is over."""
    seen, lat_e7, lng_e7 = last
    seen_at = codec.moment(seen)
    if now - seen_at > LAST_POSITION_KEPT:
        return LastPosition(LngLat(0.0, 0.0), seen_at)
    return LastPosition(LngLat(lng_e7 / E7, lat_e7 / E7), seen_at)


def near(
    circle: Circle, cells: Iterable[bytes], *, oldest: int, default_radius_m: int
) -> list[Found]:
    """The free taxis inside the circle that were seen in the tick `oldest` or later, nearest first.

    A taxi that stands in several of the cells counts with its newest position and availability.
    Raises Unreadable for bytes that are no cell.
    """
    cells = [bytes(packed) for packed in cells]
    bounds = circle.bounds()
    south, north = int(bounds.south * E7) - 1, int(bounds.north * E7) + 1
    west, width = int(bounds.west * E7) - 1, int((bounds.east - bounds.west) * E7) + 2
    lng_e7_of_centre, lat_e7_of_centre = circle.centre.lng * E7, circle.centre.lat * E7
    radius_m, cos_lat = circle.radius_m, cos(radians(circle.centre.lat))
    # The square of half the chord of the radius, and a little more; beyond it no distance is reckoned
    farthest = min(1.0, sin(min(pi, radius_m / EARTH_RADIUS_M) / 2) ** 2 * (1 + 1e-9))

    def inside(entries: Iterable[Entry]) -> list[tuple[float, int, int, int, int, int]]:
        """The entries of free, fresh taxis in the circle: distance, number, radius, place, tick."""
        found = []
        # The cheap refusals first: most entries of a dense cell are too far away.
        for head, lat_e7, lng_e7, seen, _ in entries:
            if (
                south <= lat_e7 <= north
                and (lng_e7 - west) % _TURN_E7 <= width
                and not head & _NOT_FREE
                and seen >= oldest
            ):
                # geo.distance_m, without the parts that are the same for every taxi
                across = sin((lng_e7 - lng_e7_of_centre) * _HALF_RADIANS)
                along = sin((lat_e7 - lat_e7_of_centre) * _HALF_RADIANS)
                chord = along * along + cos_lat * cos(lat_e7 * _RADIANS) * across * across
                if chord <= farthest:
                    distance_m = 2 * EARTH_RADIUS_M * asin(sqrt(chord))
                    if distance_m <= radius_m:
                        found.append(
                            (distance_m, head & ID, head >> RADIUS_SHIFT, lng_e7, lat_e7, seen)
                        )
        return found

    entries = list(chain.from_iterable(map(codec.unpack_entries, cells)))
    found = inside(entries)
    if copied := _copied(cells, entries):
        alone = [one for one in found if one[1] not in copied]
        found = alone + inside(copied.values())
    found.sort()  # ids sort as their numbers do
    # `_make` takes half the time of a call with six arguments
    return [
        Found._make((distance_m, id_of(taxi), reach_m or default_radius_m, lng_e7, lat_e7, seen))
        for distance_m, taxi, reach_m, lng_e7, lat_e7, seen in found
        if taxi < IDS  # a damaged entry hides one taxi, and not a town
    ]


_RADIANS = radians(1) / E7  # of 1e-7 degree
_HALF_RADIANS = _RADIANS / 2
_NOT_FREE = codec.STATUS << codec.STATUS_SHIFT  # the code of `free` is 0
_TURN_E7 = 360 * E7


def _copied(cells: Iterable[bytes], entries: Sequence[Entry]) -> Mapping[int, Entry]:
    """By number, the taxis of which the cells hold more than one of their `entries`, joined.

    Nearly always there are none or a few; two taxis may share the lower 32 bits that tell so.
    """
    low_ids = list(chain.from_iterable(codec.words(packed, 0) for packed in cells))
    if len(set(low_ids)) == len(low_ids):
        return {}
    first: dict[int, int] = {}
    again = [
        place for place, low_id in enumerate(low_ids) if first.setdefault(low_id, place) != place
    ]
    copied: dict[int, Entry] = {}
    for place in {first[low_ids[place]] for place in again}.union(again):
        found = entries[place]
        taxi = found[0] & ID
        copied[taxi] = joined(found, copied[taxi]) if taxi in copied else found
    return copied
