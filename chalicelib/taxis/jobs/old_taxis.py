"""Nightly deletion of taxis that have not reported or been hailed for a year [contract: Deletion]."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from chalicelib.foundation.jobs.rules import Page
from chalicelib.foundation.store.writes import Moved
from chalicelib.taxis.fleets import service as fleets
from chalicelib.taxis.hails import service as hails
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.registry import retention
from chalicelib.taxis.registry import service as registry
from chalicelib.taxis.registry.rules import Description, Taxi
from chalicelib.taxis.settings import settings

A_PAGE = 500  # taxis that are looked at

# A taxi is hailed within minutes of a position of its own: none is left that is later than this.
_HAILED_WITHIN = timedelta(days=1)


def delete_old_taxis(*, now: datetime, after: str | None = None, dry_run: bool = False) -> Page:
    """Deletes taxis over a year old that have no hail left and have not reported for a year.

    Then the last positions of that age whose taxi is unknown. A taxi that is hailed, changed or seen
    meanwhile stays. May be broken off and repeated, from the beginning or from the last `after`.
    """
    limit = now - timedelta(days=settings().taxi_kept_days)
    what, _, key = (after or "taxis/").partition("/")
    if what == "positions":
        page = positions.delete_unknown(
            known=registry.taxis,
            before=limit,
            after=key,
            dry_run=dry_run,
        )
        return page if page.after is None else Page(page.done, f"positions/{page.after}")
    taxis, last = retention.page_of_taxis(key, size=A_PAGE)
    old = [taxi for taxi in taxis if taxi.added_at < limit]
    deleted = sum(
        dry_run or _delete(taxi, described, page, limit, now=now)
        for taxi, described, page in _candidates(old, limit, now=now)
    )
    return Page({"deleted": deleted}, "positions/" if last is None else f"taxis/{last}")


def _candidates(
    old: Sequence[Taxi], limit: datetime, *, now: datetime
) -> Iterator[tuple[Taxi, "dict[str, Description]", int | None]]:
    """The taxis that may be deleted, with all descriptions and the page of the fleet that the taxi is on.

    The descriptions are read before the hails are: a hail that is not among these has changed them.
    """
    seen = positions.sight([taxi.taxi_id for taxi in old], now=now)
    silent = [taxi for taxi in old if _is_silent(seen, taxi, limit)]
    described = dict(registry.descriptions({taxi.description_id for taxi in silent}))
    owners = {taxi.owner for taxi in silent}
    hailed = {
        owner: hails.taxis_hailed(int(owner), before=limit + _HAILED_WITHIN) for owner in owners
    }
    pages = {owner: fleets.pages_of(owner) for owner in owners}
    for taxi in silent:
        description = described.get(taxi.description_id)
        if (
            description is not None
            and description.open_hail is None
            and taxi.taxi_id not in hailed[taxi.owner]
        ):
            yield taxi, described, pages[taxi.owner].get(taxi.taxi_id)


def _is_silent(seen: positions.Sighting, taxi: Taxi, limit: datetime) -> bool:
    seen_at = seen.seen_at(taxi.taxi_id)
    return seen_at is None or seen_at < limit


def _delete(
    taxi: Taxi,
    described: "dict[str, Description]",
    page: int | None,
    limit: datetime,
    *,
    now: datetime,
) -> bool:
    """Whether the taxi is gone; `described` then has its description as it is now."""
    seen = positions.sight([taxi.taxi_id], now=now)
    if not _is_silent(seen, taxi, limit):
        return False
    try:
        described[taxi.description_id] = retention.delete_taxi(
            taxi, described[taxi.description_id], seen, page=page
        )
    except Moved:
        return False
    return True
