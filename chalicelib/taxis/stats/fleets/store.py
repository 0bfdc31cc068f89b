"""The survey of all fleets, as packed sheets (`sheets.py` says what a sheet costs).

| question          | series | entry       | order        | cost              | asked by             |
| ----------------- | ------ | ----------- | ------------ | ----------------- | -------------------- |
| the latest survey | fleets | moment/part | oldest first | 84 units, strong  | GET /stats/*: once a |
|                   |        |             |              |                   | minute a process     |
| another survey    | fleets | moment/part | -            | 680 write units,  | the job count-fleets |
|                   |        |             |              | 170 units, strong |                      |

So much of 60,000 taxis in 3,000 towns, of 8 owners each: 12,000 rows, 344 KB in five parts, of
which the largest has 75,549 bytes. A part is cut by the length of its text before it is compressed,
so that no survey has a sheet that is too large.

A survey is seen all at once: its parts are written behind those of the surveys before, which are
removed when it is whole. A reader goes through the series in that order, so that where it misses a
removed part, it comes to all of the new ones.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from chalicelib.foundation.store import sheets
from chalicelib.taxis.stats.calendar import Milestones
from chalicelib.taxis.stats.fleets.rules import NO_SURVEY, Survey, TownFleet

_SERIES = "fleets"


def put_survey(fleets: Iterable[TownFleet], *, at: datetime) -> None:
    """Stores a survey of this moment, in place of those before; writing it again is harmless."""
    parts = list(_parts(fleets))
    moment = at.isoformat(timespec="microseconds")  # of one length, so that they sort by time
    for number, rows in enumerate(parts):
        sheets.put(_SERIES, f"{moment}/{number:04}", [len(parts), rows])
    for sheet in sheets.every(_SERIES, consistent=True):
        if sheet.entry < moment:
            sheets.remove(_SERIES, sheet.entry)


def latest_survey() -> Survey:
    """The latest survey that is whole; NO_SURVEY where there is none."""
    latest = NO_SURVEY
    for moment, group in groupby(
        sheets.every(_SERIES, consistent=True), lambda sheet: sheet.entry.partition("/")[0]
    ):
        contents = [sheet.content for sheet in group]
        parts = contents[0][0]
        if len(contents) >= parts:
            rows = [row for _, rows in contents[:parts] for row in rows]
            latest = Survey(datetime.fromisoformat(moment), [_fleet(row) for row in rows])
    return latest


def _parts(fleets: Iterable[TownFleet]) -> Iterator[list[Any]]:
    """The rows of all sheets, each list short enough whatever the compression makes of it."""
    part: list[Any] = []
    characters = 0
    for fleet in fleets:
        row = _row(fleet)
        length = len(json.dumps(row))
        if part and characters + length > sheets.LARGEST:
            yield part
            part, characters = [], 0
        part.append(row)
        characters += length
    yield part


def _row(fleet: TownFleet) -> list[Any]:
    return [
        fleet.insee,
        fleet.owner,
        *(
            [four.today, four.three_months_ago, four.six_months_ago, four.twelve_months_ago]
            for four in (
                fleet.registered,
                fleet.connected,
                fleet.registered_since_threshold,
                fleet.connected_since_threshold,
            )
        ),
        fleet.with_radius,
        fleet.radius_sum_m,
        fleet.last_added_at.timestamp(),
        dict(fleet.added_in),
    ]


def _fleet(row: list[Any]) -> TownFleet:
    insee, owner, added, used, added_since, used_since, n, radius_sum_m, last_s, added_in = row
    return TownFleet(
        insee,
        owner,
        registered=Milestones(*added),
        connected=Milestones(*used),
        registered_since_threshold=Milestones(*added_since),
        connected_since_threshold=Milestones(*used_since),
        with_radius=n,
        radius_sum_m=radius_sum_m,
        last_added_at=datetime.fromtimestamp(last_s, UTC),
        added_in=added_in,
    )
