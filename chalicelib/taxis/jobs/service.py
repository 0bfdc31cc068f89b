"""The registry's jobs by name."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from chalicelib.foundation.jobs import service as runs
from chalicelib.foundation.jobs.rules import Job
from chalicelib.foundation.jobs.service import Outcome
from chalicelib.taxis.hails import service as hails
from chalicelib.taxis.jobs import old_taxis
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.registry import retention
from chalicelib.taxis.registry import service as registry
from chalicelib.taxis.stats.active import service as active
from chalicelib.taxis.stats.fleets import service as fleets
from chalicelib.taxis.stats.hails import service as hail_statistics
from chalicelib.taxis.stats.searches import service as searches

JOBS: Mapping[str, Job] = {
    **hails.JOBS,
    **active.JOBS,
    "blur-positions": positions.blur,
    "count-fleets": fleets.count_fleets,
    "count-hails": hail_statistics.count_days,
    "fold-searches": searches.fold,
    "delete-old-taxis": old_taxis.delete_old_taxis,
    "delete-orphans": retention.delete_orphans,
    "retire-cells": partial(positions.retire_cells, availability_of=registry.availability_of),
}


class JobUnknown(Exception):
    """No job has this name."""


def run(
    name: str,
    *,
    now: datetime,
    dry_run: bool = False,
    report: Callable[[Mapping[str, int]], None] = lambda _: None,
) -> Outcome:
    """Runs a job (see `foundation.jobs.service.run`). Raises JobUnknown."""
    if name not in JOBS:
        raise JobUnknown(name)
    return runs.run(name, JOBS[name], now=now, dry_run=dry_run, report=report)
