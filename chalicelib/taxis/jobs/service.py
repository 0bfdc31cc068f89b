"""The registry's jobs by name, and how each is run: in pages, from where it was broken off."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct

from chalicelib.foundation.jobs.rules import Job
from chalicelib.foundation.observe import metrics
from chalicelib.taxis.hails import retention
from chalicelib.taxis.jobs import old_taxis, orphans, store
from chalicelib.taxis.jobs.store import Progress
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.registry import availability
from chalicelib.taxis.stats.active import counting
from chalicelib.taxis.stats.fleets import service as fleets
from chalicelib.taxis.stats.hails import service as hail_statistics
from chalicelib.taxis.stats.searches import service as searches

# A run that was broken off longer ago than this is begun anew: what it had passed may have changed.
RESUMED = timedelta(hours=20)

JOBS: Mapping[str, Job] = {
    "blur-hails": retention.blur,
    "blur-positions": positions.blur,
    "delete-old-hails": retention.delete_old,
    "count-fleets": fleets.count_fleets,
    "count-hails": hail_statistics.count_days,
    "count-active": counting.count_minute,
    "count-active-hour": counting.count_hour,
    "count-active-day": counting.count_day,
    "fold-searches": searches.fold,
    "delete-old-taxis": old_taxis.delete_old_taxis,
    "delete-orphans": orphans.delete_orphans,
    "retire-cells": partial(positions.retire_cells, availability_of=availability.availability_of),
}


class JobUnknown(Exception):
    """No job has this name."""


class Outcome(Struct, frozen=True):
    """What a run did, or would have done, by name; `resumed` where it went on with an earlier one."""

    done: Mapping[str, int]
    pages: int
    resumed: bool


def run(
    name: str,
    *,
    now: datetime,
    dry_run: bool = False,
    told: Callable[[Mapping[str, int]], None] = lambda _: None,
) -> Outcome:
    """Runs a job to its end, from where it was broken off, and counts in a metric what it did.

    `told` hears after each page what is done so far. A `dry_run` changes nothing, not even where the
    next run begins. Raises JobUnknown, and whatever a page raises: the next run then goes on there.
    """
    if name not in JOBS:
        raise JobUnknown(name)
    job = JOBS[name]
    began_s = time.monotonic()
    earlier = None if dry_run else _broken_off(name, now=now)
    began, after = (earlier.began, earlier.after) if earlier else (now, None)
    done = Counter(earlier.done if earlier else {})
    pages = 0
    while True:
        page = job(now=now, after=after, dry_run=dry_run)
        pages += 1
        done.update(page.done)
        told(done)
        after = page.after
        if after is None:
            break
        if not dry_run:
            store.keep(name, Progress(began, after, done))
    if not dry_run:
        if pages > 1 or earlier:
            store.finish(name)
        store.note_run(name, now=now)
        metrics.emit(
            {"job": name},
            counts={**done, "runs": 1, "pages": pages},
            milliseconds={"job_ms": 1000 * (time.monotonic() - began_s)},
        )
    return Outcome(dict(done), pages, resumed=earlier is not None)


def _broken_off(name: str, *, now: datetime) -> Progress | None:
    earlier = store.progress(name)
    return earlier if earlier is not None and now - earlier.began <= RESUMED else None


def last_runs() -> Mapping[str, datetime]:
    """As of when each job last came to its end, by name; dry runs do not count."""
    return store.last_runs()
