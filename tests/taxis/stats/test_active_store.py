"""The sheets of the taxis that report: each row of the table of questions."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.foundation.aws import clients
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import sheets
from chalicelib.taxis.positions import codec
from chalicelib.taxis.stats.active import store
from chalicelib.taxis.stats.active.rules import ActiveTaxi, Span, Tally

pytestmark = pytest.mark.usefixtures("store")

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ROWS = {("75056", "1"): Tally(9, 2), ("2B033", "12"): Tally(1, 0)}


def a_fleet(size: int) -> dict[int, ActiveTaxi]:
    rng = random.Random(size)
    return {
        number: ActiveTaxi(
            f"{rng.randrange(1, 96):02}{rng.randrange(9):03}", rng.choice("123"), rng.random() < 0.5
        )
        for number in rng.sample(range(codec.IDS), size)
    }


def test_the_latest_minute_comes_back_as_it_was_put() -> None:
    store.put_minute(ROWS, at=NOON)
    store.put_heat({"u09tvw": 2, "dduhru": 1}, at=NOON)

    assert store.minute() == (NOON, ROWS)
    assert store.heat() == (NOON, {"u09tvw": 2, "dduhru": 1})


@pytest.mark.parametrize("span", Span)
def test_what_was_counted_comes_back_by_span_and_time(span: Span) -> None:
    store.put_counted(span, NOON, ROWS)

    assert store.counted(span, NOON) == ROWS
    assert store.counted(span, NOON + timedelta(days=1)) is None


def test_who_was_seen_comes_back_from_as_many_sheets_as_it_takes() -> None:
    fleet = a_fleet(store.TAXIS_A_SHEET + 1)

    store.add_seen(fleet, hour=NOON, at=NOON)
    store.put_seen_on(NOON, fleet)

    assert store.seen(NOON) == store.seen_on(NOON) == fleet
    assert len(list(sheets.every("seen#2026-03-02T12"))) == 2
    assert len(list(sheets.every("seen-day#2026-03-02"))) == 2


def test_sheets_of_who_was_seen_are_only_ever_added() -> None:
    first, second = a_fleet(3), a_fleet(4)

    store.add_seen(first, hour=NOON, at=NOON)
    store.add_seen(second, hour=NOON, at=NOON)
    store.add_seen({}, hour=NOON, at=NOON)

    assert store.seen(NOON) == first | second


def test_a_sheet_is_far_from_full_where_each_taxi_is_alone_in_its_town() -> None:
    taxis = a_fleet(store.TAXIS_A_SHEET)
    alone = {
        number: ActiveTaxi(f"{place % 95 + 1:02}{place // 95:03}", str(place % 1009), free=True)
        for place, number in enumerate(taxis)
    }

    store.put_seen_on(NOON, alone)

    assert store.seen_on(NOON) == alone


def test_who_was_seen_is_forgotten_once_the_weeks_are_counted() -> None:
    store.add_seen(a_fleet(1), hour=NOON, at=NOON)
    store.put_seen_on(NOON, a_fleet(1))

    found = clients.dynamodb().scan(TableName=table("statistics"))["Items"]
    kept = {item["series"]["S"]: int(item["ttl"]["N"]) for item in found}

    assert kept == {
        "seen#2026-03-02T12": (NOON + timedelta(days=3)).timestamp(),
        "seen-day#2026-03-02": (NOON + timedelta(days=9)).timestamp(),
    }


def test_an_hour_of_the_day_is_summed_in_ten_parts() -> None:
    store.fold(NOON, ROWS)
    store.fold(NOON + timedelta(days=1), ROWS)

    parts = list(store.hours_of_day())

    assert [hour for hour, _ in parts] == [12] * 10
    assert parts[7][1].sums == {("75056", "1"): 18}
    assert parts[2][1].sums == {("2B033", "12"): 2}
    assert {(part.last, part.hours) for _, part in parts} == {(NOON + timedelta(days=1), 2)}


def test_how_far_the_counts_are_is_remembered() -> None:
    store.keep_counted_until(Span.HOUR, NOON)

    assert store.counted_until(Span.HOUR) == NOON
    assert store.counted_until(Span.DAY) is None
