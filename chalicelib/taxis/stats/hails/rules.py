"""What is counted of the hails of a day, and the statistics that are made of it: pure (stats-and-ops 4, 6).

Of each day and each pair of operateur and town there is a row of sums, each under the number of its
measure: how many hails had which outcome, how far their taxis were, how long their steps took. The
numbers are stored, so a measure never gets another's.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import cache
from itertools import compress
from typing import NamedTuple

from msgspec import Struct

from chalicelib.foundation.geo import LngLat, distance_m, geohash6
from chalicelib.taxis.hails.rules import Hail, Status
from chalicelib.taxis.stats.calendar import THRESHOLD, Milestones, months_before
from chalicelib.taxis.stats.filters import Filter


class Outcome(StrEnum):
    """How a hail ended: its last status, of which `timeout_taxi` means two things (hail-lifecycle 2)."""

    FINISHED = "finished"
    DECLINED_BY_TAXI = "declined_by_taxi"
    DECLINED_BY_CUSTOMER = "declined_by_customer"
    TIMEOUT_TAXI = "timeout_taxi"  # the driver did not answer
    TIMEOUT_RIDE = "timeout_ride"  # the ride was never closed
    TIMEOUT_CUSTOMER = "timeout_customer"
    INCIDENT_TAXI = "incident_taxi"
    INCIDENT_CUSTOMER = "incident_customer"
    TIMEOUT_ACCEPTED_BY_CUSTOMER = "timeout_accepted_by_customer"
    FAILURE = "failure"


RIDE_AFTER = timedelta(hours=1)  # a `timeout_taxi` so long after the creation was a ride's

# Between which states `average_times` measures, in the contract's names.
STEPS: Mapping[str, tuple[Status, Status]] = {
    "accepted_by_taxi": (Status.RECEIVED_BY_TAXI, Status.ACCEPTED_BY_TAXI),
    "accepted_by_customer": (Status.ACCEPTED_BY_TAXI, Status.ACCEPTED_BY_CUSTOMER),
    "timeout_customer": (Status.ACCEPTED_BY_TAXI, Status.TIMEOUT_CUSTOMER),
    "declined_by_customer": (Status.ACCEPTED_BY_TAXI, Status.DECLINED_BY_CUSTOMER),
    "timeout_taxi": (Status.RECEIVED_BY_TAXI, Status.TIMEOUT_TAXI),
    "incident_taxi": (Status.ACCEPTED_BY_TAXI, Status.INCIDENT_TAXI),
    "customer_on_board_incident_taxi": (Status.CUSTOMER_ON_BOARD, Status.INCIDENT_TAXI),
    "customer_on_board": (Status.ACCEPTED_BY_TAXI, Status.CUSTOMER_ON_BOARD),
}

# Measures: outcomes are 0 to 15, in their order; then the distance; then two for each of `STEPS`.
_OUTCOMES = {outcome: number for number, outcome in enumerate(Outcome)}
_CENTIMETRES, _UNMEASURED = 16, 17  # `_UNMEASURED` hails have no distance
_STEPS = 32  # milliseconds, and how many hails took the step
_MEASURES = 64  # there can be

Row = Mapping[int, int]  # sums by measure; what is missing is 0
Pair = tuple[str, str]  # the operateur as an owner, and the town of the customer, `""` where none


# --- counting a day ------------------------------------------------------------------------------


class DayCount(Struct, frozen=True):
    """What is kept of a day's hails: rows of sums, and how many there were in each geohash-6 cell."""

    rows: Mapping[Pair, Row]
    heat: Mapping[str, int]

    @property
    def hail_count(self) -> int:
        """How many hails were counted."""
        return sum(self.heat.values())


def outcome(hail: Hail) -> Outcome:
    """How a hail ended. Raises ValueError where it is not over."""
    # The log of a hail begins with its creation, and nothing follows its last change of status.
    if (
        hail.status is Status.TIMEOUT_TAXI
        and hail.last_status_change - hail.created_at >= RIDE_AFTER
    ):
        return Outcome.TIMEOUT_RIDE
    return Outcome(hail.status.value)


def count(hails: Iterable[Hail], town_of: Callable[[LngLat], str]) -> DayCount | None:
    """Counts a day; None as soon as one of its hails is not over."""
    rows: dict[Pair, Counter[int]] = {}
    heat: Counter[str] = Counter()
    for hail in hails:
        if not hail.status.is_over:
            return None
        where = LngLat(hail.customer_lon, hail.customer_lat)
        row = rows.setdefault((str(hail.operateur_id), town_of(where)), Counter())
        for measure, value in _measured(hail):
            row[measure] += value
        heat[geohash6(where)] += 1
    return DayCount(rows, heat)


