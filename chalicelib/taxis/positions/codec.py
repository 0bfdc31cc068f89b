"""Binary formats of positions: ids, times, entries of a cell, records of the stream. Pure.

An entry of a cell is 24 bytes, `<QiiII`: the head, latitude and longitude in 1e-7 degree, the time
at which the position was received, the time at which status or radius last changed. The head is,
from the lowest bit on: the taxi's id (41 bits), its status (3), `LEAVING` (1), nothing (3), its
radius in metres (16; 0 where the taxi has chosen none).

A report of the stream is one byte of version, the time of receipt, and then 14 bytes a position:
the id in 6, latitude and longitude. Before the report of a request that is traced, and of no other,
stand one byte of version and the trace (`tracing`).

Times are ticks of 0.1 s since 2025, which four bytes hold until 2038.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain
from struct import Struct
from typing import NamedTuple

from chalicelib.foundation.observe.tracing import TRACE_BYTES
from chalicelib.taxis.vocabulary import TAXI_ID_ALPHABET as ALPHABET
from chalicelib.taxis.vocabulary import TAXI_ID_LENGTH as ID_LENGTH
from chalicelib.taxis.vocabulary import TaxiStatus

EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
TICK = timedelta(milliseconds=100)
TICKS_A_SECOND = 10
LAST_TICK = 0xFFFFFFFF

IDS = len(ALPHABET) ** ID_LENGTH  # of which 41 bits hold every one

ID_BITS = 41
ID = (1 << ID_BITS) - 1
STATUS_SHIFT = ID_BITS
STATUS = 0b111
LEAVING = 1 << 44  # written into the cell that a taxi leaves, until its new one is written
RADIUS_SHIFT = 48
REGISTER = STATUS << STATUS_SHIFT | 0xFFFF << RADIUS_SHIFT  # what changes by order, not by report

# Of two changes in the same tick the higher code stands: a doubtful taxi is not shown.
STATUS_CODES = {
    TaxiStatus.FREE: 0,
    TaxiStatus.OCCUPIED: 1,
    TaxiStatus.OFF: 2,
    TaxiStatus.ANSWERING: 3,
    TaxiStatus.ONCOMING: 4,
}

ENTRY = Struct("<QiiII")
WORDS_AN_ENTRY = ENTRY.size // 4

_REPORT_VERSION = 1
_TRACED = b"\x02"
_REPORT_HEAD = Struct("<BI")
_POSITION_BYTES = 14
_MAX_LNG_E7 = 180 * 10_000_000
_MAX_LAT_E7 = 90 * 10_000_000

Entry = tuple[int, int, int, int, int]  # head, lat_e7, lng_e7, seen, changed


class Unreadable(Exception):
    """The bytes are in none of the formats."""


class Report(NamedTuple):
    """Positions received together: the tick, three columns of equal length, and their trace."""

    seen: int
    taxis: Sequence[int]
    lats_e7: Sequence[int]
    lngs_e7: Sequence[int]
    trace: bytes = b""  # of the request that they came in, where it is traced


def tick(moment: datetime) -> int:
    """The tick that a moment falls in; the first or the last one where four bytes do not hold it."""
    return min(max((moment - EPOCH) // TICK, 0), LAST_TICK)


def first_tick_from(moment: datetime) -> int:
    """The first tick that begins at the moment or after it."""
    return min(max(-((EPOCH - moment) // TICK), 0), LAST_TICK)


def moment(ticks: int) -> datetime:
    """The moment at which a tick begins, in UTC."""
    return EPOCH + ticks * TICK


# Two characters at a time: three look-ups and one for an id, either way.
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
_PAIR_NUMBERS = {pair: number for number, pair in enumerate(_PAIRS)}
_DIGITS = {character: number for number, character in enumerate(ALPHABET)}
_BASE, _PAIR_BASE = len(ALPHABET), len(_PAIRS)


@lru_cache(maxsize=65_536)  # the national fleet, each of which reports every few seconds
def number_of(taxi_id: str) -> int | None:
    """The number of a taxi's id; None for a text that is no id of ours."""
    if len(taxi_id) != ID_LENGTH:
        return None
    try:
        high = _PAIR_NUMBERS[taxi_id[:2]] * _PAIR_BASE + _PAIR_NUMBERS[taxi_id[2:4]]
        return (high * _PAIR_BASE + _PAIR_NUMBERS[taxi_id[4:6]]) * _BASE + _DIGITS[taxi_id[6]]
    except KeyError:
        return None


