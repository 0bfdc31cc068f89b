"""Jobs that count the taxis on the road: each minute, hour and day.

The minute reads where all taxis are, and notes who is new in this hour. The hour counts the taxis
that were noted in it, and the day those of its hours: they read no taxi. An hour or a day that a
missed run has left uncounted is made up for by the next one. All may be repeated.
"""

from collections import Counter
from datetime import datetime, timedelta
from itertools import chain

from chalicelib.foundation.geo import E7Point, from_e7, geohash6
from chalicelib.foundation.jobs.rules import Page
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.registry import service as registry
from chalicelib.taxis.stats import heat
from chalicelib.taxis.stats.active import rules, store
from chalicelib.taxis.stats.active.rules import DAY, HOUR, ActiveTaxi, Span
from chalicelib.taxis.vocabulary import TaxiStatus

ACTIVE = timedelta(
    seconds=60
)  # a taxi that reported within it counts [contract: Taxis on the road]
SETTLED = timedelta(minutes=2)  # by then the last minute of an hour has been counted
MADE_UP_FOR = 2 * DAY  # of what runs have missed; later, the sets may be gone (`store.HOURS_KEPT`)


def count_minute(
    *,
    now: datetime,
    after: str | None = None,  # noqa: ARG001  # there is one page
    dry_run: bool = False,
) -> Page:
    """Counts the taxis that report, by town and operator, and stores the newcomers of the hour.

    Reads every cell (half a unit per 4 KB of them), the licence of each taxi that is not remembered
    (one unit), and who was seen in the hour so far.
    """
    reporting = positions.reporting(since=now - ACTIVE)
    licences = registry.licences(reporting.keys())
    known = [(reporting[taxi_id], licence) for taxi_id, licence in licences.items()]
    # In the first minute of an hour, some were last seen in the hour before.
    by_hour: dict[datetime, dict[int, ActiveTaxi]] = {rules.hour_of(now): {}}
    for reported, licence in known:
        found = by_hour.setdefault(rules.hour_of(min(reported.seen_at, now)), {})
        free = reported.status is TaxiStatus.FREE
        found[reported.number] = ActiveTaxi(reported.number, licence.insee, licence.owner, free)
    if not dry_run:
        taxis = rules.unite(chain(*(found.values() for found in by_hour.values())))
        store.put_minute(rules.tallies(taxis.values()), at=now)
        points = (from_e7(E7Point(reported.lng_e7, reported.lat_e7)) for reported, _ in known)
        store.put_heat(heat.heaviest(Counter(map(geohash6, points))), at=now)
    newcomers = 0
    for hour, found in by_hour.items():
        seen = store.hour_fleet(hour)
        if seen is None and hour != rules.hour_of(now):
            continue  # nobody counted in that hour: what is left of it in this minute is no count
        new = rules.newcomers(found, seen or {})
        newcomers += len(new)
        if (new or seen is None) and not dry_run:
            store.add_to_hour_fleet(new, hour=hour, at=now)
    return Page({"active": len(known), "newcomers": newcomers})


def count_hour(*, now: datetime, after: str | None = None, dry_run: bool = False) -> Page:
    """Counts the distinct taxis of an hour that is over, behind `after` or the last one counted."""
    hour = _uncounted(Span.HOUR, HOUR, now=now, after=after)
    if hour is None:
        return Page({"hours": 0})
    seen = store.hour_fleet(hour)
    if seen is not None and not dry_run:
        tallies = rules.tallies(seen.values())
        store.put_tallies(Span.HOUR, hour, tallies)
        store.add_hour(hour, tallies)
        store.put_progress(Span.HOUR, hour)
    return Page({"hours": int(seen is not None)}, hour.isoformat())


def count_day(*, now: datetime, after: str | None = None, dry_run: bool = False) -> Page:
    """Counts the distinct taxis of a day that is over, and of the seven days that end with it; else
    as `count_hour`."""
    day = _uncounted(Span.DAY, DAY, now=now, after=after)
    if day is None:
        return Page({"days": 0})
    hours = [
        seen for number in range(24) if (seen := store.hour_fleet(day + number * HOUR)) is not None
    ]
    if hours and not dry_run:
        seen_on = rules.unite(chain(*(seen.values() for seen in hours)))
        store.put_day_fleet(day, seen_on.values())
        store.put_tallies(Span.DAY, day, rules.tallies(seen_on.values()))
        week = rules.unite(chain(*(store.day_fleet(day - ago * DAY) for ago in range(6, -1, -1))))
        store.put_tallies(Span.WEEK, day, rules.tallies(week.values()))
        store.put_progress(Span.DAY, day)
    return Page({"days": int(bool(hours))}, day.isoformat())


def _uncounted(
    span: Span, length: timedelta, *, now: datetime, after: str | None
) -> datetime | None:
    """When the first hour or day began that is over and is behind the last one; None where there is none."""
    last = datetime.fromisoformat(after) if after else store.progress(span)
    first = (
        rules.hour_of(now - MADE_UP_FOR) if span is Span.HOUR else rules.day_of(now - MADE_UP_FOR)
    )
    start = first if last is None else max(first, last + length)
    return start if start + length + SETTLED <= now else None
