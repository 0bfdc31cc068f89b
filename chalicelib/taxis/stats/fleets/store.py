"""Sheets of the survey of all fleets (`foundation/store/sheets.py` says what a sheet costs).

| question          | series | entry       | order        | cost              | asked by             |
| ----------------- | ------ | ----------- | ------------ | ----------------- | -------------------- |
| the latest survey | fleets | moment/part | oldest first | 80 units, strong  | GET /stats/*: once a |
|                   |        |             |              |                   | minute a process     |
| another survey    | fleets | moment/part | -            | 660 write units,  | the job count-fleets |
|                   |        |             |              | 160 units, strong |                      |

So much of 60,000 taxis in 3,000 towns, of 8 owners each: 12,000 rows, 328 KB.

A survey is seen all at once: its parts are written behind those of the surveys before, which are
removed when it is whole. A reader goes through the series in that order, so that where it misses a
removed part, it comes to all of the new ones.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import chain, groupby

from msgspec import Struct

from chalicelib.foundation.packing import Table
from chalicelib.foundation.store.sheets import Series, divide
from chalicelib.taxis.stats.fleets.rules import NO_SURVEY, Survey, TownFleet


class Part(Struct, frozen=True):
    """A part of a survey, and how many parts it has."""

    parts: int
    fleets: Table[TownFleet]


SERIES = Series("fleets", Part)


def put_survey(fleets: Sequence[TownFleet], *, at: datetime) -> None:
    """Stores a survey of this moment, in place of those before; writing it again is harmless."""
    moment = at.isoformat(timespec="microseconds")  # of one length, so that they sort by time
    parts = divide(fleets, Table)
    SERIES.put_parts(f"{moment}/", [Part(len(parts), part) for part in parts])
    for entry, _ in SERIES.all(consistent=True):
        if entry < moment:
            SERIES.remove(entry)


def latest_survey() -> Survey:
    """The latest survey that is whole; NO_SURVEY where there is none."""
    latest = NO_SURVEY
    sheets = SERIES.all(consistent=True)
    for moment, entries in groupby(sheets, lambda sheet: sheet[0].partition("/")[0]):
        found = [part for _, part in entries]
        whole = found[: found[0].parts]
        if len(whole) == found[0].parts:
            fleets = [*chain(*(part.fleets for part in whole))]
            latest = Survey(datetime.fromisoformat(moment), fleets)
    return latest