@lru_cache(maxsize=65_536)
def id_of(number: int) -> str:
    """The id of a number below `IDS`."""
    pairs, last = divmod(number, _BASE)
    high, third = divmod(pairs, _PAIR_BASE)
    first, second = divmod(high, _PAIR_BASE)
    return f"{_PAIRS[first]}{_PAIRS[second]}{_PAIRS[third]}{ALPHABET[last]}"


def head(taxi: int, status: TaxiStatus, radius_m: int) -> int:
    """The head of an entry; a radius of 0 stands for none."""
    return taxi | STATUS_CODES[status] << STATUS_SHIFT | radius_m << RADIUS_SHIFT


_STATUSES = {code: status for status, code in STATUS_CODES.items()}


def status_of(head: int) -> TaxiStatus:
    """The status in an entry's head. Raises Unreadable for one that there is not."""
    try:
        return _STATUSES[head >> STATUS_SHIFT & STATUS]
    except KeyError:
        raise Unreadable(f"no status of a taxi in {head:#x}") from None


def pack_entries(entries: Iterable[Entry]) -> bytes:
    """Entries as the bytes of a cell, in the order given."""
    flat = list(chain.from_iterable(entries))
    return _struct("QiiII", len(flat) // 5).pack(*flat)


def unpack_entries(packed: bytes | bytearray) -> Iterator[Entry]:
    """The entries of a cell. Raises Unreadable for a number of bytes that no cell has."""
    if len(packed) % ENTRY.size:
        raise Unreadable(f"{len(packed)} bytes are no whole number of entries")
    return ENTRY.iter_unpack(packed)


def heads(packed: bytes) -> list[int]:
    """The head of each entry of a cell. Raises Unreadable as `unpack_entries` does."""
    if len(packed) % ENTRY.size:
        raise Unreadable(f"{len(packed)} bytes are no whole number of entries")
    return memoryview(packed).cast("Q")[:: ENTRY.size // 8].tolist()


def words(packed: bytes | bytearray, place: int) -> list[int]:
    """One of the six words of four bytes of each entry of a cell."""
    # The processors of Lambda are little-endian, like an entry.
    return memoryview(packed).cast("I")[place::WORDS_AN_ENTRY].tolist()


def pack_report(seen: int, positions: Iterable[tuple[int, int, int]]) -> bytes:
    """A report of (taxi, lat_e7, lng_e7), all received in the tick `seen`."""
    flat: list[int] = []
    for taxi, lat_e7, lng_e7 in positions:
        flat += (taxi & 0xFFFFFFFF, taxi >> 32, lat_e7, lng_e7)
    return _REPORT_HEAD.pack(_REPORT_VERSION, seen) + _struct("IHii", len(flat) // 4).pack(*flat)


def with_trace(report: bytes, trace: bytes) -> bytes:
    """A packed report that says which trace it belongs to; itself where that is empty."""
    return _TRACED + trace + report if trace else report


def unpack_report(packed: bytes) -> Report:
    """The report of `pack_report`, or of `with_trace`. Raises Unreadable, and nothing else, for any other bytes."""
    trace = b""
    if packed[:1] == _TRACED:
        trace, packed = packed[1 : 1 + TRACE_BYTES], packed[1 + TRACE_BYTES :]
    count, rest = divmod(len(packed) - _REPORT_HEAD.size, _POSITION_BYTES)
    if count < 0 or rest:
        raise Unreadable(f"{len(packed)} bytes are no report")
    version, seen = _REPORT_HEAD.unpack_from(packed)
    if version != _REPORT_VERSION:
        raise Unreadable(f"version {version} of reports is not known")
    flat = _struct("IHii", count).unpack_from(packed, _REPORT_HEAD.size)
    taxis = [high << 32 | low for low, high in zip(flat[::4], flat[1::4], strict=True)]
    lats_e7, lngs_e7 = flat[2::4], flat[3::4]
    if count and (
        max(taxis) >= IDS
        or not -_MAX_LAT_E7 <= min(lats_e7) <= max(lats_e7) <= _MAX_LAT_E7
        or not -_MAX_LNG_E7 <= min(lngs_e7) <= max(lngs_e7) <= _MAX_LNG_E7
    ):
        raise Unreadable("a position of the report is on no globe, or of no taxi")
    return Report(seen, taxis, lats_e7, lngs_e7, trace)


@lru_cache(maxsize=2048)
def _struct(fields: str, count: int) -> Struct:
    return Struct("<" + fields * count)
