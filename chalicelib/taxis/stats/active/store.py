"""The taxis that report, as counted by schedule (`sheets.py` says what a sheet costs).

| question                 | series              | entry      | cost            | asked by              |
| ------------------------ | ------------------- | ---------- | --------------- | --------------------- |
| the latest minute        | active              | minute     | 12 units        | GET /zupc and /stats: |
|                          |                     |            |                 | each 5 s a process    |
| where its taxis are      | active              | heat       | 8 units         | GET /stats: each 20 s |
|                          |                     |            |                 | a process             |
| who was seen in an hour  | seen#2026-11-27T14  | minute and | 200 units,      | each minute, hour and |
|                          |                     | a token    | strong          | day                   |
| who was seen on a day    | seen-day#2026-11-27 | a number   | 61 units        | each day, for a week  |
| what an hour, a day or a | active#hour, #day,  | its name   | 12 units        | the desk              |
| week counted             | #week               |            |                 |                       |
| how far the counts are   | counted             | hour, day  | 1 unit, strong  | their jobs            |
| one hour of the day,     | hours-of-day        | HH#D       | 30 units, all   | each hour             |
| summed over all days     |                     |            | parts, strong   |                       |
| all hours of the day     | hours-of-day        | all        | 270 units       | GET /stats/taxis, a   |
|                          |                     |            |                 | filter each 10 min    |

The costs are those of 60,000 taxis in an hour, of 45,000 pairs of town and operator, made up at
random (2 bytes a row, 10 bytes a taxi of a set). A minute writes 153 units; the newcomers of an hour
are 800 KB, 811 units in some 62 sheets; an hour's count writes 190 units and a day's 680. A sheet of
rows ends at some 190,000 pairs, and an hour of the day, whose sums are divided into ten parts, at ten
times that: beyond it the job fails with SheetTooLarge.
"""

import secrets
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from typing import Any

from chalicelib.foundation.store import sheets
from chalicelib.foundation.store.sheets import Sheet
from chalicelib.foundation.store.writes import Moved
from chalicelib.taxis.stats.active import rules
from chalicelib.taxis.stats.active.rules import ActiveTaxi, Fleet, HourOfDay, Rows, Span, Tally

_ACTIVE, _MINUTE, _HEAT = "active", "minute", "heat"
_COUNTED, _HOURS_OF_DAY = "counted", "hours-of-day"

# Long enough for the nights' job to make up for two days that it has missed, and for its weeks.
HOURS_KEPT = timedelta(days=3)
DAYS_KEPT = timedelta(days=9)

# Of a set's sheet: 190 KB where each taxi is the only one of its town and operator.
TAXIS_A_SHEET = 20_000

# The sums of an hour of the day are divided by the first character of the town's code.
PARTS = "0123456789"


# --- the latest minute --------------------------------------------------------------------------


def put_minute(counted: Rows, *, at: datetime) -> None:
    """Stores the latest minute's rows in place of the ones before."""
    sheets.put(_ACTIVE, _MINUTE, [int(at.timestamp()), _row_columns(counted)])


def minute() -> tuple[datetime, Rows] | None:
    """The latest minute's rows and their time."""
    sheet = sheets.get(_ACTIVE, _MINUTE)
    if sheet is None:
        return None
    at_s, columns = sheet.content
    return datetime.fromtimestamp(at_s, UTC), _rows(columns)


def put_heat(heat: dict[str, int], *, at: datetime) -> None:
    """Stores where the latest minute's taxis are, by geohash, in place of where they were before."""
    sheets.put(_ACTIVE, _HEAT, [int(at.timestamp()), _columns(sorted(heat.items()))])


def heat() -> tuple[datetime, dict[str, int]] | None:
    """How many of the latest minute's taxis are in each geohash, and their time."""
    sheet = sheets.get(_ACTIVE, _HEAT)
    if sheet is None:
        return None
    at_s, columns = sheet.content
    return datetime.fromtimestamp(at_s, UTC), dict(zip(*columns, strict=True))


# --- who has been seen --------------------------------------------------------------------------


def add_seen(fleet: Fleet, *, hour: datetime, at: datetime) -> None:
    """Adds taxis to those seen in an hour; an empty fleet says that somebody has looked.

    Sheets are only ever added, each with a name of its own, so that two runs at once, or a minute
    that is counted again, lose nothing.
    """
    name = f"{at:%M}#{secrets.token_hex(4)}"
    for number, content in enumerate(_fleet_sheets(fleet)):
        sheets.put(_hour_series(hour), f"{name}#{number}", content, until=hour + HOURS_KEPT)


def seen(hour: datetime) -> dict[int, ActiveTaxi] | None:
    """The taxis that have been seen in an hour so far; None where nobody has looked."""
    found = [_fleet(sheet.content) for sheet in sheets.every(_hour_series(hour), consistent=True)]
    return rules.united(found) if found else None


def put_seen_on(day: datetime, fleet: Fleet) -> None:
    """Stores the taxis that have been seen on a day."""
    for number, content in enumerate(_fleet_sheets(fleet)):
        sheets.put(_day_series(day), f"{number:03}", content, until=day + DAYS_KEPT)


