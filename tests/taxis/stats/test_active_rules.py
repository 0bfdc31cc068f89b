"""What is counted of the taxis that report."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.foundation.geo import LngLat
from chalicelib.taxis.stats.active import rules
from chalicelib.taxis.stats.active.rules import ActiveCounts, ActiveTaxi, HourOfDay, Tally
from chalicelib.taxis.stats.filters import EVERYTHING, Filter

NORTH, BORDER = ("59001", "59002"), ("59002", "62001")
HOUR = datetime(2026, 11, 27, 14, tzinfo=UTC)


def counts(*fleet: ActiveTaxi) -> ActiveCounts:
    return ActiveCounts(rules.rows(fleet))


def test_a_taxi_counts_in_its_town_and_in_every_zone_of_its_town() -> None:
    found = counts(ActiveTaxi("59002", "1", free=True))

    assert found.in_town("59002") == 1
    assert (found.in_zone(NORTH), found.in_zone(BORDER)) == (1, 1)


def test_an_operator_counts_its_own_free_taxis_only() -> None:
    found = counts(
        ActiveTaxi("59001", "1", free=True),
        ActiveTaxi("59001", "1", free=False),
        ActiveTaxi("59001", "2", free=True),
    )

    assert found.in_town("59001") == 3
    assert found.of_operator_in_town("1", "59001") == 1
    assert found.of_operator_in_zone("1", NORTH) == 1


def test_what_nobody_is_in_counts_zero() -> None:
    found = counts()

    assert found.in_zone(NORTH) == found.in_town("59001") == 0
    assert found.of_operator_in_zone("1", NORTH) == found.of_operator_in_town("1", "59001") == 0
    assert found.rows == {}


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (EVERYTHING, 3),
        (Filter(departements=frozenset({"59"})), 2),
        (Filter(insees=frozenset({"62001", "59001"})), 2),
        (Filter(owners=frozenset({"2"})), 2),
        (Filter(departements=frozenset({"59"}), owners=frozenset({"2"})), 1),
        (Filter(owners=frozenset()), 0),
    ],
)
def test_taxis_are_counted_by_departement_town_and_operator(filters: Filter, count: int) -> None:
    found = counts(
        ActiveTaxi("59001", "1", free=True),
        ActiveTaxi("59002", "2", free=False),
        ActiveTaxi("62001", "2", free=True),
    )

    assert found.within(filters) == count


# --- who has been seen ----------------------------------------------------------------------------


def test_who_was_not_seen_or_not_seen_free_is_a_newcomer() -> None:
    busy, free = ActiveTaxi("59001", "1", free=False), ActiveTaxi("59001", "1", free=True)

    new = rules.newcomers(
        {1: busy, 2: busy, 3: free, 4: free, 5: free}, {2: busy, 3: busy, 4: free}
    )

    assert new == {1: busy, 3: free, 5: free}


def test_who_was_free_once_was_free() -> None:
    busy, free = ActiveTaxi("59001", "1", free=False), ActiveTaxi("59001", "1", free=True)

    assert rules.united([{1: free, 2: busy}, {1: busy, 3: busy}]) == {1: free, 2: busy, 3: busy}
    assert rules.united([{1: busy}, {1: free}]) == {1: free}


def test_a_taxi_whose_licence_moved_counts_once_for_its_last_town() -> None:
    seen = rules.united(
        [{1: ActiveTaxi("59001", "1", free=True)}, {1: ActiveTaxi("59002", "1", free=False)}]
    )

    assert rules.rows(seen.values()) == {("59002", "1"): Tally(1, 1)}


# --- the map --------------------------------------------------------------------------------------


def test_the_map_weighs_each_cell_by_its_taxis() -> None:
    here, there = LngLat(2.3522, 48.8566), LngLat(-61.5331, 16.2411)

    assert rules.heat([here, there, here]) == {"u09tvw": 2, "dduhru": 1}


def test_the_map_keeps_the_heaviest_cells() -> None:
    light = [LngLat(lng / 50, 45) for lng in range(-4000, 4000)] * 2
    light += [LngLat(lng / 50, 46) for lng in range(-7000, 7000)]
    heavy = LngLat(2.3522, 48.8566)

    found = rules.heat([*light, heavy, heavy, heavy])

    assert len(found) == rules.HEATED_CELLS
    assert Counter(found.values()) == {3: 1, 2: 8000, 1: 11_999}


# --- the hours of the day -------------------------------------------------------------------------


def test_an_hour_is_folded_in_once_and_never_an_older_one() -> None:
    row = {("59001", "1"): Tally(3, 1)}

    once = rules.NO_HOUR.with_hour(HOUR, row)

    assert once == HourOfDay(HOUR, 1, {("59001", "1"): 3})
    assert once.with_hour(HOUR, row) is once
    assert once.with_hour(HOUR - timedelta(days=1), row) is once


def test_an_hour_without_a_taxi_counts_in_the_mean() -> None:
    folded = rules.NO_HOUR.with_hour(HOUR, {("59001", "1"): Tally(3, 1)})
    folded = folded.with_hour(HOUR + timedelta(days=1), {("62001", "2"): Tally(4, 4)})

    assert folded.mean(EVERYTHING) == 3.5
    assert folded.mean(Filter(owners=frozenset({"1"}))) == 1.5
    assert folded.mean(Filter(insees=frozenset({"75056"}))) == 0
