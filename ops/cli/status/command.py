"""`maraude status`: its arguments, and what it reads.

It takes a read of every cell (half a unit per 4 KB), four small ones for the jobs, one for the accounts of operators
that were called; and on a stage three calls of CloudWatch, or one more for each 250 operators.
"""

import argparse
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ops.cli import target
from ops.cli.status import figures
from ops.cli.status.figures import (
    COARSE,
    DAY,
    FINE,
    HOUR,
    POSITIONS,
    SEARCHES,
    SWEEPS,
    JobRun,
    Metric,
    Samples,
    Status,
)
from ops.cli.status.sources import CloudWatch, Logs, Metrics
from ops.local import place
from ops.release.doctor.data import last_runs

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_parser(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    status = commands.add_parser(
        "status", help="what the registry is doing: taxis, positions, searches, hails, jobs"
    )
    status.add_argument("--json", action="store_true", help="one JSON object; null: no data")
    target.add_arguments(status)
    status.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    import msgspec

    from chalicelib.foundation import clock
    from chalicelib.foundation.settings import settings

    metrics: Metrics
    if arguments.stage:
        metrics = CloudWatch()
    else:
        folder = place.of(arguments.data, service=arguments.app.data).logs
        metrics = Logs(folder, stage=settings().stage)
    status = read(metrics, now=clock.now())
    if arguments.json:
        print(msgspec.json.encode(status).decode())
    else:
        for line in figures.lines(status):
            print(line)


def read(metrics: Metrics, *, now: datetime) -> Status:
    """The status of the registry that this process is turned to."""
    from chalicelib.taxis.access import service as access
    from chalicelib.taxis.hails.rules import Status as HailStatus

    operators = metrics.values_of("webhook_calls", "operator")
    accounts = access.records(int(one) for one in operators)
    names = dict.fromkeys(operators, "") | {
        one.account.owner: one.account.email for one in accounts
    }
    outcomes = [status.value for status in HailStatus]
    fine = _sums(metrics, [POSITIONS, SWEEPS], over=HOUR, period=FINE, now=now)
    samples = _sums(metrics, figures.asked(outcomes, operators), over=DAY, period=COARSE, now=now)
    positions = fine.get(POSITIONS, {})
    hails = {one: figures.counted(samples, figures.hails(one), now) for one in outcomes}
    return Status(
        at=now,
        taxis=_taxis(now),
        positions_a_second=figures.rate(positions, now, begun=metrics.since),
        newest_window_at=max(positions, default=None),
        newest_sweep_at=max(fine.get(SWEEPS, {}), default=None),
        searches=figures.counted(samples, SEARCHES, now),
        hails={outcome: one for outcome, one in hails.items() if one.day is not None},
        webhooks=figures.operators(
            samples, {one: name or f"account {one}" for one, name in names.items()}, now
        ),
        jobs=list(_jobs(now)),
        metrics_since=metrics.since,
    )


def _sums(
    metrics: Metrics, asked: Sequence[Metric], *, over: timedelta, period: timedelta, now: datetime
) -> Samples:
    """The sums of whole periods, the first and the last of which are only partly in the time."""
    length_s = period.total_seconds()
    last = datetime.fromtimestamp(now.timestamp() // length_s * length_s, now.tzinfo)
    return metrics.sums(asked, since=last - over, until=last + period, period=period)


def _taxis(now: datetime) -> dict[str, int]:
    """The taxis that reported within a minute, by status."""
    from chalicelib.taxis.positions import service as positions
    from chalicelib.taxis.stats.active.counting import ACTIVE
    from chalicelib.taxis.vocabulary import TaxiStatus

    with redirect_stdout(io.StringIO()):  # the metric of damaged entries is the job's
        reporting = positions.reporting(since=now - ACTIVE)
    found = Counter(one.status for one in reporting.values())
    return {status.value: found[status] for status in TaxiStatus}


def _jobs(now: datetime) -> Iterator[JobRun]:
    """Each job by name."""
    from chalicelib.foundation.jobs import store

    unfinished, failures = store.unfinished(), store.last_failures()
    for job in last_runs(now):
        begun, failure = unfinished.get(job.name), failures.get(job.name)
        if failure is not None and job.at is not None and job.at >= failure.at:
            failure = None
        yield JobRun(
            job.name,
            job.at,
            job.is_late,
            begun.began if begun else None,
            failure.at if failure else None,
            failure.error if failure else "",
        )
