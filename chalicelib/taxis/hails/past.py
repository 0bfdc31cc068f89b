"""Days that are over, for the statistics, which count what became of their hails."""

from collections.abc import Iterator
from datetime import datetime

from chalicelib.taxis.hails import lists, rules, store
from chalicelib.taxis.hails.rules import Hail

_HAILS_A_READ = 100


def uncounted(*, now: datetime) -> list[str]:
    """The days that are over and that the statistics do not have yet, oldest first."""
    today = rules.day_of(now)
    return sorted(day.day for day in lists.days() if day.day < today and not day.in_statistics)


def counted_until(*, now: datetime) -> str:
    """The first day that the statistics do not have: of days before it nothing changes any more."""
    return next(iter(uncounted(now=now)), rules.day_of(now))


def hails_of(day: str) -> Iterator[Hail]:
    """A day's hails, oldest first: a unit per 4 KB of its list, and one a hail."""
    after = None
    while found := lists.first_lines(day, after=after, limit=_HAILS_A_READ):
        hails = store.hails([line.hail_id for line in found])
        yield from (hails[line.hail_id] for line in found if line.hail_id in hails)
        after = found[-1].entry


def enter_in_statistics(day: str) -> None:
    """The statistics have the day now, and its hails may be deleted when they are old."""
    lists.enter_in_statistics(day)
