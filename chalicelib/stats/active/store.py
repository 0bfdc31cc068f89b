"""The taxis that report, as counted by schedule (`sheets.py` says what a sheet costs).

| question          | series | entry  | asked by                        |
| ----------------- | ------ | ------ | ------------------------------- |
| the latest minute | active | minute | GET /zupc, /zupc/live: once     |
|                   |        |        | each 5 s a process              |
"""

from datetime import UTC, datetime

from chalicelib.stats import sheets
from chalicelib.stats.active.rules import ActiveCounts

_SERIES, _MINUTE = "active", "minute"


def put_active(counts: ActiveCounts, *, at: datetime) -> None:
    """Stores the latest minute's counters in place of the one before."""
    sheets.put(
        _SERIES,
        _MINUTE,
        [
            int(at.timestamp()),
            dict(counts.towns),
            dict(counts.zones),
            [[*key, n] for key, n in counts.operators_in_towns.items()],
            [[*key, n] for key, n in counts.operators_in_zones.items()],
        ],
    )


def active() -> tuple[datetime, ActiveCounts] | None:
    """The latest minute's counters and their time."""
    sheet = sheets.get(_SERIES, _MINUTE)
    if sheet is None:
        return None
    at_s, towns, zones, own_towns, own_zones = sheet.content
    counts = ActiveCounts(
        towns,
        zones,
        {(owner, insee): n for owner, insee, n in own_towns},
        {(owner, zone_id): n for owner, zone_id, n in own_zones},
    )
    return datetime.fromtimestamp(at_s, UTC), counts
