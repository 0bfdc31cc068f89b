"""Statistics of hails, counted at night once their day is over.

The reference keeps a row a hail for ever; here only sums are kept, which tell of nobody.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import TypeVar

from chalicelib.foundation import cache
from chalicelib.foundation.geo import LngLat
from chalicelib.foundation.jobs.rules import Page
from chalicelib.taxis.hails import service as hails
from chalicelib.taxis.settings import settings
from chalicelib.taxis.stats import heat as heat_map
from chalicelib.taxis.stats.calendar import THRESHOLD, months_before
from chalicelib.taxis.stats.filters import Filter
from chalicelib.taxis.stats.hails import rules, store, summary
from chalicelib.taxis.stats.hails.rules import History, Sums
from chalicelib.taxis.stats.hails.store import Days
from chalicelib.taxis.stats.hails.summary import HailStatistics
from chalicelib.taxis.stats.heat import Points
from chalicelib.taxis.territory import service as territory

T = TypeVar("T")

_MONTHS_AT_ONCE = 8

# Months of which nothing changes any more, and those that tonight's count may still change.
_settled: cache.Memory[str, Days[Sums]] = cache.Memory(lambda: 240, lambda: 86_400.0)
_growing: cache.Memory[str, Days[Sums]] = cache.Memory(lambda: 8, lambda: 600.0)
_heat: cache.Memory[date, Points] = cache.Memory(lambda: 1, lambda: 600.0)


# --- counting ------------------------------------------------------------------------------------


def count_days(*, now: datetime, after: str | None = None, dry_run: bool = False) -> Page:
    """Counts the first day behind `after` that is over and not counted yet.

    A day with a hail that is not over is left for the next night. Counting a day again gives the
    same, as long as its hails are not blurred: then they have no distances any more. Reads a unit
    a hail and a unit per 4 KB of the day's list, and the tiles that it does not remember.
    """
    waiting = [day for day in hails.uncounted_days(now=now) if after is None or day > after]
    if not waiting:
        return Page()
    day, *later = waiting
    count = rules.count(hails.past_hails(day), _town_of)
    if count is not None and not dry_run:
        store.put_day(date.fromisoformat(day), count, heat_days=settings().hail_kept_days)
        hails.enter_in_statistics(day)
    done = {"left": 1} if count is None else {"days": 1, "hails": count.hail_count}
    return Page(done, day if later else None)


def _town_of(point: LngLat) -> str:
    return next(iter(territory.place_of(point).towns), "")


# --- reading -------------------------------------------------------------------------------------


def statistics(filters: Filter, *, now: datetime) -> HailStatistics:
    """Figures of GET /stats/hails of these towns and operateurs.

    Reads every month since the threshold that the process does not remember: a unit per 4 KB.
    """
    return summary.statistics(_history(filters, THRESHOLD.date(), now=now), now=now)


def received_in_last_days(filters: Filter, *, now: datetime, days: int = 30) -> int:
    """How many hails were created on the last whole days, in UTC."""
    today = now.astimezone(UTC).date()
    since = today - timedelta(days)
    return _history(filters, since, now=now).hail_count(since, today)


def growth(members: Collection[str], *, now: datetime) -> float | None:
    """By how many percent the last full month had more hails in these towns than a year before.

    None where there were none then.
    """
    this_month = now.astimezone(UTC).replace(day=1)
    names = [f"{months_before(this_month, months):%Y-%m}" for months in (13, 1)]
    towns = Filter(insees=frozenset(members))
    return summary.growth(History.of(_days(names, now=now), towns), now=now)


def heat(*, now: datetime) -> Points:
    """The cells with most hails, heaviest first.

    They are the hails of the days for which hails are kept; read once in ten minutes a process.
    """
    today = now.astimezone(UTC).date()

    def read() -> Points:
        first = today - timedelta(settings().hail_kept_days)
        weights = Counter[str]()
        for day, cells in chain(*_each(store.heat, months(first, today))):
            if first <= day < today:
                weights.update({cell.geohash: cell.weight for cell in cells})
        return heat_map.points(heat_map.heaviest(weights))

    return _heat.of(today, read)


def months(first: date, last: date) -> list[str]:
    """The names (`2026-03`) of the months from one day's to another's."""
    numbers = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    return [f"{number // 12}-{number % 12 + 1:02}" for number in numbers]


def _history(filters: Filter, first: date, *, now: datetime) -> History:
    """The history from the month of a day on."""
    names = months(first, now.astimezone(UTC).date())
    return History.of(_days(names, now=now), filters)


def _days(names: Collection[str], *, now: datetime) -> Iterator[tuple[date, Sums]]:
    """The days of these months, read where they are not at hand."""

    def read(missing: list[str]) -> dict[str, Days[Sums]]:
        # Before the months are read: what is counted meanwhile must not be remembered half
        until = hails.first_uncounted_day(now=now)[:7]
        found = dict(zip(missing, _each(store.sums, missing), strict=True))
        _settled.put_many({name: month for name, month in found.items() if name < until})
        return found

    settled = _settled.get_many(names)
    growing = _growing.completed((name for name in names if name not in settled), read)
    return chain(*settled.values(), *growing.values())


def _each(read: Callable[[str], T], names: Iterable[str]) -> list[T]:
    with ThreadPoolExecutor(_MONTHS_AT_ONCE) as threads:
        return list(threads.map(read, names))
