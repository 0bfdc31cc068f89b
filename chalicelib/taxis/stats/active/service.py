"""The taxis on the road: what the territory's pages and the statistics ask. `counting` counts them."""

from collections import defaultdict
from datetime import datetime, timedelta

from chalicelib.foundation import cache, clock, geo
from chalicelib.taxis.stats.active import store
from chalicelib.taxis.stats.active.rules import ActiveCounts
from chalicelib.taxis.stats.filters import Filter

READABLE = timedelta(seconds=120)  # counters that the job failed to renew for so long count 0

_latest: cache.Memory[str, ActiveCounts] = cache.Memory(lambda: 1, lambda: 5.0)
_heat: cache.Memory[str, list[tuple[float, float, int]]] = cache.Memory(lambda: 1, lambda: 20.0)
_per_hour: cache.Memory[Filter, dict[int, float]] = cache.Memory(lambda: 64, lambda: 600.0)


def active_now() -> ActiveCounts:
    """The latest minute's counters, at most 5 s behind the store; nothing where they are too old."""
    return _latest.completed(["minute"], lambda _: {"minute": _active_now()})["minute"]


def _active_now() -> ActiveCounts:
    latest = store.minute()
    return ActiveCounts(latest[1] if latest is not None and _is_readable(latest[0]) else {})


def connected_now(filters: Filter) -> int:
    """Taxis that reported in the latest minute; 0 where nobody has counted for `READABLE`."""
    return active_now().within(filters)


def connected_per_hour(filters: Filter) -> dict[int, float]:
    """Hour of the day (0-23, UTC) -> distinct taxis an hour, the mean of all hours ever counted.

    An hour in which no such taxi reported counts as 0; an hour of the day that was never counted is
    left out. At most ten minutes behind the store.
    """
    return _per_hour.completed([filters], lambda _: {filters: _connected_per_hour(filters)})[
        filters
    ]


def _connected_per_hour(filters: Filter) -> dict[int, float]:
    means: defaultdict[int, float] = defaultdict(float)
    for hour, part in store.hours_of_day():
        means[hour] += part.mean(filters)
    return dict(means)


def taxi_heat() -> list[tuple[float, float, int]]:
    """Latitude and longitude of the middle of a cell of about 800 by 600 m, and how many of the
    latest minute's taxis are in it, for the cells with most of them; nothing where that is too old."""
    return _heat.completed(["heat"], lambda _: {"heat": _taxi_heat()})["heat"]


def _taxi_heat() -> list[tuple[float, float, int]]:
    latest = store.heat()
    if latest is None or not _is_readable(latest[0]):
        return []
    centres = ((geo.geohash_centre(text), weight) for text, weight in latest[1].items())
    return [(centre.lat, centre.lng, weight) for centre, weight in centres]


def _is_readable(at: datetime) -> bool:
    return clock.now() - at <= READABLE
