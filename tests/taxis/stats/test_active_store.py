"""The sheets of the taxis that report: each row of the table of questions."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.foundation.aws import clients
from chalicelib.foundation.packing import Table
from chalicelib.foundation.settings import table
from chalicelib.taxis.positions import codec
from chalicelib.taxis.stats.active import store
from chalicelib.taxis.stats.active.rules import (
    ActiveTaxi,
    HeatMap,
    Minute,
    Span,
    Tally,
    TownSum,
)
from chalicelib.taxis.stats.heat import Cell

pytestmark = pytest.mark.usefixtures("store")

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TALLIES = [Tally("75056", "1", 9, 2), Tally("2B033", "12", 1, 0)]


def a_fleet(size: int) -> dict[int, ActiveTaxi]:
    rng = random.Random(size)
    return {
        number: ActiveTaxi(
            number,
            f"{rng.randrange(1, 96):02}{rng.randrange(9):03}",
            rng.choice("123"),
            rng.random() < 0.5,
        )
        for number in rng.sample(range(codec.IDS), size)
    }


def test_the_latest_minute_comes_back_as_it_was_put() -> None:
    store.put_minute(TALLIES, at=NOON)
    store.put_heat([Cell("u09tvw", 2), Cell("dduhru", 1)], at=NOON)

    assert store.minute() == Minute(NOON, Table(TALLIES))
    assert store.heat() == HeatMap(NOON, Table([Cell("dduhru", 1), Cell("u09tvw", 2)]))


@pytest.mark.parametrize("span", Span)
def test_what_was_counted_comes_back_by_span_and_time(span: Span) -> None:
    store.put_tallies(span, NOON, TALLIES)

    assert store.tallies(span, NOON) == TALLIES
    assert store.tallies(span, NOON + timedelta(days=1)) is None


def test_who_was_seen_comes_back_from_as_many_sheets_as_it_takes() -> None:
    fleet = a_fleet(100_000)

    store.add_to_hour_fleet(fleet.values(), hour=NOON, at=NOON)
    store.put_day_fleet(NOON, fleet.values())

    assert store.hour_fleet(NOON) == {taxi.number: taxi for taxi in store.day_fleet(NOON)} == fleet
    assert len(list(store.SEEN.of("2026-03-02T12").all())) == 2
    assert len(list(store.SEEN_ON_DAY.of("2026-03-02").all())) == 2


def test_sheets_of_who_was_seen_are_only_ever_added() -> None:
    first, second = a_fleet(3), a_fleet(4)

    store.add_to_hour_fleet(first.values(), hour=NOON, at=NOON)
    store.add_to_hour_fleet(second.values(), hour=NOON, at=NOON)
    store.add_to_hour_fleet([], hour=NOON, at=NOON)

    assert store.hour_fleet(NOON) == first | second


def test_who_was_seen_is_forgotten_once_the_weeks_are_counted() -> None:
    store.add_to_hour_fleet(a_fleet(1).values(), hour=NOON, at=NOON)
    store.put_day_fleet(NOON, a_fleet(1).values())

    found = clients.dynamodb().scan(TableName=table("statistics"))["Items"]
    kept = {item["series"]["S"]: int(item["ttl"]["N"]) for item in found}

    assert kept == {
        "2#seen#2026-03-02T12": (NOON + timedelta(days=3)).timestamp(),
        "2#seen-day#2026-03-02": (NOON + timedelta(days=9)).timestamp(),
    }


def test_an_hour_of_the_day_is_summed_in_ten_parts() -> None:
    store.add_hour(NOON, TALLIES)
    store.add_hour(NOON + timedelta(days=1), TALLIES)

    parts = list(store.hours_of_day())

    assert [hour for hour, _ in parts] == [12] * 10
    assert parts[7][1].sums == [TownSum("75056", "1", 18)]
    assert parts[2][1].sums == [TownSum("2B033", "12", 2)]
    assert {(part.last, part.hours) for _, part in parts} == {(NOON + timedelta(days=1), 2)}


def test_how_far_the_counts_are_is_remembered() -> None:
    store.put_progress(Span.HOUR, NOON)

    assert store.progress(Span.HOUR) == NOON
    assert store.progress(Span.DAY) is None
