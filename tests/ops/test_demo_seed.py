"""The demonstration's seeding: every figure of the statistics has something in it, once and the same each time."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from app import app
from chalicelib.foundation import cache, clock, geo
from chalicelib.foundation.geo import LngLat
from chalicelib.taxis.settings import settings
from chalicelib.taxis.stats.hails import rules as hail_rules
from chalicelib.taxis.stats.hails import store as hails
from chalicelib.taxis.stats.searches import rules as search_rules
from chalicelib.taxis.stats.searches import store as searches
from chalicelib.taxis.territory import service as territory
from ops.local.demo import accounts, driving, enrol, history, seed
from ops.local.demo import fleet as demo
from ops.local.demo.accounts import Accounts
from tests import factories
from tests.calls import Caller
from tests.conftest import empty_registry

PAGES = (
    *("/stats/taxis", "/stats/hails", "/stats/groupements", "/stats/adsmap", "/stats/groups"),
    *("/stats/managers", "/stats/searches", "/stats/heatmap_hails", "/stats/heatmap_searches"),
)
MILESTONES = ("today", "three_months_ago", "six_months_ago", "twelve_months_ago")


# Some of the fleet, of both operators and all towns; some of the days, and those that a search for the last looks at.
CARS = (*demo.DRIVEN[:3], *demo.DRIVEN[30::20], *demo.DRIVEN[-6:])


def some_days(now: datetime) -> list[date]:
    return [day for day in history.days(now) if day.day in {1, 11, 21}]


def seed_all(now: datetime) -> Accounts:
    """All that the demonstration seeds, but for what needs an API that answers."""
    seed.territory()
    those = accounts.add()
    seed.enrol_first(now=now)
    operators = [those.operator.account, those.group.account]
    history.seed_hails(some_days(now), operators, those.search_app.account, now=now)
    assert len(list(seed.enrol_rest(CARS, now=now, pause=lambda _: None))) == len(CARS)
    seed.seed_figures(now=now)
    cache.forget_all()
    return those


@pytest.fixture(scope="module")
def seeded() -> Iterator[Accounts]:
    with empty_registry():
        yield seed_all(clock.now())


def shown(those: Accounts) -> dict[str, Any]:
    """The pages of the statistics, as the console shows them."""
    admin = Caller(app, key=accounts.key_of(those.admin))
    return {page: admin.get(page).data for page in PAGES}


def empty(found: object, path: str) -> Iterator[str]:
    """Where there is a null, a 0, or nothing."""
    if isinstance(found, Mapping):
        for name, value in found.items():
            yield from empty(value, f"{path}.{name}")
    elif isinstance(found, list) and found and not isinstance(found[0], int | float):
        for place, value in enumerate(found):
            yield from empty(value, f"{path}.{place}")
    elif not found:
        yield path


def test_every_figure_and_map_has_something_in_it(seeded: Accounts) -> None:
    pages = shown(seeded)

    blank = {path for page, data in pages.items() for path in empty(data, page)}

    # One is counted while taxis report; one the contract has nothing for; a group need have no manager.
    assert blank == {
        "/stats/taxis.0.connected_taxis_now",
        "/stats/groupements.0.registered_groupements",
    }
    taxis = pages["/stats/taxis"][0]
    grown = [taxis["registered_taxis"][at] for at in MILESTONES]
    assert sorted(grown, reverse=True) == grown
    assert grown[0] >= len(CARS)
    assert {row["insee"] for row in pages["/stats/adsmap"]} == {"75", "92", "93", "94"}
    assert len(pages["/stats/groupements"][0]["fleet_data"]) == 2


def test_the_public_figures_compare_a_year(seeded: Accounts) -> None:
    public = Caller(app).get("/stats/letaxi").json

    percents = [of["paris"] for _, of in public["taxis_connected"]]
    assert percents == sorted(percents)
    assert 0 < percents[0] < percents[-1]
    assert public["hails_growth"]["paris"] is not None
    assert (public["groups"], public["apps"]) == (2, 1)
    assert seeded.operator.fleet_size


def test_seeding_again_changes_nothing(seeded: Accounts) -> None:
    before = shown(seeded)

    tomorrow = clock.now() + timedelta(days=1)
    operators, moteur = (
        [seeded.operator.account, seeded.group.account],
        seeded.search_app.account,
    )
    assert history.seed_hails(history.days(tomorrow), operators, moteur, now=tomorrow) == 0
    assert history.seed_searches([seeded.search_app.account], now=tomorrow) == 0
    assert history.seed_hours([("75056", seeded.operator.account.owner, 9)], now=tomorrow) == 0
    assert accounts.add() == seeded
    cache.forget_all()
    assert shown(seeded) == before


def never(_: float) -> None:
    raise AssertionError("nothing is to be registered")


def test_what_is_registered_already_is_not_touched(seeded: Accounts) -> None:
    ids = {*enrol.known(seeded.operator.account).values()}
    ids |= {*enrol.known(seeded.group.account).values()}
    first = next(iter(ids))

    again = list(seed.enrol_rest(CARS, now=clock.now(), pause=never))

    assert {taxi_id for _, taxi_id, _ in again} <= ids
    assert {left for _, _, left in again} == {"free"}
    assert enrol.statuses([first]) == {first: "free"}


def test_where_other_towns_are_loaded_only_taxis_of_known_ones_are_registered() -> None:
    now = clock.now()
    with empty_registry():
        factories.known_towns({demo.PARIS: "Paris"})
        seed.territory()
        accounts.add()

        added = [*seed.enrol_rest((demo.CRUISING[0], demo.OF_GROUP[0]), now=now)]

        assert [demo.DRIVEN[place] for place, _, _ in added] == [demo.CRUISING[0]]
        assert territory.conurbations() == ()


def test_days_that_were_counted_before_stay_as_they_are() -> None:
    now = datetime(2026, 11, 30, 9, tzinfo=UTC)
    real = hail_rules.DayCount({("7", "75056"): {"finished": 3}}, {"u09tvw": 3})
    with empty_registry():
        seed.territory()
        those = accounts.add()
        hails.put_day(date(2026, 11, 20), real, heat_days=365)

        operators = [those.operator.account, those.group.account]
        days = [date(2026, 11, 20), date(2026, 11, 21), date(2026, 5, 1)]
        written = history.seed_hails(days, operators, those.search_app.account, now=now)

        kept = [sums for day, sums in hails.sums("2026-11") if day == date(2026, 11, 20)]
        assert [list(one.owners) for one in kept] == [["7"]]
        assert written == 2


def test_searches_that_were_folded_before_are_not_added_to() -> None:
    with empty_registry():
        those = accounts.add()
        searches.fold(searches.part_of(date(2026, 1, 1)), search_rules.Counts())

        assert history.seed_searches([those.search_app.account], now=clock.now()) == 0
        assert list(searches.town_totals()) == []


def test_the_hails_of_a_day_are_the_same_each_time_and_end_in_all_ways() -> None:
    with empty_registry():
        those = accounts.add()
    operators = [those.operator.account, those.group.account]
    days = [date(2026, 3, 1) + timedelta(n) for n in range(60)]

    once = [[*history.hails_of(day, operators, those.search_app.account)] for day in days]

    assert once == [[*history.hails_of(day, operators, those.search_app.account)] for day in days]
    assert {hail_rules.outcome(hail) for day in once for hail in day} == set(hail_rules.Outcome)


def test_the_days_go_back_over_a_year_and_end_yesterday() -> None:
    days = history.days(datetime(2026, 11, 30, 9, tzinfo=UTC))

    assert (days[0], days[-1]) == (date(2026, 11, 29), date(2025, 10, 1))


# --- the square -----------------------------------------------------------------------------------


@pytest.mark.parametrize("elapsed_s", [0.0, 777.0, 86_400.0])
def test_a_dozen_free_taxis_reach_the_printed_place_at_any_time(elapsed_s: float) -> None:
    """With the radius of a taxi that has chosen none."""
    square = LngLat(*demo.CENTRE)

    reaching = [
        place
        for place in range(len(demo.DRIVEN))
        if driving.status(place, elapsed_s) == "free"
        and geo.distance_m(square, LngLat(*driving.position(place, elapsed_s)))
        <= settings().radius_max_m
    ]

    assert len(reaching) >= 16


def test_the_fleet_has_three_hundred_taxis_with_plates_of_their_own() -> None:
    cars = (*demo.DRIVEN, demo.READERS, demo.SPARE, demo.SIMULATED)

    assert len(demo.DRIVEN) == 300
    assert len({car.plate for car in cars}) == len({car.number for car in cars}) == len(cars)
