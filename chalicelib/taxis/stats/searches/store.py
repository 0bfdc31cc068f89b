"""What is kept of searches, in sheets (`stats/sheets.py` says what a sheet costs).

| question                 | series              | entry                | asked by              |
| ------------------------ | ------------------- | -------------------- | --------------------- |
| a day's searches         | searches#YYYY-MM-DD | departement#shard    | fold-searches, /stats |
| a batch of a shard more  | searches#YYYY-MM-DD | departement#shard    | the stream's function |
| all searches of towns    | search-totals       | insee, 3 characters  | fold-searches, /stats |
| accounts' of a day       | search-moteurs      | YYYY-MM-DD#C         | fold-searches, /stats |
| all searches of cells    | search-heat         | geohash, 3 ch.       | fold-searches, /stats |
| how far days are folded  | search-folded       | through              | fold-searches, /stats |

The days' sheets follow the stream and are forgotten after `KEPT`. A day is folded from them when no
report of it can come any more, in ten parts, one for each first character C of a town's code
(`YYYY-MM-DD#C`, a `mark`). A sheet that adds days up carries the last mark that is in it, a day's
sheet the last record of its shard: what comes twice is counted once, what is broken off is made up
for, and a reader can tell what is in no total yet.

What it costs, with a million searches a day in 3,000 towns over 4 shards (simulated):

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

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any, Generic, NamedTuple, TypeVar

from chalicelib.foundation.store import sheets
from chalicelib.foundation.store.sheets import Sheet
from chalicelib.foundation.store.writes import TRIES, Moved, pause
from chalicelib.taxis.stats.searches.rules import (
    Counts,
    Place,
    Search,
    TownCounts,
    add_towns,
    counted,
)

T = TypeVar("T")
V = TypeVar("V")

KEPT = timedelta(days=10)  # of a day's sheets, from its end
MOTEURS_KEPT = timedelta(days=40)

_TOTALS, _MOTEURS, _HEAT, _FOLDED = (
    *("search-totals", "search-moteurs"),
    *("search-heat", "search-folded"),
)
_TOGETHER = 3  # characters of a town's code, or of a geohash, that name a sheet of totals


def mark(day: date, character: str) -> str:
    """The name of a part of a day; the order of the texts is the order in which parts are folded."""
    return f"{day.isoformat()}#{character}"


def day_of(part: str) -> date:
    """The day that a mark names."""
    return date.fromisoformat(part[:10])


class Record(NamedTuple):
    """The searches of one record of the stream that belong into one sheet."""

    sequence_number: int
    searches: Sequence[Search]


# --- days, as they come ----------------------------------------------------------------------------------------


def count(place: Place, shard: str, records: Sequence[Record]) -> int:
    """Adds the records of a shard, in their order, to its sheet of a day and departement.

    Those that are in it already are left out; answers how many searches were new. Raises
    SheetTooLarge.
    """
    new = 0

    def changed(content: Any | None) -> Any | None:  # noqa: ANN401  # JSON
        nonlocal new
        last, counts = (0, Counts()) if content is None else (int(content[0]), _counts(content[1]))
        fresh = [record for record in records if record.sequence_number > last]
        new = sum(len(record.searches) for record in fresh)
        if not fresh:
            return None
        counts.add(counted(search for record in fresh for search in record.searches))
        # A sequence number has 56 digits: as text, for not every reader of JSON has such numbers.
        return [str(fresh[-1].sequence_number), _plain(counts)]

    _renew(
        _series(place.day),
        f"{place.departement}#{shard}",
        changed,
        until=_midnight(place.day) + timedelta(days=1) + KEPT,
    )
    return new


def parts(day: date, *, begins: str = "", consistent: bool = False) -> Iterator[tuple[str, Counts]]:
    """The searches of a day by part, as (mark, counts); of the departements that begin so."""
    found = sheets.every(_series(day), begins=begins, consistent=consistent)
    for character, some in groupby(found, key=lambda sheet: sheet.entry[0]):
        total = Counts()
        for sheet in some:
            total.add(_counts(sheet.content[1]))
        yield mark(day, character), total


# --- totals -----------------------------------------------------------------------------------------


def folded_through() -> str | None:
    """The mark of the last part that is in the totals; None before the first."""
    sheet = sheets.get(_FOLDED, "through", consistent=True)
    return None if sheet is None else str(sheet.content)


def fold(part: str, counts: Counts) -> int:
    """Adds a part of a day to the totals, once; answers how many sheets it is in.

    Broken off and repeated, it adds what is missing. Raises SheetTooLarge.
    """
    towns = _divided(counts.towns)
    for entry, some in towns.items():
        _add_once(_TOTALS, entry, part, partial(_with_towns, more=some))
    cells = _divided(counts.cells)
    for entry, weights in cells.items():
        _add_once(_HEAT, entry, part, partial(_with_cells, more=weights))
    if counts.moteurs:
        until = _midnight(day_of(part)) + MOTEURS_KEPT
        sheets.put(_MOTEURS, part, _plain_moteurs(counts.moteurs), until=until)
    sheets.put(_FOLDED, "through", part)
    return len(towns) + len(cells) + bool(counts.moteurs)


class Total(NamedTuple, Generic[T]):
    """Some counts over all days, and the mark of the last part that is in them."""

    through: str
    counts: T


def town_totals(*, begins: str = "") -> dict[str, Total[dict[str, TownCounts]]]:
    """The counts of the towns whose codes begin so, by the first three characters of the code."""
    return {
        sheet.entry: Total(sheet.content[0], _towns(sheet.content[1]))
        for sheet in sheets.every(_TOTALS, begins=begins)
    }


def cell_totals() -> dict[str, Total[Counter[str]]]:
    """How often each cell was searched, by the first three characters of the geohash."""
    return {
        sheet.entry: Total(sheet.content[0], Counter(sheet.content[1]))
        for sheet in sheets.every(_HEAT)
    }


def moteurs(*, since: date, through: str) -> Counter[tuple[int, str]]:
    """How often each account searched in each town, from a day on, up to a mark."""
    total: Counter[tuple[int, str]] = Counter()
    for sheet in sheets.every(_MOTEURS):
        if since.isoformat() < sheet.entry <= through:
            total.update(_moteurs(sheet.content))
    return total


def together(key: str) -> str:
    """The sheet of the totals that a town (by its code) or a cell (by its geohash) is in."""
    return key[:_TOGETHER]


# --- sheets ---------------------------------------------------------------------------------------


def _add_once(series: str, entry: str, part: str, with_more: Callable[[Any | None], Any]) -> None:
    def changed(content: Any | None) -> Any | None:  # noqa: ANN401  # JSON
        if content is None:
            return [part, with_more(None)]
        return None if content[0] >= part else [part, with_more(content[1])]

    _renew(series, entry, changed)


def _renew(
    series: str,
    entry: str,
    changed: Callable[[Any | None], Any | None],
    *,
    until: datetime | None = None,
) -> None:
    """Writes what a sheet's content (None: there is none) is changed into, unless that is None.

    Where another write comes first, it is read and changed again. Raises Moved where that goes on.
    """
    for tries in range(TRIES):
        sheet = sheets.get(series, entry, consistent=True)
        content = changed(None if sheet is None else sheet.content)
        if content is None:
            return
        version = 0 if sheet is None else sheet.version
        try:
            sheets.renew(series, Sheet(entry, content, version), until=until)
        except Moved:
            if tries == TRIES - 1:
                raise
            pause(tries)
        else:
            return


def _series(day: date) -> str:
    return f"searches#{day.isoformat()}"


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _divided(values: Mapping[str, V]) -> dict[str, dict[str, V]]:
    divided: dict[str, dict[str, V]] = {}
    for key, value in values.items():
        divided.setdefault(together(key), {})[key] = value
    return divided


def _with_towns(content: Any | None, *, more: Mapping[str, TownCounts]) -> Any:  # noqa: ANN401  # JSON
    towns = _towns(content or {})
    add_towns(towns, more)
    return _plain_towns(towns)


def _with_cells(content: Any | None, *, more: Mapping[str, int]) -> Any:  # noqa: ANN401  # JSON
    cells = Counter(content or {})
    cells.update(more)
    return dict(cells)


def _plain(counts: Counts) -> Any:  # noqa: ANN401  # JSON
    return [_plain_towns(counts.towns), _plain_moteurs(counts.moteurs), dict(counts.cells)]


def _counts(plain: Any) -> Counts:  # noqa: ANN401  # JSON
    towns, by_moteur, cells = plain
    return Counts(_towns(towns), _moteurs(by_moteur), Counter(cells))


def _plain_towns(towns: Mapping[str, TownCounts]) -> Any:  # noqa: ANN401  # JSON
    return {
        insee: [
            *(dict(counts.found), dict(counts.seen)),
            *(dict(counts.nearest_m), dict(counts.hours)),
        ]
        for insee, counts in towns.items()
    }


def _towns(plain: Any) -> dict[str, TownCounts]:  # noqa: ANN401  # JSON
    return {
        insee: TownCounts(
            *(Counter({int(value): n for value, n in one.items()}) for one in histograms)
        )
        for insee, histograms in plain.items()
    }


def _plain_moteurs(counts: Mapping[tuple[int, str], int]) -> Any:  # noqa: ANN401  # JSON
    by_moteur: dict[int, dict[str, int]] = {}
    for (moteur, insee), times in counts.items():
        by_moteur.setdefault(moteur, {})[insee] = times
    return by_moteur


def _moteurs(plain: Any) -> Counter[tuple[int, str]]:  # noqa: ANN401  # JSON
    return Counter(
        {
            (int(moteur), insee): times
            for moteur, towns in plain.items()
            for insee, times in towns.items()
        }
    )