def _measured(hail: Hail) -> Iterator[tuple[int, int]]:
    yield _OUTCOMES[outcome(hail)], 1
    if hail.blurred:  # both points may be the same by now
        yield _UNMEASURED, 1
    else:
        customer = LngLat(hail.customer_lon, hail.customer_lat)
        taxi = LngLat(hail.initial_taxi_lon, hail.initial_taxi_lat)
        yield _CENTIMETRES, round(100 * distance_m(customer, taxi))
    entered = {entry.to_status: entry.at for entry in hail.transitions}
    for number, (begin, end) in enumerate(STEPS.values()):
        if begin in entered and end in entered:
            took = entered[end] - entered[begin]
            yield _STEPS + 2 * number, took // timedelta(milliseconds=1)
            yield _STEPS + 2 * number + 1, 1


# --- adding up -----------------------------------------------------------------------------------


class Column(NamedTuple):
    """The sums of one measure: `values` of the pairs at these `places`, which rise."""

    places: "array[int]"
    values: "array[int]"


class Sums(Struct, frozen=True):
    """A day's rows, or some of them, turned into a column for each measure.

    So five years of a whole country are added up in a second, without a step of Python for each sum.
    The pair at a place is `owners[owner_at[place]]` and `towns[town_at[place]]`.
    """

    owners: Sequence[str]
    towns: Sequence[str]
    owner_at: "array[int]"
    town_at: "array[int]"
    columns: Mapping[int, Column]

    @classmethod
    def of(cls, rows: Sequence[tuple[Pair, Row]]) -> "Sums":
        """The same rows in columns; at most 65,535."""
        owners = sorted({owner for (owner, _), _ in rows})
        towns = sorted({insee for (_, insee), _ in rows})
        owner_number = {owner: number for number, owner in enumerate(owners)}
        town_number = {insee: number for number, insee in enumerate(towns)}
        columns: dict[int, Column] = {}
        for place, (_, row) in enumerate(rows):
            for measure, value in row.items():
                column = columns.setdefault(measure, Column(array("H"), array("q")))
                column.places.append(place)
                column.values.append(value)
        return cls(
            owners,
            towns,
            array("H", (owner_number[owner] for (owner, _), _ in rows)),
            array("H", (town_number[insee] for (_, insee), _ in rows)),
            columns,
        )

    def totals(
        self, takes_owner: Callable[[str], bool], takes_town: Callable[[str], bool]
    ) -> dict[int, int]:
        """What the pairs that are taken come to, by measure."""
        owners = [*map(takes_owner, self.owners)]
        towns = [*map(takes_town, self.towns)]
        if all(owners) and all(towns):
            return {measure: sum(column.values) for measure, column in self.columns.items()}
        taken = [
            owners[owner] and towns[town]
            for owner, town in zip(self.owner_at, self.town_at, strict=True)
        ]
        if not any(taken):
            return {}
        return {
            measure: sum(compress(column.values, map(taken.__getitem__, column.places)))
            for measure, column in self.columns.items()
        }


class History(Struct, frozen=True):
    """Sums over all pairs that were asked for: of each day that had hails, and of all time (steps)."""

    days: Mapping[date, Sequence[int]]
    all_time: Sequence[int]

    @classmethod
    def of(cls, sums: Iterable[tuple[date, Sums]], filters: Filter) -> "History":
        """What is asked for of these days, of which each may come in parts."""
        takes_owner, takes_town = cache(filters.takes_owner), cache(filters.takes_town)
        days: dict[date, list[int]] = {}
        all_time = [0] * _MEASURES
        for day, its_sums in sums:
            for measure, total in its_sums.totals(takes_owner, takes_town).items():
                if measure >= _STEPS:
                    all_time[measure] += total
                elif total:
                    days.setdefault(day, [0] * _STEPS)[measure] += total
        return cls(days, all_time)

    def hails(self, *outcomes: Outcome) -> dict[date, int]:
        """How many hails of each day ended so, or any of them; days without are left out."""
        measures = [_OUTCOMES[one] for one in outcomes]
        counts = {day: sum(row[each] for each in measures) for day, row in self.days.items()}
        return {day: n for day, n in counts.items() if n}

    def hail_count(self, since: date, until: date) -> int:
        """How many hails were created from a day on, before another."""
        return _within(self.hails(*Outcome), since, until)

    def mean_distance_m(self, since: date, until: date) -> int:
        """How far their taxis were on average, in whole metres, cut off; 0 where there were none."""
        rows = [row for day, row in self.days.items() if since <= day < until]
        measured = sum(sum(row[: len(Outcome)]) - row[_UNMEASURED] for row in rows)
        return sum(row[_CENTIMETRES] for row in rows) // (100 * measured) if measured else 0

    def mean_step_s(self, step: str) -> float | None:
        """How many seconds a step of `STEPS` took on average; None where nobody took it."""
        place = _STEPS + 2 * list(STEPS).index(step)
        milliseconds, n = self.all_time[place : place + 2]
        return milliseconds / 1000 / n if n else None


