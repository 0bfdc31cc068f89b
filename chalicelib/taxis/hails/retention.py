"""Retention of hails: blurring after two months, deletion after a year [contract: Retention].

Both jobs work in pages and may be broken off anywhere and repeated.
"""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from msgspec import Struct

from chalicelib.foundation.geo import LngLat
from chalicelib.foundation.jobs.rules import Page
from chalicelib.foundation.store.writes import Moved
from chalicelib.taxis.hails import lifecycle, lists, pseudonyms, rules, store, writes
from chalicelib.taxis.hails.rules import Hail
from chalicelib.taxis.settings import settings
from chalicelib.taxis.territory import service as territory

PAGE_SIZE = 100  # hails


def blur(*, now: datetime, after: str | None = None, dry_run: bool = False) -> Page:
    """Removes from hails over two months old, page by page, what tells who and where.

    May be broken off and repeated, from the beginning or from the last page's `after`.
    """
    today = rules.day_of(now)
    if after is None and not dry_run:
        for day in lists.days():
            if day.day < today and (day.hail_count is None or day.session_count is None):
                lists.count(day.day)
    limit = now - timedelta(days=settings().hail_visible_days)
    days = [day.day for day in lists.days() if not day.blurred]

    def end_day(day: str) -> None:
        lists.count(day, blurred=True)

    treatment = _Treatment(
        "blurred",
        lambda hail: not _is_blurred(hail),
        lambda hail: _is_blurred(hail) or _blur(hail, created_before=limit),
        end_day,
    )
    return _treat_page(days, limit, after, treatment, dry_run=dry_run)


def delete_old(*, now: datetime, after: str | None = None, dry_run: bool = False) -> Page:
    """Deletes a page of blurred hails over a year old; else as `blur`.

    A day that the statistics do not have yet waits for them: nothing else tells what became of it.
    """
    limit = now - timedelta(days=settings().hail_kept_days)

    def end_day(day: str) -> None:
        if lists.first_lines(day, after=None, limit=1):
            lists.count(day)  # some were changed meanwhile: left for the next run
        else:
            lists.forget(day)

    treatment = _Treatment("deleted", lambda hail: hail.blurred, _delete, end_day)
    days = [day.day for day in lists.days() if day.in_statistics]
    return _treat_page(days, limit, after, treatment, dry_run=dry_run)


class _Treatment(Struct, frozen=True):
    """What a job does to hails: its name in the outcome, which hails need it, and how.

    `treat` answers whether the hail is as it is to be; `end_day` is called with each day that is
    wholly before the limit, once all of its hails are treated.
    """

    name: str
    is_needed: Callable[[Hail], bool]
    treat: Callable[[Hail], bool]
    end_day: Callable[[str], None]


def _treat_page(
    days: Collection[str],
    limit: datetime,
    after: str | None,
    treatment: _Treatment,
    *,
    dry_run: bool,
) -> Page:
    """Treats the hails of these days that were created before `limit`, oldest first."""
    reached, _, entry = (after or "").partition("/")
    done = 0
    for day in sorted(day for day in days if reached <= day <= rules.day_of(limit)):
        found = lists.first_lines(
            day, after=entry if day == reached and entry else None, limit=PAGE_SIZE
        )
        old = [line.hail_id for line in found if line.created_at < limit]
        outcomes = [
            (treatment.is_needed(hail), dry_run or treatment.treat(hail))
            for hail in store.hails(old).values()
        ]
        done += sum(needed and treated for needed, treated in outcomes)
        if len(found) == PAGE_SIZE:
            return Page({treatment.name: done}, f"{day}/{found[-1].entry}")
        if day < rules.day_of(limit) and not dry_run and all(well for _, well in outcomes):
            treatment.end_day(day)
        if done >= PAGE_SIZE:
            return Page({treatment.name: done}, f"{day}/~")
    return Page({treatment.name: done})


def _is_blurred(hail: Hail) -> bool:
    # An earlier build left the customer's id.
    return hail.blurred and pseudonyms.is_pseudonym(hail.customer_id)


def _blur(hail: Hail, *, created_before: datetime) -> bool:
    """Blurs a hail; False where it has changed meanwhile."""
    customer = _blurred_point(hail.customer_lon, hail.customer_lat)
    taxi = _blurred_point(hail.initial_taxi_lon, hail.initial_taxi_lat)
    customer_id = pseudonyms.pseudonym(hail.moteur_id, hail.customer_id)
    blurred = lifecycle.blur(hail, customer, taxi, customer_id=customer_id)
    try:
        writes.blur(hail, blurred, created_before=created_before)
    except Moved:
        return False
    return True


def _blurred_point(lon: float, lat: float) -> tuple[float, float]:
    """The interior point of the town; rounded to a tenth of a degree where there is no town."""
    towns = territory.place_of(LngLat(lon, lat)).towns
    inside = territory.interior_point(towns[0]) if towns else None
    return (inside.lng, inside.lat) if inside else (round(lon, 1), round(lat, 1))


def _delete(hail: Hail) -> bool:
    """Deletes a blurred hail; False where it is not blurred or has changed meanwhile."""
    if not hail.blurred:
        return False
    try:
        writes.delete(hail)
    except Moved:
        return False
    return True
