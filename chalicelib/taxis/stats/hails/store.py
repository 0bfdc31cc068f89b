"""What is counted of hails, as sheets of days (`sheets.py`); a day has as many as it takes.

| question               | series            | entry   | cost                              | asked by     |
| ---------------------- | ----------------- | ------- | --------------------------------- | ------------ |
| a month's rows of sums | hails#YYYY-MM     | DD#part | 1 unit per 4 KB, some 200 rows,   | GET /stats/* |
|                        |                   |         | strong                            |              |
| a month's heat         | hail-heat#YYYY-MM | DD#part | half a unit per 4 KB, some 900    | GET          |
|                        |                   |         | cells                             | /stats/heat… |
| a day's count          | both              | DD#part | the day's, strong, and 1 write    | night        |
|                        |                   |         | unit per KB                       |              |

A sheet of sums is `[owners, towns, owner_at, town_at, {measure: [places, values]}]` (`rules.Sums`),
one of heat is `{geohash: hails}`. Heat goes when the hails go that it stands for.
"""

import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from chalicelib.foundation.store import sheets
from chalicelib.taxis.stats.hails.rules import Column, DayCount, Sums

T = TypeVar("T")

Month = Sequence[tuple[date, Sums]]  # of its days

ROWS_A_SHEET = 2_000  # some 30 KB, and never more than an item holds
CELLS_A_SHEET = 20_000

_SUMS, _HEAT = "hails", "hail-heat"


def put_day(day: date, count: DayCount, *, heat_days: int) -> None:
    """Stores a day's count in place of an earlier one; its heat for so many days."""
    sums = [_content(Sums.of(rows)) for rows in _parts(sorted(count.rows.items()), ROWS_A_SHEET)]
    heat = [dict(cells) for cells in _parts(sorted(count.heat.items()), CELLS_A_SHEET)]
    until = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(heat_days + 2)
    _put(_SUMS, day, sums)
    _put(_HEAT, day, heat, until=until)


def month(name: str) -> Month:
    """What is counted of the days of a month (`2026-03`); a day may come in parts."""
    return [
        (date.fromisoformat(f"{name}-{sheet.entry[:2]}"), _sums(sheet.content))
        for sheet in sheets.every(f"{_SUMS}#{name}", consistent=True)
    ]


def _content(sums: Sums) -> list[object]:
    return [
        sums.owners,
        sums.towns,
        sums.owner_at.tolist(),
        sums.town_at.tolist(),
        {measure: [*map(list, column)] for measure, column in sums.columns.items()},
    ]


def _sums(content: Sequence[Any]) -> Sums:
    owners, towns, owner_at, town_at, columns = content
    return Sums(
        # The same few hundred names stand in every sheet
        [*map(sys.intern, owners)],
        [*map(sys.intern, towns)],
        array("H", owner_at),
        array("H", town_at),
        {
            int(measure): Column(array("H", places), array("q", values))
            for measure, (places, values) in columns.items()
        },
    )


def heat(name: str) -> list[tuple[date, Mapping[str, int]]]:
    """How many hails were in which cell (geohash-6) on the days of a month; a day may come in parts."""
    return [
        (date.fromisoformat(f"{name}-{sheet.entry[:2]}"), sheet.content)
        for sheet in sheets.every(f"{_HEAT}#{name}")
    ]


def _parts(things: Iterable[T], size: int) -> Iterator[list[T]]:
    left = iter(things)
    while part := list(islice(left, size)):
        yield part


def _put(series: str, day: date, parts: Sequence[object], *, until: datetime | None = None) -> None:
    series, begins = f"{series}#{day:%Y-%m}", f"{day:%d}#"
    entries = {f"{begins}{number:03}": part for number, part in enumerate(parts)}
    for entry, part in entries.items():
        sheets.put(series, entry, part, until=until)
    for sheet in list(sheets.every(series, begins=begins, consistent=True)):
        if sheet.entry not in entries:
            sheets.remove(series, sheet.entry)
