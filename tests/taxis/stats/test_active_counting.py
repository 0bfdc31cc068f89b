"""The jobs that count taxis each minute, hour and day: repeated, missed, and against a recount."""

import random
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from chalice.test import Client

from app import app
from chalicelib.foundation import clock
from chalicelib.foundation.aws import clients
from chalicelib.foundation.packing import Table
from chalicelib.foundation.settings import table
from chalicelib.taxis.stats.active import service, store
from chalicelib.taxis.stats.active.rules import ActiveTaxi, HeatMap, Minute, Span, Tally
from chalicelib.taxis.stats.filters import EVERYTHING, Filter
from tests.taxis.positions import fleets
from tests.taxis.stats.roads import (
    BASTIA,
    DAY,
    FREE,
    HOUR,
    LYON,
    MINUTE,
    OCCUPIED,
    PARIS,
    Road,
    run,
)

pytestmark = pytest.mark.usefixtures("store")

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
NOON = MONDAY + 12 * HOUR
SECOND = timedelta(seconds=1)


def a_road(*numbers: int) -> Road:
    road = Road()
    road.license(*numbers)
    return road


def an_hour(began: datetime, *numbers: int, insee: str = PARIS, free: bool = True) -> None:
    """An hour in which these taxis were seen."""
    taxis = [ActiveTaxi(number, insee, "1", free) for number in numbers]
    store.add_to_hour_fleet(taxis, hour=began, at=began + MINUTE)


def tally(active: int, free: int, *, insee: str = PARIS) -> list[Tally]:
    """The tallies of taxis of one town, all of operator 1."""
    return [Tally(insee, "1", active, free)]


def everything_stored() -> list[str]:
    """All but when the jobs ran last."""
    items = clients.dynamodb().scan(TableName=table("statistics"))["Items"]
    return sorted(repr(item) for item in items if item["series"]["S"] != "2#runs")


# --- the minute -----------------------------------------------------------------------------------


def test_a_minute_notes_the_newcomers_of_its_hour() -> None:
    road = a_road(1, 2)
    road.report(1, at=NOON + 10 * SECOND, status=OCCUPIED)

    first = run("count-active", now=NOON + 30 * SECOND)
    road.report(1, 2, at=NOON + 70 * SECOND)
    second = run("count-active", now=NOON + 90 * SECOND)
    third = run("count-active", now=NOON + 91 * SECOND)

    assert [first["newcomers"], second["newcomers"], third["newcomers"]] == [1, 2, 0]
    assert store.hour_fleet(NOON) == {
        number: ActiveTaxi(number, PARIS, "1", free=True) for number in (1, 2)
    }
    assert len(list(store.SEEN.of("2026-03-02T12").all())) == 2


def test_a_minute_that_is_counted_again_with_less_loses_nothing() -> None:
    road = a_road(1, 2)
    road.report(1, at=NOON + 5 * SECOND)
    road.report(2, at=NOON + 50 * SECOND)
    run("count-active", now=NOON + 55 * SECOND)

    again = run("count-active", now=NOON + 75 * SECOND)

    assert again == {"active": 1, "newcomers": 0}
    assert set(store.hour_fleet(NOON) or {}) == {1, 2}


def test_taxis_count_for_the_hour_in_which_they_were_seen() -> None:
    road = a_road(1, 2)
    run("count-active", now=NOON - MINUTE)
    road.report(1, at=NOON - 20 * SECOND)
    road.report(2, at=NOON + 5 * SECOND)

    run("count-active", now=NOON + 10 * SECOND)

    assert set(store.hour_fleet(NOON - HOUR) or {}) == {1}
    assert set(store.hour_fleet(NOON) or {}) == {2}


