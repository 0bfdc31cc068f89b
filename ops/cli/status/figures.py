"""What `maraude status` says, of metrics and tables: pure.

A figure is None where nothing was heard of it, which is not the same as 0.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import Struct

from ops.cli import tables

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
RATE_OVER = 5 * MINUTE  # positions a second are a mean of so long
FINE, COARSE = (
    MINUTE,
    RATE_OVER,
)  # periods: of positions and sweeps in an hour, of all else in a day


class Metric(NamedTuple):
    """A metric of the registry: its name, and its dimensions beside the stage."""

    name: str
    dimensions: tuple[tuple[str, str], ...] = ()


# What was added up in each period, by when that began; a period of which nothing was heard is left out.
Samples = Mapping[Metric, Mapping[datetime, float]]

POSITIONS = Metric("positions", (("function", "ingest"),))
SEARCHES = Metric("searches")
SWEEPS = Metric("runs", (("job", "sweep-hails"),))
NAMES = frozenset({"positions", "searches", "hails", "webhook_calls", "webhook_failures", "runs"})


def hails(outcome: str) -> Metric:
    """Hails that came to this status."""
    return Metric("hails", (("outcome", outcome),))


def webhook(name: str, operator: str) -> Metric:
    """Calls or failures of an operator's server; the operator by the id of its account."""
    return Metric(name, (("operator", operator),))


class Counted(Struct, frozen=True):
    """How many in the last hour and day."""

    hour: int | None
    day: int | None


class Operator(Struct, frozen=True):
    """Calls of an operator's server, and how many of them failed."""

    operator: str
    calls: Counted
    failures: Counted


class JobRun(Struct, frozen=True):
    """A job: when it last finished, whether that is longer ago than its schedule allows, since when a run that
    has not finished is under way or broken off, and the kind of error that the last run since has failed with."""

    job: str
    finished_at: datetime | None
    is_late: bool
    unfinished_since: datetime | None
    failed_at: datetime | None = None
    error: str = ""


class Status(Struct, frozen=True):
    """All that is said. `taxis` reported within a minute, by status; `metrics_since` is when what is left of them begins."""

    at: datetime
    taxis: Mapping[str, int]
    positions_a_second: float | None
    newest_window_at: datetime | None  # the beginning of the minute that it came in
    newest_sweep_at: datetime | None  # of hails whose time is up; the same
    searches: Counted
    hails: Mapping[str, Counted]  # by outcome; those that there were
    webhooks: Sequence[Operator]  # most failures of the day first
    jobs: Sequence[JobRun]
    metrics_since: datetime | None = None


# --- from samples -----------------------------------------------------------------------------------


def counted(samples: Samples, metric: Metric, now: datetime) -> Counted:
    """The sums of a metric over the last hour and day."""
    periods = samples.get(metric, {})

    def within(longest: timedelta) -> int | None:
        found = [value for began, value in periods.items() if began > now - longest]
        return round(sum(found)) if found else None

    return Counted(within(HOUR), within(DAY))


def rate(
    periods: Mapping[datetime, float], now: datetime, *, begun: datetime | None = None
) -> float | None:
    """A second's share of the last five minutes that are whole and have been counted; less of a registry that has only `begun`.

    CloudWatch has a metric a minute or so after it was printed, so that the last minute is left out.
    """
    until = now.replace(second=0, microsecond=0) - MINUTE
    since = until - RATE_OVER
    found = [value for began, value in periods.items() if since <= began < until]
    if not found:
        return None
    since = max(since, min(periods), begun or since)
    return sum(found) / (until - since).total_seconds() if since < until else None


def operators(samples: Samples, names: Mapping[str, str], now: datetime) -> list[Operator]:
    """The operators whose servers were called within the day, most failures first; `names` by their ids."""
    found = [
        Operator(
            name,
            counted(samples, webhook("webhook_calls", operator), now),
            counted(samples, webhook("webhook_failures", operator), now),
        )
        for operator, name in names.items()
    ]
    called = (one for one in found if one.calls.day is not None)
    return sorted(called, key=lambda one: (-(one.failures.day or 0), one.operator))


# --- for people -------------------------------------------------------------------------------------

NO_DATA = "no data"


def lines(status: Status) -> Iterator[str]:
    """The status as people read it."""
    now = status.at
    rate = status.positions_a_second
    yield from tables.lines(
        [
            ("taxis on the road", _taxis(status.taxis)),
            ("positions", NO_DATA if rate is None else f"{rate:,.1f} a second"),
            ("newest window of positions", _newest(status.newest_window_at, now)),
            ("newest sweep of hails", _newest(status.newest_sweep_at, now)),
        ]
    )
    yield ""
    rows: list[tuple[str, str, str]] = [("searches", *_both(status.searches))]
    rows += [(f"hails {outcome}", *_both(one)) for outcome, one in status.hails.items()]
    rows += [] if status.hails else [("hails", NO_DATA, NO_DATA)]
    rows += [(f"webhook failures, {one.operator}", *_failures(one)) for one in status.webhooks]
    rows += [] if status.webhooks else [("webhook failures", NO_DATA, NO_DATA)]
    yield from tables.lines(rows, titles=("COUNTED", "LAST HOUR", "LAST DAY"))
    yield ""
    jobs = [(one.job, _when(one.finished_at, now), _how(one, now)) for one in status.jobs]
    yield from tables.lines(jobs, titles=("JOB", "LAST FINISHED", "HOW"))
    if status.metrics_since is not None and status.metrics_since > now - DAY:
        yield ""
        yield f"Counted from logs that begin at {status.metrics_since:%Y-%m-%d %H:%M} UTC."


def _newest(at: datetime | None, now: datetime) -> str:
    return f"{NO_DATA} of the last hour" if at is None else f"at most {_age(now - at)} ago"


def _taxis(taxis: Mapping[str, int]) -> str:
    told = ", ".join(f"{count:,} {status}" for status, count in taxis.items() if count)
    return f"{sum(taxis.values()):,}: {told}" if told else "none has reported within a minute"


def _both(one: Counted) -> tuple[str, str]:
    return _count(one.hour), _count(one.day)


def _failures(one: Operator) -> tuple[str, str]:
    def told(calls: int | None, failures: int | None) -> str:
        return NO_DATA if calls is None else f"{_count(failures)} of {calls:,}"

    return told(one.calls.hour, one.failures.hour), told(one.calls.day, one.failures.day)


def _count(count: int | None) -> str:
    return NO_DATA if count is None else f"{count:,}"


def _when(at: datetime | None, now: datetime) -> str:
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M} UTC, {_age(now - at)} ago"


def _how(run: JobRun, now: datetime) -> str:
    told = []
    if run.failed_at is not None:
        told.append(f"FAILED {_age(now - run.failed_at)} ago ({run.error})")
    if run.unfinished_since is not None:
        told.append(f"a run of {_age(now - run.unfinished_since)} ago has not finished")
    if run.is_late:
        told.append("LATE")
    return ", ".join(told) or ("as it should" if run.finished_at else "not due yet")


def _age(age: timedelta) -> str:
    seconds = max(0, round(age.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h" if seconds < 172_800 else f"{seconds // 86_400} days"


def asked(outcomes: Iterable[str], operators: Iterable[str]) -> list[Metric]:
    """The metrics of a day."""
    names = ("webhook_calls", "webhook_failures")
    return [
        SEARCHES,
        *map(hails, outcomes),
        *(webhook(name, operator) for operator in operators for name in names),
    ]
