"""Deletes the drivers, ADS and descriptions that no taxi is made of (stats-and-ops 5).

Vehicles stay for good. Customers need no job: each has a time to live, by moteur and customer, that
ends a day after that of their last hail (`hails/store.py`).
"""

from datetime import datetime, timedelta
from functools import lru_cache

from chalicelib.foundation.jobs.rules import Page
from chalicelib.foundation.settings import settings
from chalicelib.taxis.registry import retention
from chalicelib.taxis.registry.retention import Part
from chalicelib.taxis.registry.rows import AdsRow, DescriptionRow, DriverRow

A_PAGE = 500  # parts that are looked at


def delete_orphans(*, now: datetime, after: str | None = None, dry_run: bool = False) -> Page:
    """Deletes drivers, ADS and descriptions over a year old that no taxi is made of.

    One that does not say when it was added, for an earlier build stored it, counts as added when
    this job first finds it unused. One that becomes part of a taxi meanwhile stays. May be broken
    off and repeated, from the beginning or from the last `after`.
    """
    what, _, key = (after or "drivers/").partition("/")
    if what == "drivers":
        page = _page("drivers", DriverRow, key, now=now, dry_run=dry_run)
        return page if page.after else Page(page.done, "ads/")
    if what == "ads":
        page = _page("ads", AdsRow, key, now=now, dry_run=dry_run)
        return page if page.after else Page(page.done, "descriptions/")
    page = _page("descriptions", DescriptionRow, key, now=now, dry_run=dry_run)
    if page.after is None:
        _used.cache_clear()
    return page


@lru_cache(maxsize=1)
def _used(now: datetime) -> frozenset[str]:  # noqa: ARG001  # a run's own: each has another moment
    """The parts that taxis are made of, read once a run.

    A taxi that is made later has told its parts, which are therefore not deleted.
    """
    return retention.used_parts()


def _page(name: str, kind: type[Part], key: str, *, now: datetime, dry_run: bool) -> Page:
    limit = now - timedelta(days=settings().part_kept_days)
    parts, last = retention.page_of_parts(kind, key, size=A_PAGE)
    unused = [part for part in parts if not _is_used(part, limit, now=now)]
    deleted = first_seen = 0
    for part in unused:
        if part.added_at is None:
            first_seen += 1
            if not dry_run:
                retention.note_first_seen(part, now=now)
        elif part.added_at < limit:
            deleted += dry_run or retention.delete_part(part, unused_since=limit)
    done = {name: deleted, "first_seen": first_seen}
    return Page(done, None if last is None else f"{name}/{last}")


def _is_used(part: DriverRow | AdsRow | DescriptionRow, limit: datetime, *, now: datetime) -> bool:
    if isinstance(part, DescriptionRow):
        return bool(part.taxis)
    if part.used_at is not None and part.used_at >= limit:
        return True
    part_id = part.driver_id if isinstance(part, DriverRow) else part.ads_id
    return part_id in _used(now)
