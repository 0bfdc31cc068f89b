"""What is asked of the taxis on the road, from reports to the territory's and the statistics' pages."""

from datetime import timedelta

import pytest

from chalicelib.foundation import cache, clock
from chalicelib.foundation.geo import LngLat
from chalicelib.taxis.stats.active import service, store
from chalicelib.taxis.stats.active.rules import Tally
from chalicelib.taxis.stats.filters import EVERYTHING, Filter
from chalicelib.taxis.stats.heat import Cell
from tests.taxis.stats.roads import LYON, OCCUPIED, PARIS, Road, run

pytestmark = pytest.mark.usefixtures("store")

ELSEWHERE = LngLat(4.8357, 45.7640)


def test_taxis_that_reported_within_the_minute_are_counted() -> None:
    road = Road()
    road.license(1, 2, 3)
    now = clock.now()
    for taxi, age_s in ((1, 65), (2, 30), (3, 0)):
        road.report(taxi, at=now - timedelta(seconds=age_s))

    run("count-active", now=now)

    counts = service.active_now()
    assert counts.in_towns([PARIS]) == 2
    assert counts.of_operator("1", [PARIS]) == 2


def test_occupied_taxis_count_for_the_town_and_not_for_their_operator() -> None:
    road = Road()
    road.license(1)
    now = clock.now()
    road.report(1, at=now, status=OCCUPIED)

    run("count-active", now=now)

    counts = service.active_now()
    assert counts.in_towns([PARIS]) == 1
    assert counts.of_operator("1", [PARIS]) == 0


def test_the_taxis_of_the_moment_are_counted_by_town_and_operator() -> None:
    road = Road()
    road.license(1, 2)
    road.license(3, insee=LYON, owner="2")
    now = clock.now()
    road.report(1, 2, 3, at=now)

    run("count-active", now=now)

    assert service.active_now().within(EVERYTHING) == 3
    assert service.active_now().within(Filter(departements=frozenset({"69"}))) == 1
    assert service.active_now().within(Filter(owners=frozenset({"1"}))) == 2


def test_the_map_shows_the_middles_of_cells_and_how_many_taxis_are_in_each() -> None:
    road = Road()
    road.license(1, 2, 3)
    now = clock.now()
    road.report(1, 2, at=now)
    road.report(3, at=now, point=ELSEWHERE)

    run("count-active", now=now)

    assert {(round(lat, 2), round(lng, 2)): n for lat, lng, n in service.taxi_heat()} == {
        (48.86, 2.36): 2,
        (45.77, 4.84): 1,
    }


def test_nothing_is_counted_before_the_job_ran() -> None:
    assert service.active_now().in_towns([PARIS]) == 0
    assert service.active_now().within(EVERYTHING) == 0
    assert service.taxi_heat() == []
    assert service.connected_per_hour(EVERYTHING) == {}


@pytest.mark.parametrize(("age_s", "shown"), [(115, True), (121, False)])
def test_counters_that_were_not_renewed_are_not_shown(age_s: int, *, shown: bool) -> None:
    at = clock.now() - timedelta(seconds=age_s)
    store.put_minute([Tally(PARIS, "1", 9, 2)], at=at)
    store.put_heat([Cell("u09tvw", 9)], at=at)

    assert service.active_now().within(EVERYTHING) == (9 if shown else 0)
    assert len(service.taxi_heat()) == shown


def test_the_counters_are_read_once_in_a_while() -> None:
    service.active_now()
    store.put_minute([Tally(PARIS, "1", 9, 2)], at=clock.now())
    before = service.active_now().in_towns([PARIS])

    cache.forget_all()

    assert (before, service.active_now().in_towns([PARIS])) == (0, 9)
