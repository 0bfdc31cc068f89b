"""Sheets of the taxis that report (`foundation/store/sheets.py` says what a sheet costs).

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
random, when a tally took 2 bytes and a taxi of a set 10; now it takes 7. A minute wrote 153 units; the
newcomers of an hour were 811 units in some 62 sheets; an hour's count wrote 190 units and a day's 680.
A sheet of tallies ends at some 190,000 pairs, and an hour of the day, whose sums are divided into ten
parts, at ten times that: beyond it the job fails with SheetTooLarge.
"""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import chain

from chalicelib.foundation.packing import Table
from chalicelib.foundation.store.sheets import Series, divide
from chalicelib.taxis.stats.active import rules
from chalicelib.taxis.stats.active.rules import (
    ActiveTaxi,
    Fleet,
    HeatMap,
    HourOfDay,
    Minute,
    Span,
    Tally,
)
from chalicelib.taxis.stats.heat import Cell

# Long enough for the nights' job to make up for two days that it has missed, and for its weeks.
HOURS_KEPT = timedelta(days=3)
DAYS_KEPT = timedelta(days=9)

# The sums of an hour of the day are divided by the first character of the town's code.
PARTS = "0123456789"

_MINUTE = Series("active", Minute)
_HEAT = Series("active", HeatMap)
SEEN = Series("seen", Table[ActiveTaxi])
SEEN_ON_DAY = Series("seen-day", Table[ActiveTaxi])
_TALLIES = Series("active", Table[Tally])
PROGRESS = Series("counted", datetime)
_HOURS_OF_DAY = Series("hours-of-day", HourOfDay)


# --- the latest minute --------------------------------------------------------------------------


def put_minute(tallies: Iterable[Tally], *, at: datetime) -> None:
    """Stores the latest minute's tallies in place of the ones before."""
    _MINUTE.put("minute", Minute(at, Table(tallies)))


def minute() -> Minute | None:
    """The latest minute's tallies."""
    return _MINUTE.get("minute")


def put_heat(cells: Iterable[Cell], *, at: datetime) -> None:
    """Stores where the latest minute's taxis are, in place of where they were before."""
    _HEAT.put("heat", HeatMap(at, Table(sorted(cells, key=lambda cell: cell.geohash))))


def heat() -> HeatMap | None:
    """Where the latest minute's taxis are."""
    return _HEAT.get("heat")


# --- who has been seen --------------------------------------------------------------------------


def add_to_hour_fleet(taxis: Iterable[ActiveTaxi], *, hour: datetime, at: datetime) -> None:
    """Adds taxis to those seen in an hour; none of them says that somebody has looked.

    Sheets are only ever added, each with a name of its own, so that two runs at once, or a minute
    that is counted again, lose nothing.
    """
    SEEN.of(_name(Span.HOUR, hour)).put_parts(
        f"{at:%M}#{secrets.token_hex(4)}#", _divided(taxis), until=hour + HOURS_KEPT
    )


def hour_fleet(hour: datetime) -> Fleet | None:
    """The taxis that have been seen in an hour so far; None where nobody has looked."""
    sheets = [*SEEN.of(_name(Span.HOUR, hour)).all(consistent=True)]
    return rules.unite(chain(*(taxis for _, taxis in sheets))) if sheets else None


def put_day_fleet(day: datetime, taxis: Iterable[ActiveTaxi]) -> None:
    """Stores the taxis that have been seen on a day."""
    SEEN_ON_DAY.of(_name(Span.DAY, day)).put_parts("", _divided(taxis), until=day + DAYS_KEPT)


def day_fleet(day: datetime) -> Iterator[ActiveTaxi]:
    """The taxis that have been seen on a day; none where it was not counted."""
    for _, taxis in SEEN_ON_DAY.of(_name(Span.DAY, day)).all():
        yield from taxis


def _divided(taxis: Iterable[ActiveTaxi]) -> list[Table[ActiveTaxi]]:
    # In an order in which they compress well.
    ordered = sorted(taxis, key=lambda taxi: (taxi.insee, taxi.owner, taxi.free, taxi.number))
    return divide(ordered, Table)


# --- what was counted ---------------------------------------------------------------------------


def put_tallies(span: Span, began: datetime, tallies: Iterable[Tally]) -> None:
    """Stores the tallies of an hour, a day, or a week by its last day; for good."""
    _TALLIES.of(span).put(_name(span, began), Table(tallies))


def tallies(span: Span, began: datetime) -> Sequence[Tally] | None:
    """The tallies of an hour, a day, or a week by its last day; None where it was not counted."""
    return _TALLIES.of(span).get(_name(span, began))


def progress(span: Span) -> datetime | None:
    """The last hour or day that was counted."""
    return PROGRESS.get(span, consistent=True)


def put_progress(span: Span, last: datetime) -> None:
    """Remembers the last hour or day that was counted."""
    PROGRESS.put(span, last)


def _name(span: Span, began: datetime) -> str:
    return f"{began:%Y-%m-%dT%H}" if span is Span.HOUR else f"{began:%Y-%m-%d}"


# --- the hours of the day -----------------------------------------------------------------------


def add_hour(hour: datetime, tallies: Sequence[Tally]) -> None:
    """Adds an hour to the sums of its hour of the day; to add it again changes nothing."""
    for part in PARTS:
        some = [tally for tally in tallies if tally.insee.startswith(part)]
        _HOURS_OF_DAY.change(f"{hour:%H}#{part}", partial(rules.with_hour, hour=hour, tallies=some))


def hours_of_day() -> Iterator[tuple[int, HourOfDay]]:
    """Every hour of the day (0-23) that has been counted, in up to ten parts of the country each."""
    for entry, part in _HOURS_OF_DAY.all():
        yield int(entry[:2]), part
