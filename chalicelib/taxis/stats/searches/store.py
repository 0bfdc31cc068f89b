"""Sheets of searches (`foundation/store/sheets.py` says what a sheet costs).

| question                 | series              | entry                | asked by              |
| ------------------------ | ------------------- | -------------------- | --------------------- |
| a day's searches         | searches#YYYY-MM-DD | departement#shard    | fold-searches, /stats |
| a batch of a shard more  | searches#YYYY-MM-DD | departement#shard    | the stream's function |
| all searches of towns    | search-totals       | insee, 3 characters  | fold-searches, /stats |
| accounts' of a day       | search-moteurs      | number of a part     | fold-searches, /stats |
| all searches of cells    | search-heat         | geohash, 3 ch.       | fold-searches, /stats |
| how far days are folded  | search-folded       | through              | fold-searches, /stats |

The days' sheets follow the stream and are forgotten after `KEPT`. A day is folded from them when no
report of it can come any more, in ten parts, one for each first character of a town's code (`part_of`).
A sheet that adds days up carries the last part that is in it, a day's sheet the last record of its
shard: what comes twice is counted once, what is broken off is made up for, and a reader can tell what
is in no total yet.

What it costs at most, with a million searches a day in 3,000 towns over 4 shards (simulated, when sheets
took a fifth more, and totals twice as much):

| what                          | bytes, packed                   | units                              |
| ----------------------------- | ------------------------------- | ---------------------------------- |
| a batch, each 5 minutes       | 376 sheets of 7 kB when full    | 5 written, 2 read, of each: 0.5    |
|                               |                                 | million written a day at most      |
| a day's searches, once        | 2.8 MB                          | 350 to read; 2 or 3 days are not   |
|                               |                                 | folded, so 700 to 1,050            |
| folding a day                 | 900 + 40 sheets, 6 MB in a year | 7,000 written, 2,300 read          |
| `quartiles`, all the country  | 6 MB after a year, and the days | 760 and the days; of a departement |
|                               |                                 | a hundredth                        |
| `top_moteurs`                 | 120 kB a day                    | 600 and the days                   |
| `heat`                        | 0.2 MB                          | 25 and the days                    |
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial

from msgspec import Struct

from chalicelib.foundation.packing import Table
from chalicelib.foundation.store.sheets import Series
from chalicelib.taxis.search.rules import Search
from chalicelib.taxis.stats.searches.rules import (
    Count,
    Counts,
    Figure,
    Place,
    count_searches,
    counts_of,
    rows,
)

KEPT = timedelta(days=10)  # of a day's sheets, from its end
MOTEURS_KEPT = timedelta(days=40)

_TOGETHER = 3  # characters of a town's code, or of a geohash, that name a sheet of totals


class ShardCounts(Struct, frozen=True):
    """The counts of a day, a departement and a shard, and the last record of the shard in them.

    Its number has 56 digits, which no number of MessagePack has.
    """

    last: str
    counts: Table[Count]


class Total(Struct, frozen=True):
    """Some counts over all days, and the last part of a day that is in them."""

    through: int
    counts: Table[Count]


Totals = Iterator[tuple[str, Total]]  # each with what its places begin with

DAYS = Series("searches", ShardCounts)
_TOWNS = Series("search-totals", Total)
_CELLS = Series("search-heat", Total)
_MOTEURS = Series("search-moteurs", Table[Count])
_FOLDED = Series("search-folded", int)


def part_of(day: date, departement: str = "0") -> int:
    """The number of a part of a day: that of the departements whose codes begin with the same digit.

    Parts are folded in the order of their numbers.
    """
    return 10 * day.toordinal() + int(departement[0])


def day_of(part: int) -> date:
    """The day of a part."""
    return date.fromordinal(part // 10)


# --- days, as they come ---------------------------------------------------------------------------


def count(place: Place, shard: str, searches: Sequence[tuple[int, Search]]) -> int:
    """Adds searches, each with the number of its record in the shard, to the sheet of their place.

    Those of records that are in it already are left out; answers how many were new. Raises
    SheetTooLarge.
    """
    new: list[Search] = []

    def changed(sheet: ShardCounts | None) -> ShardCounts | None:
        nonlocal new
        last, counts = (int(sheet.last), counts_of(sheet.counts)) if sheet else (0, Counts())
        new = [search for number, search in searches if number > last]
        counts.update(count_searches(new))
        return ShardCounts(str(searches[-1][0]), rows(counts)) if new else None

    until = _midnight(place.day) + timedelta(days=1) + KEPT
    DAYS.of(f"{place.day}").change(f"{place.departement}#{shard}", changed, until=until)
    return len(new)


def parts(
    day: date, *, begins: str = "", consistent: bool = False
) -> Iterator[tuple[int, Sequence[Count]]]:
    """The searches of a day with the numbers of their parts; of the departements that begin so.

    A part comes in several pieces, a departement and shard each.
    """
    for entry, sheet in DAYS.of(f"{day}").all(begins=begins, consistent=consistent):
        yield part_of(day, entry), sheet.counts


# --- totals ---------------------------------------------------------------------------------------


def folded_through() -> int:
    """The last part that is in the totals; 0 before the first."""
    return _FOLDED.get("through", consistent=True) or 0


def fold(part: int, counts: Counts) -> int:
    """Adds a part of a day to the totals, once; answers how many sheets it is in.

    Broken off and repeated, it adds what is missing. Raises SheetTooLarge.
    """
    moteurs = Counts()
    totals: dict[tuple[Series[Total], str], Counts] = {}
    for (figure, place, value), times in counts.items():
        if figure is Figure.MOTEUR:
            some = moteurs
        else:
            series = _CELLS if figure is Figure.CELL else _TOWNS
            some = totals.setdefault((series, together(place)), Counts())
        some[figure, place, value] = times
    for (series, entry), some in totals.items():
        series.change(entry, partial(_with, part, some))
    if moteurs:
        until = _midnight(day_of(part)) + MOTEURS_KEPT
        _MOTEURS.put(f"{part}", rows(moteurs), until=until)
    _FOLDED.put("through", part)
    return len(totals) + bool(moteurs)


def _with(part: int, more: Counts, total: Total | None) -> Total | None:
    if total is None:
        return Total(part, rows(more))
    return None if total.through >= part else Total(part, rows(counts_of(total.counts) + more))


def town_totals(*, begins: str = "") -> Totals:
    """The counts of the towns whose codes begin so, by the first three characters of the code."""
    return _TOWNS.all(begins=begins)


def cell_totals() -> Totals:
    """How often each cell was searched, by the first three characters of the geohash."""
    return _CELLS.all()


def moteurs(*, since: date, through: int) -> Iterator[Count]:
    """How often each account searched in each town, from a day on, up to a part."""
    for entry, counts in _MOTEURS.all():
        if part_of(since) <= int(entry) <= through:
            yield from counts


def together(place: str) -> str:
    """The sheet of the totals that a town (by its code) or a cell (by its geohash) is in."""
    return place[:_TOGETHER]


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
