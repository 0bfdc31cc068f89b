"""Sheets of hails: sums and heat of days, each in as many as it takes.

| question               | series            | entry   | cost                              | asked by     |
| ---------------------- | ----------------- | ------- | --------------------------------- | ------------ |
| a month's sums         | hails#YYYY-MM     | DD#part | 1 unit per 4 KB, some 200 pairs,  | GET /stats/* |
|                        |                   |         | strong                            |              |
| a month's heat         | hail-heat#YYYY-MM | DD#part | half a unit per 4 KB, some 900    | GET          |
|                        |                   |         | cells                             | /stats/heat… |
| a day's count          | both              | DD#part | the day's, strong, and 1 write    | night        |
|                        |                   |         | unit per KB                       |              |

Heat goes when the hails go that it stands for.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from sys import intern
from typing import TypeVar

from chalicelib.foundation.packing import Table
from chalicelib.foundation.store.sheets import Series, divide
from chalicelib.taxis.stats.hails.rules import DayCount, Sums
from chalicelib.taxis.stats.heat import Cell

T = TypeVar("T")

Days = Sequence[tuple[date, T]]

SUMS = Series("hails", Sums)
HEAT = Series("hail-heat", Table[Cell])


def put_day(day: date, count: DayCount, *, heat_days: int) -> None:
    """Stores a day's count in place of an earlier one; its heat for so many days."""
    cells = [Cell(*cell) for cell in sorted(count.heat.items())]
    until = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(heat_days + 2)
    _put(SUMS, day, divide(sorted(count.sums.items()), Sums.of))
    _put(HEAT, day, divide(cells, Table), until=until)


def _put(
    series: Series[T], day: date, parts: Sequence[T], *, until: datetime | None = None
) -> None:
    series, begins = series.of(f"{day:%Y-%m}"), f"{day:%d}#"
    entries = series.put_parts(begins, parts, until=until)
    for entry, _ in [*series.all(begins=begins, consistent=True)]:
        if entry not in entries:
            series.remove(entry)


def sums(month: str) -> Days[Sums]:
    """Counts of the days of a month (`2026-03`); a day may come in parts."""
    return [
        # The same few hundred names stand in every sheet.
        (day, Sums([*map(intern, one.owners)], [*map(intern, one.insees)], one.columns))
        for day, one in _month(SUMS, month, consistent=True)
    ]


def heat(month: str) -> Days[Sequence[Cell]]:
    """How many hails were in which cell on the days of a month; a day may come in parts."""
    return _month(HEAT, month)


def _month(series: Series[T], month: str, *, consistent: bool = False) -> Days[T]:
    return [
        (date.fromisoformat(f"{month}-{entry[:2]}"), content)
        for entry, content in series.of(month).all(consistent=consistent)
    ]
