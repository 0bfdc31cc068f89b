"""Points, great-circle distances and the geohash grid of cells: pure functions.

A cell is what a number of geohash bits leaves of the world, two bits (longitude first, then
latitude) a level: level 10 is geohash-4, level 15 geohash-6, level 18 the finest that the registry
uses. Between two levels are halves, a longitude bit further: western and eastern ones. A cell is held
as one integer, the bits behind a leading 1, so that `cell >> 1` is what it is a half of, `cell >> 2`
what it is a quarter of, and no two cells are the same number.
"""

from collections.abc import Iterator
from functools import lru_cache
from math import asin, cos, degrees, pi, radians, sin, sqrt
from typing import NamedTuple

import geohash2
from msgspec import Struct

EARTH_RADIUS_M = 6_371_008.8  # mean radius R1 of GRS 80 (Moritz 1980)
METRES_A_DEGREE = EARTH_RADIUS_M * pi / 180  # along a meridian
E7 = 10_000_000  # positions are kept in 1e-7 degree: 1.1 cm of latitude
MAX_LAT = 85.05112878  # the contract's limit [contract: Search parameters], that of Web Mercator

FINEST_LEVEL = 18  # a cell of about 100 by 76 m in Paris
COLUMNS = 1 << FINEST_LEVEL  # of the finest level, over 360 degrees; as many rows over 180

# Bits of a 9-bit number with a gap before each: two look-ups interleave an 18-bit column or row.
_SPREAD = tuple(sum((n >> bit & 1) << 2 * bit for bit in range(9)) for n in range(512))
# The same, each at its place in a level-18 cell: four look-ups make one from a column and a row.
_HIGH_COLUMN = tuple(1 << 2 * FINEST_LEVEL | bits << 19 for bits in _SPREAD)
_LOW_COLUMN = tuple(bits << 1 for bits in _SPREAD)
_HIGH_ROW = tuple(bits << 18 for bits in _SPREAD)
_SIDES = ("w", "e")  # of a cell, the halves' mark in a key
_QUARTER_TURN_E7, _HALF_TURN_E7, _TURN_E7 = 90 * E7, 180 * E7, 360 * E7


class LngLat(NamedTuple):
    """A point, in degrees WGS 84, longitude first."""

    lng: float
    lat: float


class E7Point(NamedTuple):
    """A point in whole 1e-7 degrees, as positions and borders are stored."""

    lng_e7: int
    lat_e7: int


def to_e7(point: LngLat) -> E7Point:
    """The nearest point of the 1e-7 degree lattice."""
    return E7Point(round(point.lng * E7), round(point.lat * E7))


def from_e7(point: E7Point) -> LngLat:
    """The point in degrees; exact to the seventh decimal."""
    return LngLat(point.lng_e7 / E7, point.lat_e7 / E7)


def distance_m(one: LngLat, other: LngLat) -> float:
    """Great-circle distance in metres on a sphere of `EARTH_RADIUS_M` (haversine)."""
    lat1, lat2 = radians(one.lat), radians(other.lat)
    across = sin(radians(other.lng - one.lng) / 2)
    along = sin((lat2 - lat1) / 2)
    chord = along * along + cos(lat1) * cos(lat2) * across * across
    return 2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(chord)))


def finest_cell(lng_e7: int, lat_e7: int) -> int:
    """The level-18 cell of a point. The east and north edges of the world belong to its last cells."""
    column = (lng_e7 + _HALF_TURN_E7 << FINEST_LEVEL) // _TURN_E7
    row = (lat_e7 + _QUARTER_TURN_E7 << FINEST_LEVEL) // _HALF_TURN_E7
    if column == COLUMNS:
        column -= 1
    if row == COLUMNS:
        row -= 1
    return (
        _HIGH_COLUMN[column >> 9]
        | _LOW_COLUMN[column & 511]
        | _HIGH_ROW[row >> 9]
        | _SPREAD[row & 511]
    )


def level(cell: int) -> int:
    """The depth of the cell: 0 is the world. A half counts as deep as what it is a half of."""
    return cell.bit_length() - 1 >> 1


def _is_half(cell: int) -> bool:
    return cell.bit_length() % 2 == 0


def halvings(cell: int) -> int:
    """How often the cell can be halved until it is of the finest level."""
    return 2 * FINEST_LEVEL + 1 - cell.bit_length()


def ancestor(cell: int, at_level: int) -> int:
    """The cell of a coarser level (or the same) that holds this one."""
    return cell >> cell.bit_length() - 1 - 2 * at_level


def halves(cell: int) -> tuple[int, int]:
    """The west and the east of a cell, the south and the north of a half."""
    return cell << 1, cell << 1 | 1


def children(cell: int) -> tuple[int, int, int, int]:
    """The four cells a level further."""
    first = cell << 2
    return first, first | 1, first | 2, first | 3


def key(cell: int) -> str:
    """The cell as text, one digit 0 to 3 a level; a half has `w` or `e` behind what it is a half of."""
    if _is_half(cell):
        return key(cell >> 1) + _SIDES[cell & 1]
    return "".join(str(cell >> 2 * depth & 3) for depth in range(level(cell) - 1, -1, -1))


