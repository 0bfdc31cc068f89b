"""Hails for other domains and for commands: one hail's history, days to count, jobs."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from chalicelib.foundation.errors import in_url
from chalicelib.foundation.jobs.rules import Job
from chalicelib.taxis.hails import lists, request_log, retention, rules, store
from chalicelib.taxis.hails.request_log import Exchange
from chalicelib.taxis.hails.rules import Hail, HailUnknown

JOBS: Mapping[str, Job] = {
    "blur-hails": retention.blur,
    "delete-old-hails": retention.delete_old,
}

_HAILS_A_READ = 100


class History(Struct, frozen=True):
    """A hail, its transitions within, and its request log, oldest first."""

    hail: Hail
    exchanges: Sequence[Exchange]


def history(hail_id: str) -> History:
    """All that is known of a hail; its deadline is not applied. Raises HailUnknown."""
    hail = store.hail(hail_id) if rules.is_hail_id(hail_id) else None
    if hail is None:
        raise HailUnknown(in_url("Hail not found"))
    return History(hail, request_log.entries(hail_id))


def overdue(*, before: datetime) -> list[str]:
    """The ids of the hails that are not over, though their deadline was before that."""
    return list(lists.overdue(before))


def taxis_hailed(operateur_id: int, *, before: datetime) -> frozenset[str]:
    """The ids of an operator's taxis for which a hail from before that is still stored."""
    return lists.taxis_hailed(operateur_id, before=before)


# --- days to count -------------------------------------------------------------------------------


def uncounted_days(*, now: datetime) -> list[str]:
    """The days that are over and not in the statistics yet, oldest first, as `YYYY-MM-DD`."""
    today = rules.day_of(now)
    return sorted(day.day for day in lists.days() if day.day < today and not day.in_statistics)


def first_uncounted_day(*, now: datetime) -> str:
    """The first day that is not in the statistics: of days before it nothing changes any more."""
    return next(iter(uncounted_days(now=now)), rules.day_of(now))


def past_hails(day: str) -> Iterator[Hail]:
    """A day's hails, oldest first: a unit per 4 KB of its list, and one a hail."""
    after = None
    while found := lists.first_lines(day, after=after, limit=_HAILS_A_READ):
        hails = store.hails([line.hail_id for line in found])
        yield from (hails[line.hail_id] for line in found if line.hail_id in hails)
        after = found[-1].entry


def enter_in_statistics(day: str) -> None:
    """Marks the day as in the statistics: its hails may be deleted when they are old."""
    lists.enter_in_statistics(day)
