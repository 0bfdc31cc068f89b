"""What is counted of searches, and what is read out of the counts: pure (stats-and-ops 4.1, 6).

Counts only grow by addition, so that they may be added in any order and any division: by shard, by
departement, by day.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from itertools import accumulate
from typing import NamedTuple

from msgspec import Struct, field

from chalicelib.taxis.stats.filters import Filter
from chalicelib.taxis.territory.rules import departement_of

# How many hours before its report reached the stream a search may have been, to be counted in its
# own hour. Then no sheet changes later than this and a day (the stream's retention) after its day.
LATE_HOURS = 1

# A day that ended so long ago has all its reports counted: `LATE_HOURS`, the day that a report may
# wait in the stream, and an hour for the clocks.
COMPLETE_AFTER = timedelta(hours=26)


class Search(NamedTuple):
    """A search that reached a town. No more is kept of where the customer was than `geohash`.

    `hour` is Unix time in hours, `moteur` the account's id, `nearest_m` whole metres to the nearest
    of those found, `geohash` has 6 characters.
    """

    hour: int
    insee: str
    moteur: int
    found: int
    seen: int
    nearest_m: int | None
    geohash: str


_EPOCH = date(1970, 1, 1)

Histogram = Counter[int]  # how often each value came


class TownCounts(Struct, frozen=True):
    """The searches in one town: taxis found and seen, metres to the nearest, and hours of the day."""

    found: Histogram = field(default_factory=Counter)
    seen: Histogram = field(default_factory=Counter)
    nearest_m: Histogram = field(default_factory=Counter)
    hours: Histogram = field(default_factory=Counter)  # 0 to 23, UTC

    def add(self, other: "TownCounts") -> None:
        """Adds another's counts to these."""
        self.found.update(other.found)
        self.seen.update(other.seen)
        self.nearest_m.update(other.nearest_m)
        self.hours.update(other.hours)


class Counts(Struct, frozen=True):
    """Searches by town, by account and town, and by geohash of 6 characters."""

    towns: dict[str, TownCounts] = field(default_factory=dict)
    moteurs: Counter[tuple[int, str]] = field(default_factory=Counter)
    cells: Counter[str] = field(default_factory=Counter)

    @property
    def searches(self) -> int:
        """How many they are."""
        return self.moteurs.total()

    def note(self, search: Search) -> None:
        """Counts one search."""
        town = self.towns.get(search.insee)
        if town is None:
            town = self.towns[search.insee] = TownCounts()
        town.found[search.found] += 1
        town.seen[search.seen] += 1
        if search.nearest_m is not None:
            town.nearest_m[search.nearest_m] += 1
        town.hours[search.hour % 24] += 1
        self.moteurs[search.moteur, search.insee] += 1
        self.cells[search.geohash] += 1

    def add(self, other: "Counts") -> None:
        """Adds another's counts to these; the other must not be used any more."""
        add_towns(self.towns, other.towns)
        self.moteurs.update(other.moteurs)
        self.cells.update(other.cells)


def add_towns(to: dict[str, TownCounts], more: Mapping[str, TownCounts]) -> None:
    """Adds the counts of some towns to those of others; what is new is taken over as it is."""
    for insee, counts in more.items():
        if insee in to:
            to[insee].add(counts)
        else:
            to[insee] = counts


class Place(NamedTuple):
    """Which sheet a search is counted in: its day, and the departement of its town."""

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

    Between two values it is interpolated; None of an empty histogram.
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


def quartiles(towns: Mapping[str, TownCounts], filters: Filter) -> SearchQuartiles:
    """The quartiles over the towns that are asked for."""
    total = TownCounts()
    for insee, counts in towns.items():
        if filters.takes_town(insee):
            total.add(counts)
    return SearchQuartiles(
        *(
            percentile(histogram, part)
            for histogram in (total.found, total.seen, total.nearest_m)
            for part in (0.25, 0.5, 0.75)
        )
    )


def top_moteurs(
    moteurs: Mapping[tuple[int, str], int], filters: Filter, *, size: int
) -> list[tuple[int, int]]:
    """The accounts that searched most in the towns asked for, most first, and how often."""
    totals: Counter[int] = Counter()
    for (moteur, insee), times in moteurs.items():
        if filters.takes_town(insee):
            totals[moteur] += times
    return sorted(totals.items(), key=lambda one: (-one[1], one[0]))[:size]


def heaviest(cells: Mapping[str, int], *, size: int) -> list[tuple[str, int]]:
    """The cells that were searched most, most first, and how often."""
    return sorted(cells.items(), key=lambda one: (-one[1], one[0]))[:size]


def days(first: date, last: date) -> Iterator[date]:
    """The days from one to another, both included; none where the last comes first."""
    return (first + timedelta(days=one) for one in range((last - first).days + 1))


def counted(searches: Iterable[Search]) -> Counts:
    """The counts of some searches."""
    counts = Counts()
    for search in searches:
        counts.note(search)
    return counts
