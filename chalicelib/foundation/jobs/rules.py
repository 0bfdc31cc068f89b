"""Scheduled jobs, done in pages that may be repeated: pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from msgspec import Struct, field


class Page(Struct, frozen=True):
    """The counts of one page of a job, or of its dry run, by name (`{"blurred": 3}`).

    `after` is where the next page goes on, in the job's own words; None at the end.
    """

    done: Mapping[str, int] = field(default_factory=dict)
    after: str | None = None


class Job(Protocol):
    """A job, called once a page. A page that is interrupted is done again whole, from the same `after`."""

    def __call__(self, *, now: datetime, after: str | None, dry_run: bool) -> Page:
        """Does the page that begins behind `after`; with `dry_run` only counts what it would do."""
        ...