def _within(counts: Mapping[date, int], since: date, until: date) -> int:
    return sum(n for day, n in counts.items() if since <= day < until)


# --- the statistics ------------------------------------------------------------------------------

RECEIVED = "hails_received"

# Of which outcomes there are means, in the contract's names; `total` is of all.
AVERAGED: Mapping[str, tuple[Outcome, ...]] = {
    "total": tuple(Outcome),
    **{
        each.value: (each,)
        for each in (
            Outcome.TIMEOUT_CUSTOMER,
            Outcome.DECLINED_BY_CUSTOMER,
            Outcome.INCIDENT_TAXI,
            Outcome.DECLINED_BY_TAXI,
        )
    },
}

PERIODS: Mapping[str, Callable[[date], Hashable]] = {
    "daily": lambda day: day,
    "weekly": lambda day: day.isocalendar()[:2],
    "monthly": lambda day: (day.year, day.month),
}

Averages = Mapping[str, Mapping[str, Mapping[str, float]]]


class HailStatistics(Struct, frozen=True):
    """What GET /stats/hails tells, of days that are over (letaxi-api 19).

    `milestones` by the contract's names; `total` has pairs of month (1 to 12) and number, for months
    with hails, in `current_year` and `last_year`; `averages` are by span, period and series;
    `average_times` are seconds, None where nobody took the step.
    """

    milestones: Mapping[str, Milestones[int]]
    average_hail_distance: Milestones[int]
    total: Mapping[str, Sequence[tuple[int, int]]]
    averages: Averages
    average_times: Mapping[str, float | None]


def statistics(history: History, *, now: datetime) -> HailStatistics:
    """The statistics of what was counted. Today, in UTC, is left out, for it is not over."""
    now = now.astimezone(UTC)
    today = now.date()
    new_year = today.replace(month=1, day=1)
    last_new_year = new_year.replace(year=today.year - 1)
    received = history.hails(*Outcome)
    series = {RECEIVED: received} | {f"hails_{each}": history.hails(each) for each in Outcome}
    spans = {
        "last_three_months": (months_before(now, 3).date(), today),
        "current_year": (new_year, today),
        "last_year": (last_new_year, new_year),
    }
    averaged = {name: history.hails(*outcomes) for name, outcomes in AVERAGED.items()}
    return HailStatistics(
        milestones={name: _at_milestones(counts, now) for name, counts in series.items()},
        average_hail_distance=Milestones.at(
            now, lambda at: history.mean_distance_m(THRESHOLD.date(), at.date())
        ),
        total={
            "current_year": _by_month(received, new_year, today),
            "last_year": _by_month(received, last_new_year, new_year),
        },
        averages={
            span: {
                period: {name: _mean(counts, since, until, by) for name, counts in averaged.items()}
                for period, by in PERIODS.items()
            }
            for span, (since, until) in spans.items()
        },
        average_times={step: history.mean_step_s(step) for step in STEPS},
    )


def _at_milestones(counts: Mapping[date, int], now: datetime) -> Milestones[int]:
    return Milestones.at(now, lambda at: _within(counts, THRESHOLD.date(), at.date()))


def _by_month(counts: Mapping[date, int], since: date, until: date) -> list[tuple[int, int]]:
    months: Counter[int] = Counter()
    for day, n in counts.items():
        if since <= day < until:
            months[day.month] += n
    return sorted(months.items())


def _mean(
    counts: Mapping[date, int], since: date, until: date, period: Callable[[date], Hashable]
) -> float:
    """The mean number in the periods that have any; 0 where none has."""
    periods = {period(day) for day in counts if since <= day < until}
    return _within(counts, since, until) / len(periods) if periods else 0.0


def growth(history: History, *, now: datetime) -> float | None:
    """By how many percent the last full month had more hails than the same month a year before.

    None where there were none then.
    """
    this_month = now.astimezone(UTC).replace(day=1)
    until, since, year_until, year_since = (
        months_before(this_month, months).date() for months in (0, 1, 12, 13)
    )
    before = history.hail_count(year_since, year_until)
    return 100 * (history.hail_count(since, until) - before) / before if before else None


def heaviest(days: Iterable[Mapping[str, int]], most: int) -> list[tuple[str, int]]:
    """The cells of most hails, at most so many, heaviest first."""
    heat = Counter[str]()
    for cells in days:
        heat.update(cells)
    return sorted(heat.items(), key=lambda cell: (-cell[1], cell[0]))[:most]


def months(first: date, last: date) -> list[str]:
    """The names (`2026-03`) of the months from one day's to another's."""
    numbers = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    return [f"{number // 12}-{number % 12 + 1:02}" for number in numbers]
