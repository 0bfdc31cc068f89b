"""What is counted of the taxis that report, each minute, hour, day and week: pure (stats-and-ops 3)."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from msgspec import Struct

from chalicelib.foundation import geo
from chalicelib.foundation.geo import LngLat
from chalicelib.foundation.values import replace
from chalicelib.taxis.stats.filters import Filter

HEATED_CELLS = 20_000  # of the map of taxis: the heaviest

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class ActiveTaxi(NamedTuple):
    """A taxi that reported: its licence's town, its operator, whether it was free."""

    insee: str
    owner: str
    free: bool


# Taxis by number (`positions.codec.number_of`), each once.
Fleet = Mapping[int, ActiveTaxi]


# --- rows ---------------------------------------------------------------------------------------


class Tally(NamedTuple):
    """How many taxis reported, and how many of them were free."""

    active: int
    free: int


# By town of the licence and operator. There is no row of nothing.
Rows = Mapping[tuple[str, str], Tally]

NONE = Tally(0, 0)


def rows(taxis: Collection[ActiveTaxi]) -> Rows:
    """The rows of taxis of which each is given once."""
    active = Counter((taxi.insee, taxi.owner) for taxi in taxis)
    free = Counter((taxi.insee, taxi.owner) for taxi in taxis if taxi.free)
    return {key: Tally(count, free[key]) for key, count in active.items()}


class ActiveCounts(Struct, frozen=True, dict=True):
    """The counters of some time by town, zone and operator; what there is no row of counts 0.

    Whole territories count every taxi, an operator's own figures only the free ones, as the
    reference does: so an operator may see 0 where the total is 1. A zone is asked for by its member
    towns.
    """

    rows: Rows

    @cached_property
    def _towns(self) -> Counter[str]:
        towns: Counter[str] = Counter()
        for (insee, _), tally in self.rows.items():
            towns[insee] += tally.active
        return towns

    def in_town(self, insee: str) -> int:
        """Taxis with a licence of the town."""
        return self._towns[insee]

    def in_zone(self, members: Iterable[str]) -> int:
        """Taxis with a licence of any town of the zone."""
        return sum(map(self.in_town, members))

    def of_operator_in_town(self, owner: str, insee: str) -> int:
        """The operator's free taxis with a licence of the town."""
        return self.rows.get((insee, owner), NONE).free

    def of_operator_in_zone(self, owner: str, members: Iterable[str]) -> int:
        """The operator's free taxis with a licence of any town of the zone."""
        return sum(self.of_operator_in_town(owner, insee) for insee in members)

    def within(self, filters: Filter) -> int:
        """Taxis of the towns and operators that are asked for."""
        return sum(tally.active for key, tally in self.rows.items() if filters.takes(*key))


# --- who has been seen --------------------------------------------------------------------------


def united(fleets: Iterable[Fleet]) -> dict[int, ActiveTaxi]:
    """The taxis of any of the fleets, given oldest first.

    A taxi that was free in one of them was free, and counts for the town and operator that it had
    in the last one: a licence that moves to another town is counted once.
    """
    seen: dict[int, ActiveTaxi] = {}
    for fleet in fleets:
        for number, taxi in fleet.items():
            before = seen.get(number)
            was_free = before is not None and before.free
            seen[number] = taxi._replace(free=True) if was_free and not taxi.free else taxi
    return seen


def newcomers(found: Fleet, seen: Fleet) -> Fleet:
    """Those of the taxis found that have not been seen before, or not been seen free."""
    return {
        number: taxi
        for number, taxi in found.items()
        if number not in seen or (taxi.free and not seen[number].free)
    }


# --- the map ------------------------------------------------------------------------------------


def heat(points: Iterable[LngLat]) -> dict[str, int]:
    """How many points each geohash of six characters holds; the `HEATED_CELLS` heaviest, heaviest first."""
    return dict(Counter(map(geo.geohash6, points)).most_common(HEATED_CELLS))


# --- hours and days, in UTC ---------------------------------------------------------------------


class Span(StrEnum):
    """What distinct taxis are counted over. A week is any seven days, named by the last."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


def hour_of(moment: datetime) -> datetime:
    """When the moment's hour began."""
    return moment.replace(minute=0, second=0, microsecond=0)


def day_of(moment: datetime) -> datetime:
    """When the moment's day began."""
    return hour_of(moment).replace(hour=0)


class HourOfDay(Struct, frozen=True):
    """One hour of the day (0-23) over all days that were counted, of some of the towns.

    `last` is the newest hour folded in, None while there is none; `hours` how many there are; `sums`
    how many taxis reported in all of them together, by town and operator.
    """

    last: datetime | None
    hours: int
    sums: Mapping[tuple[str, str], int]

    def with_hour(self, hour: datetime, counted: Rows) -> "HourOfDay":
        """The same with one more hour; as it is where that hour is not newer than the last one."""
        if self.last is not None and hour <= self.last:
            return self
        sums = Counter(self.sums)
        for key, tally in counted.items():
            sums[key] += tally.active
        return replace(self, last=hour, hours=self.hours + 1, sums=sums)

    def mean(self, filters: Filter) -> float:
        """Taxis an hour, of the towns and operators that are asked for."""
        total = sum(count for key, count in self.sums.items() if filters.takes(*key))
        return total / self.hours


NO_HOUR = HourOfDay(None, 0, {})
