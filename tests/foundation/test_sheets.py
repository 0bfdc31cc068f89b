"""Sheets of counters: typed, packed, found by series, and changed by one at a time."""

import random
from datetime import UTC, datetime

import pytest

from chalicelib.foundation.aws import clients
from chalicelib.foundation.retry import Retry
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import sheets
from chalicelib.foundation.store.sheets import Series, SheetTooLarge, divide
from chalicelib.foundation.store.writes import Moved

pytestmark = pytest.mark.usefixtures("store")

NUMBERS = Series("hails", list[int])
TEXTS = Series("texts", str)


def test_a_sheet_comes_back_as_it_was_put() -> None:
    NUMBERS.put("1", [9, 2])

    assert NUMBERS.get("1") == NUMBERS.get("1", consistent=True) == [9, 2]


def test_a_sheet_that_was_never_put_is_none() -> None:
    assert NUMBERS.get("1") is None


def test_a_series_is_read_by_entry_and_by_its_beginning() -> None:
    for entry in ("2#b", "1#a", "2#a"):
        TEXTS.put(entry, entry.upper())
    TEXTS.of("2").put("2#c", "")

    assert list(TEXTS.all()) == [("1#a", "1#A"), ("2#a", "2#A"), ("2#b", "2#B")]
    assert [entry for entry, _ in TEXTS.all(begins="2#")] == ["2#a", "2#b"]
    assert list(Series("texts#2", str).all()) == [("2#c", "")]


def with_one_more(numbers: list[int] | None) -> list[int]:
    return [*(numbers or []), 1]


def test_a_sheet_is_changed_from_what_it_holds_or_from_nothing() -> None:
    for _ in range(3):
        NUMBERS.change("1", with_one_more)

    assert NUMBERS.get("1") == [1, 1, 1]


def test_a_sheet_that_is_changed_into_nothing_stays_as_it_is() -> None:
    NUMBERS.put("1", [5])

    NUMBERS.change("1", lambda _: None)
    NUMBERS.change("2", lambda _: None)

    assert dict(NUMBERS.all()) == {"1": [5]}


@pytest.mark.parametrize("before", [None, [7]])
def test_a_change_that_another_was_ahead_of_is_made_anew(before: list[int] | None) -> None:
    if before:
        NUMBERS.put("1", before)
    seen = []

    def changed(numbers: list[int] | None) -> list[int]:
        seen.append(numbers)
        if len(seen) == 1:
            NUMBERS.change("1", with_one_more)
        return [*(numbers or []), 2]

    NUMBERS.change("1", changed)

    assert seen == [before, [*(before or []), 1]]
    assert NUMBERS.get("1") == [*(before or []), 1, 2]


def test_a_change_that_others_are_always_ahead_of_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sheets, "_CHANGES", Retry(3, pause_s=0))
    tries = []

    def changed(_: list[int] | None) -> list[int]:
        tries.append(1)
        NUMBERS.change("1", with_one_more)
        return [2]

    with pytest.raises(Moved):
        NUMBERS.change("1", changed)

    assert NUMBERS.get("1") == tries == [1] * 3


def noise(size: int) -> str:
    return random.Random(1).randbytes(size).hex()


def test_a_sheet_that_does_not_fit_is_refused_by_its_name() -> None:
    with pytest.raises(SheetTooLarge, match="texts/1"):
        TEXTS.put("1", noise(600_000))
    with pytest.raises(SheetTooLarge, match="texts/1"):
        TEXTS.change("1", lambda _: noise(600_000))


@pytest.mark.parametrize(("size", "parts"), [(0, 1), (1, 1), (100, 1), (3_500, 1), (20_000, 4)])
def test_things_take_as_many_sheets_as_they_do_not_fit_into_fewer(size: int, parts: int) -> None:
    chance = random.Random(1)
    things = [chance.randbytes(50).hex() for _ in range(size)]
    lists = Series("lists", list[str])

    contents = divide(things, list)
    entries = lists.put_parts("07#", contents)

    assert [thing for content in contents for thing in content] == things
    assert len(entries) == parts
    assert entries == [entry for entry, _ in lists.all()]
    assert [content for _, content in lists.all()] == contents


def test_a_removed_sheet_is_gone() -> None:
    NUMBERS.put("1", [1])

    NUMBERS.remove("1")
    NUMBERS.remove("1")

    assert NUMBERS.get("1") is None


def test_a_sheet_may_have_an_end() -> None:
    end = datetime(2126, 1, 1, tzinfo=UTC)
    NUMBERS.put("1", [1], until=end)
    NUMBERS.change("2", with_one_more, until=end)

    items = clients.dynamodb().scan(TableName=table("statistics"))["Items"]

    assert [item["ttl"]["N"] for item in items] == [str(int(end.timestamp()))] * 2
