"""Sums of a day's hails by operateur and town, and their addition over days: pure [contract: Counted hails] [contract: Figures of the statistics].

Of each day and each pair of operateur and town there are sums by measure: how many hails had which
outcome, how far their taxis were, how long their steps took.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from itertools import compress

from msgspec import Struct

from chalicelib.foundation.geo import LngLat, distance_m, geohash6
from chalicelib.foundation.packing import Numbers, compact
from chalicelib.taxis.hails.rules import Hail, Status
from chalicelib.taxis.stats.filters import Filter


class Outcome(StrEnum):
    """The outcome of a hail: its last status, of which `timeout_taxi` means two things [contract: States of a hail]."""

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

# A measure is an outcome, one of these, or a step with one of its endings.
DISTANCE_CM, WITHOUT_DISTANCE = "distance_cm", "without_distance"
_TOOK_MS, _TAKEN = "/ms", "/hails"  # all hails together, and how many they were

Pair = tuple[str, str]  # the operateur as an owner, and the town of the customer, `""` where none


class DayCount(Struct, frozen=True):
    """What is kept of a day's hails: sums by measure, and how many there were in each geohash-6 cell."""

    sums: Mapping[Pair, Mapping[str, int]]
    heat: Mapping[str, int]

    @property
    def hail_count(self) -> int:
        """How many hails were counted."""
        return sum(self.heat.values())


def outcome(hail: Hail) -> Outcome:
    """The outcome of a hail. Raises ValueError where it is not over."""
    # The log of a hail begins with its creation, and nothing follows its last change of status.
    if (
        hail.status is Status.TIMEOUT_TAXI
        and hail.last_status_change - hail.created_at >= RIDE_AFTER
    ):
        return Outcome.TIMEOUT_RIDE
    return Outcome(hail.status.value)


def count(hails: Iterable[Hail], town_of: Callable[[LngLat], str]) -> DayCount | None:
    """Counts a day; None as soon as one of its hails is not over."""
    sums: dict[Pair, Counter[str]] = {}
    heat = Counter[str]()
    for hail in hails:
        if not hail.status.is_over:
            return None
        where = LngLat(hail.customer_lon, hail.customer_lat)
        pair = sums.setdefault((str(hail.operateur_id), town_of(where)), Counter())
        for measure, value in _measured(hail):
            pair[measure] += value
        heat[geohash6(where)] += 1
    return DayCount(sums, heat)


def _measured(hail: Hail) -> Iterator[tuple[str, int]]:
    yield outcome(hail).value, 1
    if hail.blurred:  # both points may be the same by now
        yield WITHOUT_DISTANCE, 1
    else:
        customer = LngLat(hail.customer_lon, hail.customer_lat)
        taxi = LngLat(hail.initial_taxi_lon, hail.initial_taxi_lat)
        yield DISTANCE_CM, round(100 * distance_m(customer, taxi))
    entered = {entry.to_status: entry.at for entry in hail.transitions}
    for step, (begin, end) in STEPS.items():
        if begin in entered and end in entered:
            yield step + _TOOK_MS, (entered[end] - entered[begin]) // timedelta(milliseconds=1)
            yield step + _TAKEN, 1


class Sums(Struct, frozen=True):
    """A day's sums, or some of them: a column of numbers for each measure, 0 where a pair has none.

    So years of a whole country are added up without a step of Python for each sum.
    """

    owners: Sequence[str]
    insees: Sequence[str]
    columns: Mapping[str, Numbers]

    @classmethod
    def of(cls, sums: Sequence[tuple[Pair, Mapping[str, int]]]) -> "Sums":
        """The same in columns."""
        return cls(
            [owner for (owner, _), _ in sums],
            [insee for (_, insee), _ in sums],
            {
                measure: compact(of_pair.get(measure, 0) for _, of_pair in sums)
                for measure in sorted({measure for _, of_pair in sums for measure in of_pair})
            },
        )


class History(Struct, frozen=True):
    """The sums by measure over all pairs that were asked for, of each day that had any."""

    days: Mapping[date, Mapping[str, int]]

    @classmethod
    def of(cls, sums: Iterable[tuple[date, Sums]], filters: Filter) -> "History":
        """The history of the matching pairs of these days, each of which may come in parts."""
        takes_owner, takes_town = cache(filters.takes_owner), cache(filters.takes_town)
        days: dict[date, Counter[str]] = {}
        for day, its in sums:
            taken = [*map(takes_town, its.insees)]
            if filters.owners is not None:
                taken = [*map(all, zip(taken, map(takes_owner, its.owners), strict=True))]
            if any(taken):
                whole = all(taken)
                total = days.setdefault(day, Counter())
                for measure, column in its.columns.items():
                    total[measure] += sum(column if whole else compress(column, taken))
        return cls(days)

    def hails(self, *outcomes: Outcome) -> dict[date, int]:
        """How many hails of each day ended so, or any of them; days without are left out."""
        counts = {day: sum(sums.get(one, 0) for one in outcomes) for day, sums in self.days.items()}
        return {day: n for day, n in counts.items() if n}

    def hail_count(self, since: date, until: date) -> int:
        """How many hails were created from a day on, before another."""
        return within(self.hails(*Outcome), since, until)

    def mean_distance_m(self, since: date, until: date) -> int:
        """How far their taxis were on average, in whole metres, cut off; 0 where there were none."""
        measured = self.hail_count(since, until) - within(self._of(WITHOUT_DISTANCE), since, until)
        return within(self._of(DISTANCE_CM), since, until) // (100 * measured) if measured else 0

    def mean_step_s(self, step: str) -> float | None:
        """How many seconds a step of `STEPS` took on average; None where nobody took it."""
        taken = sum(self._of(step + _TAKEN).values())
        return sum(self._of(step + _TOOK_MS).values()) / 1000 / taken if taken else None

    def _of(self, measure: str) -> dict[date, int]:
        return {day: sums.get(measure, 0) for day, sums in self.days.items()}


def within(counts: Mapping[date, int], since: date, until: date) -> int:
    """The sum over the days from one on, before another."""
    return sum(n for day, n in counts.items() if since <= day < until)
