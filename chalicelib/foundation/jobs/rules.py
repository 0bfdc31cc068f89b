"""What a job is: work on a schedule, done in pages, each harmless to repeat: pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from msgspec import Struct, field


class Page(Struct, frozen=True):
    """What one page of a job did, or would have done, by name (`{"blurred": 3}`).

    `after` is where the next page goes on, in the job's own words; None at the end.
    """

    done: Mapping[str, int] = field(default_factory=dict)
    after: str | None = None


class Job(Protocol):
    """A page of work. A page that is broken off is done again whole, from the same `after`."""

    def __call__(self, *, now: datetime, after: str | None, dry_run: bool) -> Page:
        """Does the page that begins behind `after`; with `dry_run` only counts what it would do."""
        ...
