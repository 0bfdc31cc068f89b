"""Runs of jobs: in pages, from where the last run was broken off."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError
from msgspec import Struct

from chalicelib.foundation.jobs import store
from chalicelib.foundation.jobs.rules import Job
from chalicelib.foundation.jobs.store import Failure, Progress
from chalicelib.foundation.observe import metrics

# A run that was broken off longer ago than this is begun anew: what it had passed may have changed.
RESUMED = timedelta(hours=20)


class Outcome(Struct, frozen=True):
    """The counts of a run, or of a dry run, by name; `resumed` where it went on with an earlier one."""

    done: Mapping[str, int]
    pages: int
    resumed: bool


def run(
    name: str,
    job: Job,
    *,
    now: datetime,
    dry_run: bool = False,
    report: Callable[[Mapping[str, int]], None] = lambda _: None,
) -> Outcome:
    """Runs a job to its end, from where it was interrupted, and emits its counts as metrics.

    `report` hears after each page what is done so far. A `dry_run` changes nothing, not even where the
    next run begins. Raises whatever a page raises, which is noted: the next run then goes on there.
    """
    try:
        return _run(name, job, now=now, dry_run=dry_run, report=report)
    except Exception as error:
        if not dry_run:
            # What has failed is the store, perhaps: the job's own error is the one to tell.
            with suppress(ClientError, BotoCoreError):
                store.note_failure(name, Failure(now, type(error).__name__))
        raise


def _run(
    name: str,
    job: Job,
    *,
    now: datetime,
    dry_run: bool,
    report: Callable[[Mapping[str, int]], None],
) -> Outcome:
    began_s = time.monotonic()
    earlier = None if dry_run else _broken_off(name, now=now)
    began, after = (earlier.began, earlier.after) if earlier else (now, None)
    done = Counter(earlier.done if earlier else {})
    pages = 0
    while True:
        page = job(now=now, after=after, dry_run=dry_run)
        pages += 1
        done.update(page.done)
        report(done)
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
