"""What is counted of searches, and what is read out of the counts."""

import random
import statistics
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.taxis.stats.filters import EVERYTHING
from chalicelib.taxis.stats.searches import rules
from chalicelib.taxis.stats.searches.rules import Figure, Place, SearchQuartiles
from tests.taxis.stats.searching import NOON, a_search, by_hand, some_searches, value_at


@pytest.mark.parametrize(
    ("values", "quartiles"),
    [
        ([], (None, None, None)),
        ([3], (3, 3, 3)),
        ([1, 2], (1.25, 1.5, 1.75)),
        ([1, 2, 3], (1.5, 2, 2.5)),
        ([0, 0, 0, 10], (0, 0, 2.5)),
        ([5, 5, 5, 5, 5], (5, 5, 5)),
        ([1, 2, 4, 8, 16], (2, 4, 8)),
    ],
)
def test_percentiles_are_those_of_percentile_cont(
    values: list[int], quartiles: tuple[float | None, ...]
) -> None:
    histogram = Counter(values)

    assert tuple(rules.percentile(histogram, part) for part in (0.25, 0.5, 0.75)) == quartiles


@given(st.lists(st.integers(0, 40), min_size=2, max_size=60))
def test_percentiles_of_a_histogram_are_those_of_its_values(values: list[int]) -> None:
    histogram = Counter(values)

    found = [rules.percentile(histogram, part) for part in (0.25, 0.5, 0.75)]

    assert found == pytest.approx(statistics.quantiles(values, n=4, method="inclusive"))
    assert found == pytest.approx([value_at(values, part) for part in (0.25, 0.5, 0.75)])


def test_a_value_that_was_counted_no_times_changes_no_percentile() -> None:
    assert rules.percentile(Counter({1: 0, 2: 1, 9: 0}), 0.5) == 2
    assert rules.percentile(Counter({1: 0}), 0.5) is None


def test_a_search_is_counted_by_town_with_its_hour_by_account_and_by_cell() -> None:
    counts = rules.count_searches(
        [
            a_search(found=2, seen=1, nearest_m=120),
            a_search(found=2, seen=0, nearest_m=80),
            a_search(insee="33063", moteur=8, found=0, seen=0, nearest_m=None, geohash="ezzx0p"),
        ]
    )

    assert counts == {
        (Figure.FOUND, "75056", 2): 2,
        (Figure.SEEN, "75056", 0): 1,
        (Figure.SEEN, "75056", 1): 1,
        (Figure.NEAREST_M, "75056", 80): 1,
        (Figure.NEAREST_M, "75056", 120): 1,
        (Figure.HOUR, "75056", 12): 2,
        (Figure.MOTEUR, "75056", 7): 2,
        (Figure.CELL, "u09tvm", 0): 2,
        (Figure.FOUND, "33063", 0): 1,
        (Figure.SEEN, "33063", 0): 1,
        (Figure.HOUR, "33063", 12): 1,
        (Figure.MOTEUR, "33063", 8): 1,
        (Figure.CELL, "ezzx0p", 0): 1,
    }
    assert rules.total(counts) == 3


@given(st.lists(st.integers(0, 3), min_size=60, max_size=60), st.integers(0, 99))
def test_counts_may_be_added_in_any_division_and_order(piles: list[int], seed: int) -> None:
    searches = some_searches(len(piles), seed=seed)
    divided = [
        rules.count_searches(
            search for search, own in zip(searches, piles, strict=True) if own == pile
        )
        for pile in range(4)
    ]
    random.Random(seed).shuffle(divided)

    total = rules.counts_of(row for counts in divided for row in rules.rows(counts))

    assert total == rules.count_searches(searches)


@pytest.mark.parametrize(
    ("late_h", "own_hour"), [(0, True), (1, True), (2, False), (30, False), (-1, False)]
)
def test_a_search_is_counted_in_its_hour_unless_its_report_comes_too_late(
    *, late_h: int, own_hour: bool
) -> None:
    search = a_search(insee="97411")
    arrival_hour = search.hour + late_h

    counted = rules.timely(search, arrival_hour=arrival_hour)

    assert counted == search._replace(hour=search.hour if own_hour else arrival_hour)


def test_a_search_is_counted_in_its_day_and_departement() -> None:
    midnight = NOON.replace(hour=0, minute=0)

    first, last = a_search(midnight, insee="97411"), a_search(midnight - timedelta(seconds=1))

    assert rules.place_of(first) == Place(NOON.date(), "974")
    assert rules.place_of(last) == Place(NOON.date() - timedelta(days=1), "75")


def test_no_report_of_a_day_can_be_counted_once_it_is_complete() -> None:
    retention = timedelta(hours=24)
    latest_arrival = timedelta(hours=rules.LATE_HOURS)

    assert latest_arrival + retention < rules.COMPLETE_AFTER


def test_quartiles_are_those_of_the_searches() -> None:
    searches = some_searches(500)

    found = rules.quartiles(rules.rows(rules.count_searches(searches)))

    assert found == by_hand(searches, EVERYTHING)
    assert rules.quartiles([]) == SearchQuartiles()
