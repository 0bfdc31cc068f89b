"""Sheets of counters: packed, found by series, and written over the version that was read."""

import random
from datetime import UTC, datetime

import pytest

from chalicelib.foundation.store import sheets
from chalicelib.foundation.store.sheets import Sheet, SheetTooLarge
from chalicelib.foundation.store.writes import Moved

pytestmark = pytest.mark.usefixtures("store")


def test_a_sheet_comes_back_as_it_was_put() -> None:
    sheets.put("active", "minute", {"75056": [9, 2]})

    assert sheets.get("active", "minute") == Sheet("minute", {"75056": [9, 2]}, 1)


def test_a_sheet_that_was_never_put_is_none() -> None:
    assert sheets.get("active", "minute") is None


def test_a_series_is_read_by_entry_and_by_its_beginning() -> None:
    for entry in ("2#b", "1#a", "2#a"):
        sheets.put("hails", entry, entry)
    sheets.put("other", "2#c", "")

    assert [sheet.content for sheet in sheets.every("hails")] == ["1#a", "2#a", "2#b"]
    assert [sheet.entry for sheet in sheets.every("hails", begins="2#")] == ["2#a", "2#b"]


def test_a_renewed_sheet_has_the_next_version() -> None:
    sheets.renew("hails", Sheet("1", [1], 0))
    sheets.renew("hails", Sheet("1", [2], 1))

    assert sheets.get("hails", "1") == Sheet("1", [2], 2)


@pytest.mark.parametrize("read", [0, 1, 3])
def test_a_sheet_that_has_changed_since_is_not_written_over(read: int) -> None:
    sheets.renew("hails", Sheet("1", [1], 0))
    sheets.renew("hails", Sheet("1", [2], 1))

    with pytest.raises(Moved):
        sheets.renew("hails", Sheet("1", [9], read))

    assert sheets.get("hails", "1") == Sheet("1", [2], 2)


def test_a_sheet_that_does_not_fit_is_refused_by_its_name() -> None:
    noise = random.Random(1).randbytes(600_000).hex()

    with pytest.raises(SheetTooLarge, match="hails/1"):
        sheets.put("hails", "1", noise)


def test_a_removed_sheet_is_gone() -> None:
    sheets.put("hails", "1", [1])

    sheets.remove("hails", "1")
    sheets.remove("hails", "1")

    assert sheets.get("hails", "1") is None


def test_a_sheet_may_have_an_end() -> None:
    sheets.put("seen", "1", [1], until=datetime(2126, 1, 1, tzinfo=UTC))

    assert sheets.get("seen", "1") == Sheet("1", [1], 1)
