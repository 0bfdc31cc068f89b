"""Typed values as bytes: what comes back, and how small tables are by column."""

import random
import zlib
from array import array
from datetime import UTC, datetime

import msgspec
import pytest
from msgspec import Struct

from chalicelib.foundation.packing import Numbers, Table, compact, pack, unpack


class Point(Struct, frozen=True):
    lng: int
    lat: int


class Row(Struct, frozen=True):
    insee: str
    at: datetime
    point: Point
    names: dict[str, int]
    free: bool


class Whole(Struct, frozen=True):
    rows: Table[Row]
    numbers: dict[str, Numbers]


NOON = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
ROWS = [
    Row("75056", NOON, Point(1, -2), {"a": 1}, free=True),
    Row("2B033", NOON, Point(3, 4), {}, free=False),
]


def test_tables_come_back_with_their_rows_wherever_they_are() -> None:
    whole = Whole(Table(ROWS), {"x": array("q", [1, 70_000, 0])})

    assert unpack(pack(Table(ROWS)), Table[Row]) == ROWS
    assert unpack(pack(whole), Whole) == whole
    assert unpack(pack([Table(ROWS), Table()]), list[Table[Row]]) == [ROWS, []]


def test_a_table_without_rows_comes_back_empty() -> None:
    assert unpack(pack(Table()), Table[Row]) == []


@pytest.mark.parametrize(
    ("numbers", "bytes_each"),
    [
        *(([], 1), ([0, 127, -127], 1), ([128], 2), ([-128], 2)),
        *(([32_768], 4), ([2**31], 8), ([2**63 - 1, 1], 8)),
    ],
)
def test_numbers_take_as_few_bytes_as_the_largest_needs(
    numbers: list[int], bytes_each: int
) -> None:
    packed = compact(numbers)

    assert (packed.tolist(), packed.itemsize) == (numbers, bytes_each)


@pytest.mark.parametrize(
    ("packed", "refusal"),
    [
        (b"no zlib", zlib.error),
        (zlib.compress(b"[1,2]"), msgspec.DecodeError),
        (pack([["75056"], [1]]), msgspec.DecodeError),
        (pack(["75056"]), msgspec.DecodeError),
    ],
)
def test_what_is_no_such_value_is_refused(packed: bytes, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        unpack(packed, Table[Row])


def test_what_nobody_can_read_again_is_not_packed() -> None:
    with pytest.raises(NotImplementedError):
        pack([object()])


def test_a_table_takes_fewer_bytes_than_its_rows_one_by_one() -> None:
    chance = random.Random(1)
    points = [Point(chance.randrange(9), chance.randrange(9)) for _ in range(10_000)]

    assert len(pack(Table(points))) < 0.9 * len(pack(points))
