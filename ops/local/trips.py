"""Recorded trips, and the position along them at a time: pure."""

import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

from ops import reading
from ops.errors import CannotGoOn

POINT_EVERY_S = 15.0  # of the Porto recording (ECML/PKDD 2015 taxi challenge)

LonLat = tuple[float, float]


class TripsUnreadable(CannotGoOn):
    """The file is no recording; names the line and the reason."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Trip:
    """A way driven: points in degrees, one each `POINT_EVERY_S` seconds, at least two.

    `line` is where it stands in its file, 0 in none.
    """

    points: tuple[LonLat, ...]
    line: int = 0

    @property
    def duration_s(self) -> float:
        """From the first point to the last."""
        return (len(self.points) - 1) * POINT_EVERY_S

    def at(self, elapsed_s: float, *, again: bool = False) -> LonLat:
        """Where the car is: it waits at the end, or drives there and back `again` without end."""
        if again:
            phase = elapsed_s % (2 * self.duration_s)
            elapsed_s = min(phase, 2 * self.duration_s - phase)
        place = min(elapsed_s, self.duration_s) / POINT_EVERY_S
        before = min(int(place), len(self.points) - 2)
        part = place - before
        (lon1, lat1), (lon2, lat2) = self.points[before], self.points[before + 1]
        return lon1 + (lon2 - lon1) * part, lat1 + (lat2 - lat1) * part


def read(path: Path, *, most: int | None = None) -> list[Trip]:
    """The first trips of a CSV file with a column `polyline` of JSON [[lon, lat], ...].

    A recording of fewer than two points went nowhere and is left out. Raises TripsUnreadable.
    """
    try:
        return list(islice((trip for trip in _trips(path) if len(trip.points) > 1), most))
    except CannotGoOn as error:
        raise TripsUnreadable(str(error)) from error


def _trips(path: Path) -> Iterator[Trip]:
    for line, row in reading.rows(path, ("polyline",)):
        try:
            points = json.loads(row["polyline"])
            if not isinstance(points, list):
                raise reading.Fault("it is no list")
            yield Trip(tuple(map(reading.lng_lat, points)), line)
        except (ValueError, RecursionError, reading.Fault) as error:
            raise reading.FileRefused(
                path, line, f"polyline must be a JSON list of [lon, lat]: {error}"
            ) from error


def shifted(trips: Sequence[Trip], by: LonLat) -> list[Trip]:
    """The same trips elsewhere: every point moved by so many degrees. Raises TripsUnreadable."""
    moved = [
        Trip(tuple((lon + by[0], lat + by[1]) for lon, lat in trip.points), trip.line)
        for trip in trips
    ]
    for trip in moved:
        for lon, lat in trip.points:
            if not (-180 <= lon <= 180 and -85 <= lat <= 85):
                raise TripsUnreadable(
                    f"--shift moves a point off the map, to {lon:.5f},{lat:.5f}; it is added to the "
                    "recording's own longitude and latitude."
                )
    return moved


def along(points: Sequence[LonLat], *, step_m: float) -> Trip:
    """A drawn way as a trip: points about `step_m` metres apart, on straight lines between them."""
    lengths = [0.0]
    for (lon1, lat1), (lon2, lat2) in pairwise(points):
        # A plane is near enough for streets: a degree is 111 km, of longitude 73 km in Paris.
        lengths.append(
            lengths[-1] + (((lon2 - lon1) * 73_000) ** 2 + ((lat2 - lat1) * 111_000) ** 2) ** 0.5
        )
    steps = max(1, round(lengths[-1] / step_m))
    found = []
    for step in range(steps + 1):
        length = lengths[-1] * step / steps
        before = min(bisect_right(lengths, length), len(points) - 1) - 1
        part = (length - lengths[before]) / (lengths[before + 1] - lengths[before])
        (lon1, lat1), (lon2, lat2) = points[before], points[before + 1]
        found.append((lon1 + (lon2 - lon1) * part, lat1 + (lat2 - lat1) * part))
    return Trip(tuple(found))