def test_an_hour_in_which_nobody_counted_is_not_begun_by_the_minute_after() -> None:
    road = a_road(1)
    road.report(1, at=NOON - 20 * SECOND)

    run("count-active", now=NOON + 10 * SECOND)

    assert store.hour_fleet(NOON - HOUR) is None
    assert store.minute() == Minute(NOON + 10 * SECOND, Table(tally(1, 1)))


def test_a_minute_without_a_taxi_says_that_somebody_looked() -> None:
    done = run("count-active", now=NOON)

    assert done == {"active": 0, "newcomers": 0}
    assert store.hour_fleet(NOON) == {}
    assert store.hour_fleet(NOON - HOUR) is None
    assert store.minute() == Minute(NOON, Table())


def test_a_taxi_that_nobody_registered_is_not_counted() -> None:
    road = Road()
    road.report(1, at=NOON)

    assert run("count-active", now=NOON)["active"] == 0
    assert store.heat() == HeatMap(NOON, Table())


@pytest.mark.parametrize("name", ["count-active", "count-active-hour", "count-active-day"])
def test_a_dry_run_counts_and_changes_nothing(name: str) -> None:
    road = a_road(1)
    road.report(1, at=NOON)
    an_hour(NOON - DAY, 1)
    before = everything_stored()

    done = run(name, now=NOON, dry_run=True)

    assert done in ({"active": 1, "newcomers": 1}, {"hours": 1}, {"days": 1})
    assert everything_stored() == before


# --- the hour -------------------------------------------------------------------------------------


def test_an_hour_counts_its_distinct_taxis() -> None:
    an_hour(NOON, 1, 2)
    an_hour(NOON, 2, 3, free=False)

    assert run("count-active-hour", now=NOON + HOUR + 5 * MINUTE) == {"hours": 1}

    assert store.tallies(Span.HOUR, NOON) == tally(3, 2)
    assert service.connected_per_hour(EVERYTHING) == {12: 3.0}


def test_an_hour_that_is_not_over_is_not_counted() -> None:
    an_hour(NOON, 1)

    assert run("count-active-hour", now=NOON + HOUR + MINUTE) == {"hours": 0}
    assert store.tallies(Span.HOUR, NOON) is None


def test_an_hour_is_counted_once_however_often_the_job_runs() -> None:
    an_hour(NOON, 1, 2)
    run("count-active-hour", now=NOON + HOUR + 5 * MINUTE)
    before = everything_stored()

    assert run("count-active-hour", now=NOON + HOUR + 6 * MINUTE) == {"hours": 0}

    assert everything_stored() == before


def test_an_hour_that_was_broken_off_before_it_was_remembered_is_folded_once() -> None:
    an_hour(NOON, 1, 2)
    run("count-active-hour", now=NOON + HOUR + 5 * MINUTE)
    store.PROGRESS.remove("hour")

    assert run("count-active-hour", now=NOON + HOUR + 6 * MINUTE) == {"hours": 1}

    assert service.connected_per_hour(EVERYTHING) == {12: 2.0}


def test_hours_of_two_days_that_were_missed_are_made_up_for() -> None:
    for ago, numbers in ((50, [1]), (48, [1, 2]), (30, [1, 2, 3]), (1, [4])):
        an_hour(NOON - ago * HOUR, *numbers)

    assert run("count-active-hour", now=NOON + 5 * MINUTE) == {"hours": 3}

    assert store.tallies(Span.HOUR, NOON - 50 * HOUR) is None
    assert store.tallies(Span.HOUR, NOON - 30 * HOUR) == tally(3, 3)
    assert service.connected_per_hour(EVERYTHING) == {12: 2.0, 6: 3.0, 11: 1.0}


def test_hours_from_before_these_two_days_are_left_alone_after_a_long_break() -> None:
    store.put_progress(Span.HOUR, NOON - 30 * DAY)
    an_hour(NOON - 49 * HOUR, 1)
    an_hour(NOON - 48 * HOUR, 2)

    assert run("count-active-hour", now=NOON + 5 * MINUTE) == {"hours": 1}

    assert store.tallies(Span.HOUR, NOON - 49 * HOUR) is None


