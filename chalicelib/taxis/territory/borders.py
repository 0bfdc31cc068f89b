"""Polygon borders in whole 1e-7 degrees: exact point-in-polygon tests and their binary format. Pure.

A point on a border is inside. All arithmetic is on integers, so that nothing is ever rounded: two
points a centimetre apart are told apart, and a corner shared by three towns is in all three.
"""

import zlib
from array import array
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import accumulate
from math import gcd
from typing import NamedTuple

from msgspec import Struct

from chalicelib.foundation.geo import E7Point


class Path(NamedTuple):
    """Points joined by straight edges; a ring ends where it began."""

    xs: "array[int]"
    ys: "array[int]"


class Outline(Struct, frozen=True, dict=True):
    """A polygon's rings, outer one first; or only those of its edges that a ray can meet.

    The ray leaves the point in question along its parallel, to the east or to the west. A tile
    keeps whole edges, never cut at its border, since a cut moves them by a fraction of a unit.
    """

    paths: tuple[Path, ...]
    eastward: bool = True

    @cached_property
    def _south_north_far(self) -> tuple[int, int, int]:
        south = min(min(path.ys) for path in self.paths)
        north = max(max(path.ys) for path in self.paths)
        if self.eastward:
            return south, north, max(max(path.xs) for path in self.paths)
        return south, north, min(min(path.xs) for path in self.paths)

    def covers(self, point: E7Point) -> bool:
        """Whether the point is inside or on the border (even-odd rule)."""
        x, y = point
        south, north, far = self._south_north_far
        if not south <= y <= north or (x > far if self.eastward else x < far):
            return False
        crossed = 0
        for path in self.paths:
            met = _crossings(path, x, y, eastward=self.eastward)
            if met is None:
                return True
            crossed += met
        return crossed % 2 == 1


def _crossings(path: Path, x: int, y: int, *, eastward: bool) -> int | None:
    """How many edges a ray from the point crosses; None where the point is on one of them.

    An edge is crossed where one end is above the ray and the other is not, which counts a corner
    on the ray once or twice as it must. Only the first corner of each edge is compared with the
    point: every corner near a tile is the first of an edge that the tile keeps.
    """
    crossed = 0
    points = zip(path.xs, path.ys, strict=True)
    xa, ya = next(points)
    above = ya > y
    for xb, yb in points:
        if (yb > y) != above:
            above = not above
            # Positive where the point is to the left of an edge that goes up.
            turn = (xb - xa) * (y - ya) - (x - xa) * (yb - ya)
            if turn == 0:
                return None
            if (turn > 0) == (above == eastward):
                crossed += 1
        elif ya == y and (xa == x or (yb == y and (xa < x) != (xb < x))):
            return None
        xa, ya = xb, yb
    return crossed


Shape = tuple[Outline, ...]  # the polygons of a town or of an exclusion


def covers(shape: Shape, point: E7Point) -> bool:
    """Whether any of the polygons covers the point."""
    return any(outline.covers(point) for outline in shape)


def pack(outlines: Sequence[Outline]) -> bytes:
    """The outlines as bytes; `unpack` reads them back.

    Differences from point to point, counted in the greatest unit that all coordinates share (1,000
    for a map of four decimals), as numbers of seven bits a byte, deflated.
    """
    paths = [path for outline in outlines for path in outline.paths]
    unit = gcd(*(gcd(*path.xs, *path.ys) for path in paths)) or 1
    numbers = [unit]
    x = y = 0
    for outline in outlines:
        numbers.append(len(outline.paths) << 1 | outline.eastward)
        for path in outline.paths:
            numbers.append(len(path.xs))
            for next_x, next_y in zip(path.xs, path.ys, strict=True):
                numbers.append(_folded((next_x - x) // unit))
                numbers.append(_folded((next_y - y) // unit))
                x, y = next_x, next_y
    return zlib.compress(_sevens(numbers), 9)


def unpack(packed: bytes) -> Shape:
    """The outlines of `pack`."""
    numbers = _numbers(zlib.decompress(packed))
    unit = numbers[0]
    outlines = []
    x = y = 0
    place = 1
    while place < len(numbers):
        count, eastward = numbers[place] >> 1, numbers[place] & 1
        place += 1
        paths = []
        for _ in range(count):
            first, place = place + 1, place + 1 + 2 * numbers[place]
            xs = array("i", accumulate(_steps(numbers[first:place:2], unit, x)))
            ys = array("i", accumulate(_steps(numbers[first + 1 : place : 2], unit, y)))
            x, y = xs[-1], ys[-1]
            paths.append(Path(xs, ys))
        outlines.append(Outline(tuple(paths), bool(eastward)))
    return tuple(outlines)


def _folded(number: int) -> int:
    """A signed number as one from 0 on: small where the number is near 0."""
    return number << 1 if number >= 0 else ~number << 1 | 1


def _steps(folded: Sequence[int], unit: int, start: int) -> list[int]:
    """The differences of one path's coordinates, the first of them from 0."""
    steps = [unit * (number >> 1 ^ -(number & 1)) for number in folded]
    steps[0] += start
    return steps


def _sevens(numbers: Iterable[int]) -> bytes:
    """Numbers from 0 on as groups of seven bits, lowest first; the last group's high bit is 0."""
    packed = bytearray()
    for number in numbers:
        while number > 127:
            packed.append(number & 127 | 128)
            number >>= 7  # noqa: PLW2901  # eaten from its low end
        packed.append(number)
    return bytes(packed)


def _numbers(packed: bytes) -> list[int]:
    """The numbers of `_sevens`."""
    numbers = []
    number = shift = 0
    for byte in packed:
        number |= (byte & 127) << shift
        if byte > 127:
            shift += 7
        else:
            numbers.append(number)
            number = shift = 0
    return numbers
