"""The counters of the moment: written each minute by a job, read by the territory's pages."""

from datetime import datetime, timedelta

from chalicelib import cache, clock
from chalicelib.positions import service as positions
from chalicelib.registry import service as registry
from chalicelib.registry.rules import TaxiStatus
from chalicelib.stats.active import rules, store
from chalicelib.stats.active.rules import ActiveCounts, ActiveTaxi
from chalicelib.territory import service as territory

ACTIVE = timedelta(seconds=60)  # a taxi that reported within it counts (stats-and-ops 3)
READABLE = timedelta(seconds=120)  # counters that the job failed to renew for so long count 0

_latest: cache.Memory[str, ActiveCounts] = cache.Memory(lambda: 1, lambda: 5.0)


def count_active(*, now: datetime) -> ActiveCounts:
    """The minute's job: counts the taxis that report, by town, zone and operator, and stores it.

    Reads every cell (half a unit per 4 KB of them) and the licence of each taxi that it does not
    remember (one unit). Counting again is harmless.
    """
    statuses = positions.reporting(since=now - ACTIVE)
    licences = registry.licences(statuses.keys())
    counts = rules.count(
        (
            ActiveTaxi(licence.insee, licence.owner, statuses[taxi_id] is TaxiStatus.FREE)
            for taxi_id, licence in licences.items()
        ),
        {zone.zone_id: zone.members for zone in territory.zones()},
    )
    store.put_active(counts, at=now)
    return counts


def active_now() -> ActiveCounts:
    """The latest minute's counters, at most 5 s behind the store; nothing where they are too old."""
    known = _latest.get("active")
    if known is None:
        latest = store.active()
        known = rules.NOTHING
        if latest is not None and clock.now() - latest[0] <= READABLE:
            known = latest[1]
        _latest.put("active", known)
    return known