def seen_on(day: datetime) -> dict[int, ActiveTaxi]:
    """The taxis that have been seen on a day; none where it was not counted."""
    return rules.united(_fleet(sheet.content) for sheet in sheets.every(_day_series(day)))


def _hour_series(hour: datetime) -> str:
    return f"seen#{_name(Span.HOUR, hour)}"


def _day_series(day: datetime) -> str:
    return f"seen-day#{_name(Span.DAY, day)}"


# --- what was counted ---------------------------------------------------------------------------


def put_counted(span: Span, began: datetime, counted: Rows) -> None:
    """Stores the rows of an hour, a day, or a week by its last day; for good."""
    sheets.put(f"active#{span}", _name(span, began), _row_columns(counted))


def counted(span: Span, began: datetime) -> Rows | None:
    """The rows of an hour, a day, or a week by its last day; None where it was not counted."""
    sheet = sheets.get(f"active#{span}", _name(span, began))
    return None if sheet is None else _rows(sheet.content)


def counted_until(span: Span) -> datetime | None:
    """The last hour or day that was counted."""
    sheet = sheets.get(_COUNTED, span, consistent=True)
    return None if sheet is None else datetime.fromtimestamp(sheet.content, UTC)


def keep_counted_until(span: Span, last: datetime) -> None:
    """Remembers the last hour or day that was counted."""
    sheets.put(_COUNTED, span, int(last.timestamp()))


def _name(span: Span, began: datetime) -> str:
    return f"{began:%Y-%m-%dT%H}" if span is Span.HOUR else f"{began:%Y-%m-%d}"


# --- the hours of the day -----------------------------------------------------------------------


def fold(hour: datetime, counted: Rows) -> None:
    """Adds an hour to the sums of its hour of the day; folding it again changes nothing."""
    for part in PARTS:
        of_part = {key: tally for key, tally in counted.items() if key[0].startswith(part)}
        _fold(f"{hour:%H}#{part}", hour, of_part)


def _fold(entry: str, hour: datetime, counted: Rows) -> None:
    sheet = sheets.get(_HOURS_OF_DAY, entry, consistent=True)
    before = rules.NO_HOUR if sheet is None else _hour_of_day(sheet)
    folded = before.with_hour(hour, counted)
    if folded is before or folded.last is None:
        return
    columns = _columns((*key, total) for key, total in sorted(folded.sums.items()))
    content = [int(folded.last.timestamp()), folded.hours, columns]
    try:
        sheets.renew(_HOURS_OF_DAY, Sheet(entry, content, 0 if sheet is None else sheet.version))
    except Moved:
        # Another run is folding too, most likely this very hour.
        _fold(entry, hour, counted)


def hours_of_day() -> Iterator[tuple[int, HourOfDay]]:
    """Every hour of the day (0-23) that has been counted, in up to ten parts of the country each."""
    for sheet in sheets.every(_HOURS_OF_DAY):
        yield int(sheet.entry[:2]), _hour_of_day(sheet)


def _hour_of_day(sheet: Sheet) -> HourOfDay:
    last_s, hours, columns = sheet.content
    sums = {(insee, owner): total for insee, owner, total in zip(*columns, strict=True)}
    return HourOfDay(datetime.fromtimestamp(last_s, UTC), hours, sums)


# --- packing ------------------------------------------------------------------------------------


def _columns(lines: Iterable[tuple[object, ...]]) -> list[list[object]]:
    """Lines as columns, which compress to some 20 % less."""
    return [list(column) for column in zip(*lines, strict=True)]


def _row_columns(counted: Rows) -> list[list[object]]:
    return _columns((*key, *tally) for key, tally in sorted(counted.items()))


def _rows(columns: list[list[Any]]) -> Rows:
    return {
        (insee, owner): Tally(active, free)
        for insee, owner, active, free in zip(*columns, strict=True)
    }


def _fleet_sheets(fleet: Fleet) -> Iterator[list[list[object]]]:
    """A fleet in sheets of at most `TAXIS_A_SHEET`, at least one: each town, operator and whether free
    beside its taxis, which are sorted and written as steps from one to the next."""
    taxis = sorted((taxi, number) for number, taxi in fleet.items())
    for start in range(0, max(len(taxis), 1), TAXIS_A_SHEET):
        groups: dict[ActiveTaxi, list[int]] = {}
        for taxi, number in taxis[start : start + TAXIS_A_SHEET]:
            groups.setdefault(taxi, []).append(number)
        yield _columns(
            (taxi.insee, taxi.owner, int(taxi.free), _steps(numbers))
            for taxi, numbers in groups.items()
        )


def _steps(numbers: list[int]) -> list[int]:
    return [numbers[0], *(later - earlier for earlier, later in pairwise(numbers))]


def _fleet(columns: list[list[Any]]) -> dict[int, ActiveTaxi]:
    fleet = {}
    for insee, owner, free, steps in zip(*columns, strict=True):
        taxi = ActiveTaxi(insee, owner, bool(free))
        fleet.update(dict.fromkeys(accumulate(steps), taxi))
    return fleet
