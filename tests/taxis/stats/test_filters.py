"""Filters of statistics: each that is given must hold."""

import pytest

from chalicelib.taxis.stats.active.rules import Tally
from chalicelib.taxis.stats.filters import EVERYTHING, Filter
from chalicelib.taxis.territory.rules import departement_of


@pytest.mark.parametrize(
    ("insee", "departement"),
    [("75056", "75"), ("01004", "01"), ("2A004", "2A"), ("97105", "971"), ("98818", "988")],
)
def test_a_town_is_of_its_departement(insee: str, departement: str) -> None:
    assert departement_of(insee) == departement


@pytest.mark.parametrize(
    ("filters", "taken"),
    [
        (EVERYTHING, True),
        (Filter(departements=frozenset({"75", "971"})), True),
        (Filter(departements=frozenset({"971"})), False),
        (Filter(departements=frozenset()), False),
        (Filter(insees=frozenset({"75056"})), True),
        (Filter(insees=frozenset({"94018"})), False),
        (Filter(owners=frozenset({"7"})), True),
        (Filter(owners=frozenset({"8"})), False),
        (Filter(frozenset({"75"}), frozenset({"75056"}), frozenset({"7"})), True),
        (Filter(frozenset({"94"}), frozenset({"75056"}), frozenset({"7"})), False),
        (Filter(frozenset({"75"}), frozenset({"75056"}), frozenset({"8"})), False),
    ],
)
def test_each_filter_that_is_given_must_hold(filters: Filter, taken: bool) -> None:  # noqa: FBT001
    taxi, other = Tally("75056", "7", 1, 1), Tally("00000", "0", 1, 1)

    assert filters.among([taxi]) == ([taxi] if taken else [])
    assert (other in filters.among([taxi, other])) is (filters == EVERYTHING)


def test_only_towns_and_departements_are_a_part_of_the_country() -> None:
    assert Filter(insees=frozenset({"75056"})).by_territory
    assert Filter(departements=frozenset({"75"})).by_territory
    assert not Filter(owners=frozenset({"7"})).by_territory
