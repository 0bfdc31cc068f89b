"""Statistics of taxis on the road, for the pages of territory and statistics. `counting` counts them."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from chalicelib.foundation import cache, clock
from chalicelib.foundation.jobs.rules import Job
from chalicelib.taxis.stats import heat
from chalicelib.taxis.stats.active import counting, store
from chalicelib.taxis.stats.active.rules import ActiveCounts
from chalicelib.taxis.stats.filters import Filter
from chalicelib.taxis.stats.heat import Points

JOBS: Mapping[str, Job] = {
    "count-active": counting.count_minute,
    "count-active-hour": counting.count_hour,
    "count-active-day": counting.count_day,
}

READABLE = timedelta(seconds=120)  # counters that the job failed to renew for so long count 0

_latest: cache.Memory[str, ActiveCounts] = cache.Memory(lambda: 1, lambda: 5.0)
_heat: cache.Memory[str, Points] = cache.Memory(lambda: 1, lambda: 20.0)
_per_hour: cache.Memory[Filter, dict[int, float]] = cache.Memory(lambda: 64, lambda: 600.0)


def active_now() -> ActiveCounts:
    """The latest minute's counters, at most 5 s behind the store; nothing where they are too old."""

    def read() -> ActiveCounts:
        latest = store.minute()
        return ActiveCounts(latest.tallies if latest and _is_readable(latest.at) else ())

    return _latest.of("minute", read)


def connected_per_hour(filters: Filter) -> dict[int, float]:
    """Hour of the day (0-23, UTC) -> distinct taxis an hour, the mean of all hours ever counted.

    An hour in which no such taxi reported counts as 0; an hour of the day that was never counted is
    left out. At most ten minutes behind the store.
    """

    def read() -> dict[int, float]:
        means: dict[int, float] = {}
        for hour, part in store.hours_of_day():
            means[hour] = means.get(hour, 0.0) + part.mean(filters)
        return means

    return _per_hour.of(filters, read)


def taxi_heat() -> Points:
    """The cells with most of the latest minute's taxis; nothing where that is too old."""

    def read() -> Points:
        latest = store.heat()
        return heat.points(latest.cells) if latest and _is_readable(latest.at) else []

    return _heat.of("heat", read)


def _is_readable(at: datetime) -> bool:
    return clock.now() - at <= READABLE
