"""What is counted of searches, and what is read out of the counts."""

import random
import statistics
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.taxis.stats.filters import EVERYTHING, Filter
from chalicelib.taxis.stats.searches import rules
from chalicelib.taxis.stats.searches.rules import Counts, Place
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
    counts = rules.counted(
        [
            a_search(found=2, seen=1, nearest_m=120),
            a_search(found=2, seen=0, nearest_m=80),
            a_search(insee="33063", moteur=8, found=0, seen=0, nearest_m=None, geohash="ezzx0p"),
        ]
    )

    assert counts.towns["75056"].found == {2: 2}
    assert counts.towns["75056"].seen == {0: 1, 1: 1}
    assert counts.towns["75056"].nearest_m == {80: 1, 120: 1}
    assert counts.towns["75056"].hours == {12: 2}
    assert counts.towns["33063"].nearest_m == {}
    assert counts.moteurs == {(7, "75056"): 2, (8, "33063"): 1}
    assert counts.cells == {"u09tvm": 2, "ezzx0p": 1}
    assert counts.searches == 3


@given(st.lists(st.integers(0, 3), min_size=60, max_size=60), st.integers(0, 99))
def test_counts_may_be_added_in_any_division_and_order(piles: list[int], seed: int) -> None:
    searches = some_searches(len(piles), seed=seed)
    divided = [
        rules.counted(search for search, own in zip(searches, piles, strict=True) if own == pile)
        for pile in range(4)
    ]
    random.Random(seed).shuffle(divided)

    total = Counts()
    for counts in divided:
        total.add(counts)

    assert total == rules.counted(searches)


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


@pytest.mark.parametrize(
    "filters",
    [
        EVERYTHING,
        Filter(departements=frozenset({"75"})),
        Filter(departements=frozenset({"974", "2A"}), insees=frozenset({"97411", "75056"})),
        Filter(insees=frozenset({"33063", "94018"})),
        Filter(insees=frozenset({"01001"})),
    ],
)
def test_quartiles_are_those_of_the_towns_asked_for(filters: Filter) -> None:
    searches = some_searches(500)

    assert rules.quartiles(rules.counted(searches).towns, filters) == by_hand(searches, filters)


def test_the_ten_accounts_that_searched_most_come_first() -> None:
    moteurs = {(moteur, "75056"): 100 - moteur for moteur in range(12)}
    moteurs |= {(11, "33063"): 50, (3, "33063"): 1}

    top = rules.top_moteurs(moteurs, EVERYTHING, size=10)
    in_bordeaux = rules.top_moteurs(moteurs, Filter(departements=frozenset({"33"})), size=10)

    assert top[:3] == [(11, 139), (0, 100), (1, 99)]
    assert len(top) == 10
    assert in_bordeaux == [(11, 50), (3, 1)]


def test_equals_are_in_the_order_of_their_names() -> None:
    assert rules.heaviest({"b": 1, "a": 1, "c": 2, "d": 1}, size=3) == [
        ("c", 2),
        ("a", 1),
        ("b", 1),
    ]
