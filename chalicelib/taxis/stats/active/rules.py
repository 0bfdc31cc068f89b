"""Counts of taxis on the road, each minute, hour, day and week: pure [contract: Taxis on the road]."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from msgspec import Struct

from chalicelib.foundation.packing import Table
from chalicelib.foundation.values import replace
from chalicelib.taxis.stats.filters import Filter
from chalicelib.taxis.stats.heat import Cell

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class ActiveTaxi(Struct, frozen=True):
    """A taxi that reported: its number (`positions.codec.number_of`), its licence's town, its operator,
    whether it was free."""

    number: int
    insee: str
    owner: str
    free: bool


# Taxis by number.
Fleet = Mapping[int, ActiveTaxi]


class Tally(Struct, frozen=True):
    """How many taxis of a town and operator reported, and how many of them were free."""

    insee: str
    owner: str
    active: int
    free: int


def tallies(taxis: Iterable[ActiveTaxi]) -> list[Tally]:
    """The tallies of taxis of which each is given once; there is none of nothing."""
    active, free = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for taxi in taxis:
        active[taxi.insee, taxi.owner] += 1
        free[taxi.insee, taxi.owner] += taxi.free
    return [Tally(*place, count, free[place]) for place, count in sorted(active.items())]


class Minute(Struct, frozen=True):
    """The tallies of the taxis that reported in a minute."""

    at: datetime
    tallies: Table[Tally]


class HeatMap(Struct, frozen=True):
    """Where the taxis were that reported in a minute."""

    at: datetime
    cells: Table[Cell]


class ActiveCounts(Struct, frozen=True, dict=True):
    """The taxis of some time by town and operator; what there is no tally of counts 0.

    Whole territories count every taxi, an operator's own figures only the free ones, as the
    reference does: so an operator may see 0 where the total is 1. A zone is asked for by its member
    towns.
    """

    tallies: Sequence[Tally]

    @cached_property
    def _by_town(self) -> Mapping[str, list[Tally]]:
        towns: dict[str, list[Tally]] = {}
        for tally in self.tallies:
            towns.setdefault(tally.insee, []).append(tally)
        return towns

    def in_towns(self, insees: Iterable[str]) -> int:
        """Taxis with a licence of one of the towns."""
        return sum(tally.active for insee in insees for tally in self._by_town.get(insee, ()))

    def of_operator(self, owner: str, insees: Iterable[str]) -> int:
        """The operator's free taxis with a licence of one of the towns."""
        return sum(
            tally.free
            for insee in insees
            for tally in self._by_town.get(insee, ())
            if tally.owner == owner
        )

    def within(self, filters: Filter) -> int:
        """Taxis of the towns and operators that are asked for."""
        return sum(tally.active for tally in filters.among(self.tallies))


# --- who has been seen --------------------------------------------------------------------------


def unite(taxis: Iterable[ActiveTaxi]) -> dict[int, ActiveTaxi]:
    """Each taxi once, of sightings that are given oldest first.

    A taxi that was free in one of them was free, and counts for the town and operator that it had
    in the last one: a licence that moves to another town is counted once.
    """
    seen: dict[int, ActiveTaxi] = {}
    for taxi in taxis:
        before = seen.get(taxi.number)
        was_free = before is not None and before.free
        seen[taxi.number] = replace(taxi, free=True) if was_free and not taxi.free else taxi
    return seen


def newcomers(found: Fleet, seen: Fleet) -> list[ActiveTaxi]:
    """The found taxis that had not been seen before, or not been seen free."""
    return [
        taxi
        for number, taxi in found.items()
        if number not in seen or (taxi.free and not seen[number].free)
    ]


# --- hours and days, in UTC ---------------------------------------------------------------------


class Span(StrEnum):
    """The spans that distinct taxis are counted over. A week is any seven days, named by the last."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


def hour_of(moment: datetime) -> datetime:
    """The beginning of the moment's hour."""
    return moment.replace(minute=0, second=0, microsecond=0)


def day_of(moment: datetime) -> datetime:
    """The beginning of the moment's day."""
    return hour_of(moment).replace(hour=0)


class TownSum(Struct, frozen=True):
    """How many taxis of a town and operator reported in some hours together."""

    insee: str
    owner: str
    active: int


class HourOfDay(Struct, frozen=True):
    """One hour of the day (0-23) over all days that were counted, of some of the towns.

    `last` is the newest hour that is in the sums, `hours` is how many there are.
    """

    last: datetime
    hours: int
    sums: Table[TownSum]

    def mean(self, filters: Filter) -> float:
        """Taxis an hour, of the towns and operators that are asked for."""
        return sum(one.active for one in filters.among(self.sums)) / self.hours


def with_hour(
    before: HourOfDay | None, hour: datetime, tallies: Iterable[Tally]
) -> HourOfDay | None:
    """The sums with one more hour; None where that hour is not newer than the last one."""
    if before is not None and hour <= before.last:
        return None
    sums = Counter({(one.insee, one.owner): one.active for one in (before.sums if before else ())})
    for tally in tallies:
        sums[tally.insee, tally.owner] += tally.active
    return HourOfDay(
        hour,
        before.hours + 1 if before else 1,
        Table(TownSum(*place, active) for place, active in sorted(sums.items())),
    )