def test_an_hour_without_such_a_taxi_counts_as_none() -> None:
    an_hour(NOON, 1, 2, insee=LYON)
    an_hour(NOON + DAY, 3, insee=BASTIA)
    an_hour(NOON + HOUR)
    run("count-active-hour", now=NOON + DAY + HOUR + 5 * MINUTE)

    assert service.connected_per_hour(EVERYTHING) == {12: 1.5, 13: 0.0}
    assert service.connected_per_hour(Filter(departements=frozenset({"69"}))) == {12: 1, 13: 0}
    assert service.connected_per_hour(Filter(departements=frozenset({"2B"}))) == {12: 0.5, 13: 0}
    assert service.connected_per_hour(Filter(owners=frozenset({"2"}))) == {12: 0, 13: 0}


def test_two_runs_that_fold_at_once_fold_once() -> None:
    tallies = tally(3, 3, insee="01001") + tally(2, 1)
    other_run = fleets.interrupted(1, lambda: store.add_hour(NOON, tallies))

    with fleets.hooked("before-call", other_run):
        store.add_hour(NOON, tallies)

    assert {part.hours for _, part in store.hours_of_day()} == {1}
    assert service.connected_per_hour(EVERYTHING) == {12: 5.0}


# --- the day and the week -------------------------------------------------------------------------


def test_a_day_counts_the_distinct_taxis_of_its_hours() -> None:
    an_hour(MONDAY - HOUR, 9)
    an_hour(MONDAY, 1)
    an_hour(MONDAY + 23 * HOUR, 1, 2, free=False)
    an_hour(MONDAY + DAY, 3)

    assert run("count-active-day", now=MONDAY + DAY + 20 * MINUTE) == {"days": 2}

    assert store.tallies(Span.DAY, MONDAY) == tally(2, 1)
    assert store.tallies(Span.DAY, MONDAY - DAY) == tally(1, 1)
    assert store.tallies(Span.DAY, MONDAY + DAY) is None


def test_a_taxi_whose_licence_moved_counts_once_a_day() -> None:
    an_hour(MONDAY, 1, insee=PARIS)
    an_hour(MONDAY + HOUR, 1, insee=LYON, free=False)

    run("count-active-day", now=MONDAY + DAY + 20 * MINUTE)

    assert store.tallies(Span.DAY, MONDAY) == tally(1, 1, insee=LYON)


def test_a_week_counts_the_distinct_taxis_of_seven_days() -> None:
    for number in range(9):
        an_hour(MONDAY + number * DAY, number, 100)
        run("count-active-day", now=MONDAY + (number + 1) * DAY + 20 * MINUTE)

    weeks = [store.tallies(Span.WEEK, MONDAY + number * DAY) for number in range(9)]

    assert [week and week[0].active for week in weeks] == [2, 3, 4, 5, 6, 7, 8, 8, 8]


def test_days_that_were_missed_are_made_up_for() -> None:
    an_hour(MONDAY, 1)
    an_hour(MONDAY + DAY, 2)

    assert run("count-active-day", now=MONDAY + 2 * DAY + 20 * MINUTE) == {"days": 2}

    assert store.tallies(Span.DAY, MONDAY) == tally(1, 1)
    assert store.tallies(Span.WEEK, MONDAY + DAY) == tally(2, 2)
    before = everything_stored()
    assert run("count-active-day", now=MONDAY + 2 * DAY + 21 * MINUTE) == {"days": 0}
    assert everything_stored() == before


# --- the clock ------------------------------------------------------------------------------------


