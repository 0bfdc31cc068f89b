"""Counts of searches, and the statistics made of them: pure [contract: Search statistics] [contract: Figures of the statistics].

Counts only grow by addition, so that they may be added in any order and any division: by shard, by
departement, by day.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple

from msgspec import Struct

from chalicelib.foundation.packing import Table
from chalicelib.taxis.search.rules import Search
from chalicelib.taxis.territory.rules import departement_of

# How many hours before its report reached the stream a search may have been, to be counted in its
# own hour. Then no sheet changes later than this and a day (the stream's retention) after its day.
LATE_HOURS = 1

# A day that ended so long ago has all its reports counted: `LATE_HOURS`, the day that a report may
# wait in the stream, and an hour for the clocks.
COMPLETE_AFTER = timedelta(hours=26)

_EPOCH = date(1970, 1, 1)


class Figure(StrEnum):
    """What is counted of a search: of each of them how often which value came in which town."""

    FOUND = "found"  # taxis
    SEEN = "seen"  # taxis whose radius reached the customer
    NEAREST_M = "nearest_m"  # metres to the nearest of those found, where one was
    HOUR = "hour"  # of the day, 0 to 23, UTC
    MOTEUR = "moteur"  # the account's id
    CELL = "cell"  # always 0, for a geohash of 6 characters instead of a town


# How many searches had which value of a figure, in which place.
Counts = Counter[tuple[Figure, str, int]]


class Count(Struct, frozen=True):
    """One of the counts, as a sheet keeps it."""

    figure: Figure
    place: str
    value: int
    times: int


def rows(counts: Counts) -> Table[Count]:
    """Counts as a sheet keeps them."""
    return Table(Count(*key, times) for key, times in sorted(counts.items()))


def counts_of(rows: Iterable[Count]) -> Counts:
    """Counts as a sheet kept them; a value may be in several rows."""
    counts = Counts()
    for row in rows:
        counts[row.figure, row.place, row.value] += row.times
    return counts


def count_searches(searches: Iterable[Search]) -> Counts:
    """The counts of some searches."""
    counts = Counts()
    for search in searches:
        town = search.insee
        counts[Figure.FOUND, town, search.found] += 1
        counts[Figure.SEEN, town, search.seen] += 1
        if search.nearest_m is not None:
            counts[Figure.NEAREST_M, town, search.nearest_m] += 1
        counts[Figure.HOUR, town, search.hour % 24] += 1
        counts[Figure.MOTEUR, town, search.moteur] += 1
        counts[Figure.CELL, search.geohash, 0] += 1
    return counts


def total(counts: Counts) -> int:
    """How many searches the counts are of."""
    return sum(times for (figure, _, _), times in counts.items() if figure is Figure.MOTEUR)


class Place(NamedTuple):
    """The sheet that a search is counted in: its day, and the departement of its town."""

    day: date
    departement: str


def timely(search: Search, *, arrival_hour: int) -> Search:
    """A search as it is counted, of a report that reached the stream in an hour.

    It is moved into that hour where its own is too long ago (`LATE_HOURS`: a process that was
    frozen) or in the future. It follows from the record alone, so that a record which comes twice
    finds the same sheets.
    """
    if arrival_hour - LATE_HOURS <= search.hour <= arrival_hour:
        return search
    return search._replace(hour=arrival_hour)


def place_of(search: Search) -> Place:
    """Where a search is counted."""
    return Place(_EPOCH + timedelta(days=search.hour // 24), departement_of(search.insee))


def percentile(histogram: Mapping[int, int], part: float) -> float | None:
    """The value below which a part (0 to 1) of all values lies, as SQL's `percentile_cont` has it.

    Between two values it is interpolated; None of an empty histogram. `statistics.quantiles` gives
    the same, of values one by one.
    """
    values = sorted(histogram)
    ends = list(accumulate(histogram[value] for value in values))
    if not ends or ends[-1] == 0:
        return None
    place = part * (ends[-1] - 1)
    before = int(place)
    low = values[bisect_right(ends, before)]
    high = values[bisect_right(ends, min(before + 1, ends[-1] - 1))]
    return low + (place - before) * (high - low)


class SearchQuartiles(Struct, frozen=True):
    """Quartiles over all searches, in the contract's names; None where nothing was searched.

    The nearest taxi's are in metres, over the searches that found one.
    """

    taxis_found_25: float | None = None
    taxis_found_50: float | None = None
    taxis_found_75: float | None = None
    taxis_seen_25: float | None = None
    taxis_seen_50: float | None = None
    taxis_seen_75: float | None = None
    closest_taxi_25: float | None = None
    closest_taxi_50: float | None = None
    closest_taxi_75: float | None = None


def quartiles(counts: Iterable[Count]) -> SearchQuartiles:
    """The quartiles over all towns that are counted."""
    histograms = {figure: Counter[int]() for figure in Figure}
    for count in counts:
        histograms[count.figure][count.value] += count.times
    return SearchQuartiles(
        *(
            percentile(histograms[figure], part)
            for figure in (Figure.FOUND, Figure.SEEN, Figure.NEAREST_M)
            for part in (0.25, 0.5, 0.75)
        )
    )