def from_key(text: str) -> int:
    """The cell of a `key`. Raises ValueError where it is none."""
    if text.endswith(_SIDES):
        return int("1" + text[:-1], 4) << 1 | _SIDES.index(text[-1])
    return int("1" + text, 4)


class Box(NamedTuple):
    """A rectangle in degrees, edges included."""

    west: float
    south: float
    east: float
    north: float


def _squeeze(bits: int) -> int:
    """Every second bit of a number, from the lowest on."""
    return int(f"{bits:b}"[::-2][::-1], 2)


def column_and_row(cell: int) -> tuple[int, int]:
    """Column and row of the cell on its level's grid, counted from the south-west of the world."""
    half = _is_half(cell)
    bits = (cell ^ 1 << cell.bit_length() - 1) << half
    return _squeeze(bits >> 1), _squeeze(bits) >> half


@lru_cache(maxsize=8_192)  # a search looks at some thirty, mostly those of the one before
def box(cell: int) -> Box:
    """The cell's rectangle."""
    columns, rows = 1 << level(cell) + _is_half(cell), 1 << level(cell)
    column, row = column_and_row(cell)
    return Box(
        column * 360 / columns - 180,
        row * 180 / rows - 90,
        (column + 1) * 360 / columns - 180,
        (row + 1) * 180 / rows - 90,
    )


def cell_at(column: int, row: int, at_level: int) -> int:
    """The cell at a place of its level's grid; columns wrap round the world."""
    column %= 1 << at_level
    return (
        1 << 2 * at_level
        | (_SPREAD[column >> 9] << 18 | _SPREAD[column & 511]) << 1
        | _SPREAD[row >> 9] << 18
        | _SPREAD[row & 511]
    )


def geohash(finest: int, characters: int) -> str:
    """The geohash text of a level-18 cell, at most 7 characters.

    geohash2 puts points on a border on the other side than every other library, so it is given the
    middle of the bits' own rectangle, never the point.
    """
    bits = 5 * characters
    if not 0 < bits <= 2 * FINEST_LEVEL:
        raise ValueError(f"a geohash of {characters} characters is finer than the grid")
    west, south, east, north = box(finest >> 2 * FINEST_LEVEL - bits)
    text: str = geohash2.encode((south + north) / 2, (west + east) / 2, characters)
    return text


def geohash_prefix(text: str) -> tuple[int, int]:
    """The bits of a geohash and how many they are. Raises ValueError where the text is no geohash."""
    bits = 0
    for character in text:
        digit = "0123456789bcdefghjkmnpqrstuvwxyz".find(character)
        if digit < 0:
            raise ValueError(f"{text!r} is not a geohash")
        bits = bits << 5 | digit
    return bits, 5 * len(text)


class Circle(Struct, frozen=True):
    """A circle: a point and a radius in metres."""

    centre: LngLat
    radius_m: float

    def bounds(self) -> Box:
        """The rectangle round the circle; it may reach beyond 180 degrees, never beyond the poles."""
        up = degrees(self.radius_m / EARTH_RADIUS_M)
        lat = self.centre.lat
        widest = cos(radians(min(90.0, abs(lat) + up)))
        across = 180.0 if widest <= 0 else degrees(self.radius_m / EARTH_RADIUS_M) / widest
        across = min(180.0, across)
        lng = self.centre.lng
        return Box(lng - across, max(-90.0, lat - up), lng + across, min(90.0, lat + up))

    def may_touch(self, cell: int) -> bool:
        """Whether the circle may reach into the cell: never False where it does.

        The nearest point of a rectangle is taken to be the clamped one, which is right on a plane;
        half a percent and a metre pay for the sphere (checked against brute force in the tests).
        """
        rectangle = box(cell)
        lng = self.centre.lng
        if lng < rectangle.west:
            # The other way round the world may be shorter.
            lng = lng if rectangle.west - lng <= lng + 360 - rectangle.east else lng + 360
        elif lng > rectangle.east:
            lng = lng if lng - rectangle.east <= rectangle.west - (lng - 360) else lng - 360
        nearest = LngLat(
            min(max(lng, rectangle.west), rectangle.east),
            min(max(self.centre.lat, rectangle.south), rectangle.north),
        )
        return distance_m(self.centre, nearest) <= self.radius_m * 1.005 + 1


def cells_over(bounds: Box, at_level: int) -> Iterator[int]:
    """The cells of one level that touch a rectangle, which may reach beyond 180 degrees."""
    side = 1 << at_level
    first, last = (int((lng + 180) * side // 360) for lng in (bounds.west, bounds.east))
    low, high = (
        min(side - 1, int((lat + 90) * side // 180)) for lat in (bounds.south, bounds.north)
    )
    for column in range(first, min(last, first + side - 1) + 1):
        for row in range(low, high + 1):
            yield cell_at(column, row, at_level)


def geohash6(point: LngLat) -> str:
    """The geohash of six characters that a point is in: a cell of about 800 by 600 m in Paris."""
    return geohash(finest_cell(*to_e7(point)), 6)


def geohash_centre(text: str) -> LngLat:
    """The middle of a geohash's cell. Raises ValueError where the text is no geohash."""
    if not text:
        raise ValueError("'' is not a geohash")
    geohash_prefix(text)  # geohash2 itself fails on other characters with a KeyError
    lat, lng, _, _ = geohash2.decode_exactly(text)
    return LngLat(lng, lat)