def test_the_clock_has_minutes_hours_and_days_counted() -> None:
    road = a_road(1)
    now = clock.now()
    road.report(1, at=now)
    hour = now.replace(minute=0, second=0, microsecond=0) - HOUR
    day = hour.replace(hour=0) - DAY
    an_hour(hour - HOUR, 1)
    an_hour(day, 1)
    event = Client(app).events.generate_cw_event("aws.events", "Scheduled Event", {}, [])

    for name in ("count_active", "count_active_hour", "count_active_day"):
        app.handler_map[name](event, None)

    assert service.active_now().within(EVERYTHING) == 1
    assert store.tallies(Span.HOUR, hour - HOUR) == tally(1, 1)
    assert store.tallies(Span.DAY, day) == tally(1, 1)


# --- against a recount ----------------------------------------------------------------------------


class Sighting(NamedTuple):
    """A taxi as a minute's run found it."""

    run_at: datetime
    seen_at: datetime
    number: int
    free: bool


def recount(
    sightings: Collection[Sighting], licences: Mapping[int, tuple[str, str]]
) -> list[Tally]:
    """Tallies, by going through everything for each."""
    numbers = {one.number for one in sightings}
    free = {one.number for one in sightings if one.free}
    return [
        Tally(
            *key,
            sum(licences[number] == key for number in numbers),
            sum(licences[number] == key for number in free),
        )
        for key in sorted({licences[number] for number in numbers})
    ]


def drive(road: Road, rng: random.Random, run_at: datetime) -> list[Sighting]:
    """Some taxis report in the minute before, some of them free and some not."""
    on_the_road = rng.sample(range(30), rng.randrange(25))
    found = []
    for numbers, status in ((on_the_road[::2], FREE), (on_the_road[1::2], OCCUPIED)):
        seen_at = run_at - rng.randrange(59) * SECOND
        road.report(*numbers, at=seen_at, status=status)
        found += [Sighting(run_at, seen_at, number, status is FREE) for number in numbers]
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_counted_is_what_a_recount_finds(seed: int) -> None:
    rng = random.Random(seed)
    road = Road()
    towns, owners = [PARIS, LYON, BASTIA, "97105"], ["1", "2", "3"]
    licences = {number: (rng.choice(towns), rng.choice(owners)) for number in range(30)}
    for number, (insee, owner) in licences.items():
        road.license(number, insee=insee, owner=owner)
    midnight = MONDAY + DAY
    log: list[Sighting] = []

    for quarter in range(-7, 6):
        now = midnight + quarter * 15 * MINUTE + 30 * SECOND
        log += drive(road, rng, now)
        for _ in range(rng.choice([1, 1, 2])):
            run("count-active", now=now)
        reporting = recount([one for one in log if one.run_at == now], licences)
        assert store.minute() == Minute(now, Table(reporting))
    run("count-active-hour", now=midnight + 2 * HOUR)
    run("count-active-day", now=midnight + DAY + 20 * MINUTE)

    hours = {
        began: [one for one in log if began <= one.seen_at < began + HOUR]
        for began in (midnight - 2 * HOUR, midnight - HOUR, midnight)
    }
    for began, sightings in hours.items():
        assert store.tallies(Span.HOUR, began) == recount(sightings, licences)
    for day in (MONDAY, midnight):
        sightings = [one for one in log if day <= one.seen_at < day + DAY]
        assert store.tallies(Span.DAY, day) == recount(sightings, licences)
    for _ in range(20):
        filters = some_filter(rng, towns, owners)
        assert service.connected_per_hour(filters) == {
            began.hour: sum(
                filters.takes_town(licences[number][0]) and filters.takes_owner(licences[number][1])
                for number in {one.number for one in sightings}
            )
            for began, sightings in hours.items()
        }


def some_filter(rng: random.Random, towns: list[str], owners: list[str]) -> Filter:
    """Each kind of filter, given or not."""

    def some(values: list[str]) -> frozenset[str] | None:
        return rng.choice([None, frozenset(rng.sample(values, rng.randrange(len(values))))])

    return Filter(some(["75", "69", "2B", "971"]), some(towns), some(owners))
