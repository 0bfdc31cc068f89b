"""What is counted of the taxis that report."""

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.foundation.packing import Table
from chalicelib.taxis.stats.active import rules
from chalicelib.taxis.stats.active.rules import ActiveCounts, ActiveTaxi, HourOfDay, Tally, TownSum
from chalicelib.taxis.stats.filters import EVERYTHING, Filter

NORTH, BORDER = ("59001", "59002"), ("59002", "62001")
HOUR = datetime(2026, 11, 27, 14, tzinfo=UTC)


def a_taxi(insee: str, owner: str, number: int = 1, *, free: bool) -> ActiveTaxi:
    return ActiveTaxi(number, insee, owner, free)


def counts(*fleet: ActiveTaxi) -> ActiveCounts:
    return ActiveCounts(rules.tallies(fleet))


def test_a_taxi_counts_in_its_town_and_in_every_zone_of_its_town() -> None:
    found = counts(a_taxi("59002", "1", free=True))

    assert found.in_towns(["59002"]) == 1
    assert (found.in_towns(NORTH), found.in_towns(BORDER)) == (1, 1)


def test_an_operator_counts_its_own_free_taxis_only() -> None:
    found = counts(
        a_taxi("59001", "1", free=True),
        a_taxi("59001", "1", free=False),
        a_taxi("59001", "2", free=True),
    )

    assert found.in_towns(["59001"]) == 3
    assert found.of_operator("1", ["59001"]) == 1
    assert found.of_operator("1", NORTH) == 1


def test_what_nobody_is_in_counts_zero() -> None:
    found = counts()

    assert found.in_towns(NORTH) == found.of_operator("1", NORTH) == 0
    assert found.tallies == []


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
        a_taxi("59001", "1", free=True),
        a_taxi("59002", "2", free=False),
        a_taxi("62001", "2", free=True),
    )

    assert found.within(filters) == count


# --- who has been seen ----------------------------------------------------------------------------


def sightings(**free: bool) -> dict[int, ActiveTaxi]:
    """Taxis by number (`_1`), each of which was free or not."""
    return {
        int(name[1:]): a_taxi("59001", "1", int(name[1:]), free=is_free)
        for name, is_free in free.items()
    }


def test_who_was_not_seen_or_not_seen_free_is_a_newcomer() -> None:
    found = sightings(_1=False, _2=False, _3=True, _4=True, _5=True)

    new = rules.newcomers(found, sightings(_2=False, _3=False, _4=True))

    assert [taxi.number for taxi in new] == [1, 3, 5]
    assert new == [found[1], found[3], found[5]]


def test_who_was_free_once_was_free() -> None:
    first, second = sightings(_1=True, _2=False), sightings(_1=False, _3=False)

    assert rules.unite([*first.values(), *second.values()]) == sightings(
        _1=True, _2=False, _3=False
    )
    assert rules.unite([*second.values(), *first.values()])[1].free


def test_a_taxi_whose_licence_moved_counts_once_for_its_last_town() -> None:
    seen = rules.unite([a_taxi("59001", "1", free=True), a_taxi("59002", "1", free=False)])

    assert rules.tallies(seen.values()) == [Tally("59002", "1", 1, 1)]


# --- the hours of the day -------------------------------------------------------------------------


def test_an_hour_is_added_once_and_never_an_older_one() -> None:
    tallies = [Tally("59001", "1", 3, 1)]

    once = rules.with_hour(None, HOUR, tallies)

    assert once == HourOfDay(HOUR, 1, Table([TownSum("59001", "1", 3)]))
    assert rules.with_hour(once, HOUR, tallies) is None
    assert rules.with_hour(once, HOUR - timedelta(days=1), tallies) is None


def test_an_hour_without_a_taxi_counts_in_the_mean() -> None:
    first = rules.with_hour(None, HOUR, [Tally("59001", "1", 3, 1)])
    both = rules.with_hour(first, HOUR + timedelta(days=1), [Tally("62001", "2", 4, 4)])

    assert both is not None
    assert both.mean(EVERYTHING) == 3.5
    assert both.mean(Filter(owners=frozenset({"1"}))) == 1.5
    assert both.mean(Filter(insees=frozenset({"75056"}))) == 0
