"""The figures of GET /stats/hails: milestones, totals by month, means by period: pure [contract: Statistics pages]."""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial

from msgspec import Struct

from chalicelib.taxis.stats.calendar import THRESHOLD, Milestones, months_before
from chalicelib.taxis.stats.hails.rules import STEPS, History, Outcome, within

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


class HailStatistics(Struct, frozen=True):
    """Figures of GET /stats/hails, of past days.

    `milestones` by the contract's names; `total` has pairs of month (1 to 12) and number, for months
    with hails, in `current_year` and `last_year`; `averages` are by span, period and series;
    `average_times` are seconds, None where nobody took the step.
    """

    milestones: Mapping[str, Milestones]
    average_hail_distance: Milestones
    total: Mapping[str, Sequence[tuple[int, int]]]
    averages: Mapping[str, Mapping[str, Mapping[str, float]]]
    average_times: Mapping[str, float | None]


def statistics(history: History, *, now: datetime) -> HailStatistics:
    """Statistics of the counted days. Today, in UTC, is left out, for it is not over."""
    now = now.astimezone(UTC)
    today = now.date()
    new_year = today.replace(month=1, day=1)
    years = {
        "current_year": (new_year, today),
        "last_year": (new_year.replace(year=today.year - 1), new_year),
    }
    spans = {"last_three_months": (months_before(now, 3).date(), today), **years}
    received = history.hails(*Outcome)
    series = {RECEIVED: received} | {f"hails_{each}": history.hails(each) for each in Outcome}
    averaged = {name: history.hails(*outcomes) for name, outcomes in AVERAGED.items()}
    return HailStatistics(
        milestones={
            name: Milestones.at(now, partial(_until, counts)) for name, counts in series.items()
        },
        average_hail_distance=Milestones.at(
            now, lambda at: history.mean_distance_m(THRESHOLD.date(), at.date())
        ),
        total={year: _by_month(received, *span) for year, span in years.items()},
        averages={
            span: {
                period: {name: _mean(counts, since, until, by) for name, counts in averaged.items()}
                for period, by in PERIODS.items()
            }
            for span, (since, until) in spans.items()
        },
        average_times={step: history.mean_step_s(step) for step in STEPS},
    )


def _until(counts: Mapping[date, int], at: datetime) -> int:
    return within(counts, THRESHOLD.date(), at.date())


def _by_month(counts: Mapping[date, int], since: date, until: date) -> list[tuple[int, int]]:
    months = Counter[int]()
    for day, n in counts.items():
        if since <= day < until:
            months[day.month] += n
    return sorted(months.items())


def _mean(
    counts: Mapping[date, int], since: date, until: date, period: Callable[[date], Hashable]
) -> float:
    """The mean number in the periods that have any; 0 where none has."""
    periods = {period(day) for day in counts if since <= day < until}
    return within(counts, since, until) / len(periods) if periods else 0.0


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
