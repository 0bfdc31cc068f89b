"""Searches are counted once, folded by day, and read as if they had been counted by hand."""

import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import chain

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.foundation import cache, clock
from chalicelib.foundation.aws import clients
from chalicelib.foundation.geo import LngLat, geohash6, geohash_centre
from chalicelib.foundation.packing import Table
from chalicelib.foundation.store.sheets import SheetTooLarge
from chalicelib.taxis.jobs import service as jobs
from chalicelib.taxis.search.rules import Search
from chalicelib.taxis.stats.filters import EVERYTHING, Filter
from chalicelib.taxis.stats.heat import HEAVIEST
from chalicelib.taxis.stats.searches import rules, service, store
from chalicelib.taxis.stats.searches.rules import Count, Counts, Figure, SearchQuartiles
from chalicelib.taxis.stats.searches.service import Report
from chalicelib.taxis.stats.searches.store import ShardCounts
from tests.taxis.stats.searching import (
    NOON,
    SHARDS,
    TOWNS,
    Streamed,
    a_search,
    by_hand,
    hour_of,
    some_searches,
)

pytestmark = pytest.mark.usefixtures("store")

DAY = NOON.date()


class Broken(Exception):
    """Stands in for a process that dies in the middle."""


@contextmanager
def dying_after(writes: int) -> Iterator[None]:
    """The process dies instead of its next write to DynamoDB but so many."""
    left = writes

    def write(**_: object) -> None:
        nonlocal left
        if left == 0:
            raise Broken
        left -= 1

    events = clients.dynamodb().meta.events
    events.register("before-call.dynamodb.PutItem", write)
    try:
        yield
    finally:
        events.unregister("before-call.dynamodb.PutItem", write)


def counts_of(day: date = DAY) -> Counts:
    parts = store.parts(day, consistent=True)
    return rules.counts_of(chain.from_iterable(counts for _, counts in parts))


# --- counting -------------------------------------------------------------------------------------


def test_searches_of_several_shards_and_hours_are_counted_together() -> None:
    stream = Streamed()
    early = some_searches(50, seed=1, at=lambda _: NOON - timedelta(hours=1))
    late = some_searches(50, seed=2)

    stream.count(early, shard=SHARDS[0])
    stream.count(late, shard=SHARDS[1])

    assert counts_of() == rules.count_searches([*early, *late])


def test_a_record_that_comes_again_is_counted_once() -> None:
    stream = Streamed()
    first, second = (stream.report(some_searches(20, seed=seed)) for seed in (1, 2))
    service.count(SHARDS[0], [first])

    again = service.count(SHARDS[0], [first, second])
    third = service.count(SHARDS[0], [first, second])

    assert (again.searches, again.known) == (20, 20)
    assert (third.searches, third.known) == (0, 40)
    assert counts_of() == rules.count_searches([*first.searches, *second.searches])


def test_sequence_numbers_are_compared_as_numbers() -> None:
    service.count(SHARDS[0], [Report(9, NOON, [a_search()])])

    counted = service.count(SHARDS[0], [Report(10, NOON, [a_search()])])

    assert counted.searches == 1


def test_a_batch_that_is_broken_off_adds_what_is_missing_when_it_comes_again() -> None:
    reports = [Streamed().report(some_searches(100))]
    for writes in (1, 2, 0):
        with pytest.raises(Broken), dying_after(writes):
            service.count(SHARDS[0], reports)

    counted = service.count(SHARDS[0], reports)

    assert 0 < counted.known < 100
    assert counts_of() == rules.count_searches(reports[0].searches)


@settings(max_examples=8, suppress_health_check=list(HealthCheck), deadline=None)
@given(seed=st.integers(0, 10**6))
def test_any_number_of_repetitions_and_deaths_counts_each_search_once(seed: int) -> None:
    """A shard gives its records in order, from the first that is not done with, any number of times."""
    chance = random.Random(seed)
    at = NOON + timedelta(days=seed)
    stream = Streamed()
    everything: list[Search] = []
    for shard in SHARDS:
        reports = [
            stream.report(
                some_searches(4, seed=chance.randint(0, 99), at=lambda _: at), arrived_at=at
            )
            for _ in range(chance.randint(1, 4))
        ]
        everything += [search for report in reports for search in report.searches]
        done = 0
        while done < len(reports):
            end = chance.randint(done + 1, len(reports))
            try:
                with dying_after(chance.randint(0, 9)):
                    service.count(shard, reports[done:end])
            except Broken:
                continue
            done = chance.randint(done, end)

    assert counts_of(at.date()) == rules.count_searches(everything)
    days = store.DAYS.of(f"{at.date()}")
    for entry, _ in [*days.all()]:
        days.remove(entry)


def test_two_that_count_the_same_batch_at_once_count_it_once() -> None:
    report = Streamed().report([a_search()])
    other_is_due = True

    def counts_too(**_: object) -> None:
        nonlocal other_is_due
        if other_is_due:
            other_is_due = False
            service.count(SHARDS[0], [report])

    events = clients.dynamodb().meta.events
    events.register("before-call.dynamodb.PutItem", counts_too)
    try:
        counted = service.count(SHARDS[0], [report])
    finally:
        events.unregister("before-call.dynamodb.PutItem", counts_too)

    assert counted.searches == 0
    assert counts_of() == rules.count_searches([a_search()])


def fill(day: date, entry: str) -> None:
    """Makes a day's sheet into which nothing more will fit."""
    noise = random.Random(1)
    names = sorted(noise.randbytes(15).hex() for _ in range(30_000))
    cells = [Count(Figure.CELL, name, 0, 1) for name in names]

    def is_too_large(size: int) -> bool:
        try:
            store.DAYS.of(f"{day}").put(entry, ShardCounts("1", Table(cells[:size])))
        except SheetTooLarge:
            return True
        return False

    smallest = bisect_left(range(len(cells)), x=True, key=is_too_large)
    is_too_large(smallest - 1)


def test_searches_for_a_full_sheet_are_lost_and_told_and_hold_nothing_back() -> None:
    fill(DAY, f"75#{SHARDS[0]}")
    report = Streamed().report([a_search(), a_search(insee="33063")])

    counted = service.count(SHARDS[0], [report])

    assert (counted.lost, counted.searches) == (1, 1)
    towns = {place for figure, place, _ in counts_of() if figure is Figure.FOUND}
    assert towns == {"33063"}


# --- folding --------------------------------------------------------------------------------------


def fold(now: datetime) -> dict[str, int]:
    return dict(jobs.run("fold-searches", now=now).done)


def days_ago(days: int) -> datetime:
    """This time of an earlier day."""
    return clock.now() - timedelta(days=days)


def night_after(at: datetime) -> datetime:
    """The first night in which the day of a moment is complete."""
    return at.replace(hour=4, minute=20) + timedelta(days=2)


def everything_read() -> tuple[object, ...]:
    """All that is read of the searches, at the present time."""
    cache.forget_all()
    return (
        service.quartiles(EVERYTHING),
        service.top_moteurs(EVERYTHING, now=clock.now()),
        service.heat(),
    )


def test_a_day_is_folded_when_nothing_can_come_for_it_any_more() -> None:
    Streamed().count(some_searches(100))
    midnight = datetime(2026, 3, 13, tzinfo=UTC)

    fold(midnight + timedelta(hours=25, minutes=59))
    assert list(store.town_totals()) == []
    done = fold(midnight + timedelta(hours=26))

    assert done["searches"] == 100
    assert store.folded_through() == store.part_of(DAY, "9")
    folded = rules.counts_of(chain.from_iterable(total.counts for _, total in store.town_totals()))
    assert folded == {
        key: times
        for key, times in counts_of().items()
        if key[0] not in (Figure.MOTEUR, Figure.CELL)
    }


def test_folding_changes_nothing_of_what_is_read() -> None:
    at = days_ago(3)
    Streamed().count(some_searches(200, at=lambda _: at), arrived_at=at)
    before = everything_read()

    assert fold(night_after(at))["searches"] == 200
    after = everything_read()
    fold(night_after(at))

    assert before == after == everything_read()


def test_folding_that_is_broken_off_anywhere_changes_nothing_of_what_is_read() -> None:
    at = days_ago(3)
    Streamed().count(some_searches(60, at=lambda _: at), arrived_at=at)
    first = store.part_of(at.date()) - 1
    store.fold(first, Counts())
    before = everything_read()

    deaths = 0
    for writes in range(60):
        try:
            with dying_after(writes % 4):
                fold(night_after(at))
        except Broken:
            deaths += 1
            assert everything_read() == before
        else:
            break
    fold(night_after(at))

    assert deaths > 5
    assert store.folded_through() >= store.part_of(at.date(), "9")
    assert everything_read() == before


def test_a_report_that_comes_a_day_late_is_read_and_folded() -> None:
    at = days_ago(4).replace(hour=10)
    searches = some_searches(40, at=lambda _: at)
    stream = Streamed()
    stream.count(searches[:20], arrived_at=at)
    fold(at.replace(hour=4, minute=20) + timedelta(days=1))

    # The last moment that the stream still has it.
    stream.count(searches[20:], arrived_at=at + timedelta(minutes=59))
    read = everything_read()
    fold(night_after(at))

    assert read[0] == by_hand(searches, EVERYTHING)
    assert everything_read() == read


def test_a_report_of_a_day_that_is_folded_is_counted_when_it_arrives() -> None:
    at, arrived_at = days_ago(5), days_ago(1)
    searches = some_searches(40, at=lambda _: at)
    stream = Streamed()
    stream.count(searches[:20], arrived_at=at)
    fold(night_after(at))

    stream.count(searches[20:], arrived_at=arrived_at)

    cache.forget_all()
    assert rules.total(counts_of(arrived_at.date())) == 20
    assert service.quartiles(EVERYTHING) == by_hand(searches, EVERYTHING)


def test_a_dry_run_folds_nothing_and_tells_what_it_would() -> None:
    Streamed().count(some_searches(30))

    outcome = jobs.run("fold-searches", now=night_after(NOON), dry_run=True)

    assert outcome.done["searches"] == 30
    assert outcome.done["sheets"] == 0
    assert store.folded_through() == 0
    assert list(store.town_totals()) == []


# --- reading --------------------------------------------------------------------------------------


def some_filter(chance: random.Random) -> Filter:
    """Departements, towns or both, some of them of nowhere."""
    departements = ["75", "94", "33", "2A", "974", "973", "97", "9", "01", ""]
    return Filter(
        departements=chance.choice(
            [None, frozenset(chance.sample(departements, chance.randint(0, 4)))]
        ),
        insees=chance.choice(
            [None, frozenset(chance.sample([*TOWNS, "01001"], chance.randint(0, 4)))]
        ),
    )


def test_what_is_read_is_what_was_searched() -> None:
    sample = [
        search._replace(hour=hour_of(days_ago(place % 6)))
        for place, search in enumerate(some_searches(800))
    ]
    count_by_day(sample)
    fold(days_ago(1))
    # Some days are folded, some are not.
    assert list(store.town_totals())
    assert rules.total(counts_of(clock.now().date()))

    assert {(geohash6(LngLat(lng, lat)), weight) for lat, lng, weight in service.heat()} == set(
        Counter(search.geohash for search in sample).items()
    )
    chance = random.Random(1)
    beginnings = [
        Filter(departements=frozenset(some))
        for some in ({"97", "974"}, {"97", "973"}, {"9", "94"}, {"3", "33"}, {"2", "2A"})
    ]
    for filters in [EVERYTHING, *beginnings, *(some_filter(chance) for _ in range(25))]:
        asked = [search for search in sample if filters.takes_town(search.insee)]
        assert service.quartiles(filters) == by_hand(sample, filters), filters
        assert (
            service.top_moteurs(filters, now=clock.now())
            == sorted(
                Counter(search.moteur for search in asked).items(),
                key=lambda one: (-one[1], one[0]),
            )[:10]
        )


def count_by_day(searches: list[Search]) -> None:
    stream = Streamed()
    chance = random.Random(1)
    by_hour: dict[int, list[Search]] = {}
    for search in searches:
        by_hour.setdefault(search.hour, []).append(search)
    for hour, some in by_hour.items():
        arrived_at = datetime.fromtimestamp(hour * 3600, UTC)
        stream.count(some, shard=chance.choice(SHARDS), arrived_at=arrived_at)


def test_only_the_last_month_counts_for_the_accounts_that_search_most() -> None:
    now = NOON + timedelta(days=19)  # 31 March
    for day, moteur in ((27, 1), (28, 2), (29, 3)):
        at = datetime(2026, 2, 1, tzinfo=UTC) + timedelta(days=day - 1)
        for _ in range(moteur):
            store.fold(
                store.part_of(at.date(), "7"), rules.count_searches([a_search(at, moteur=moteur)])
            )
    Streamed().count([a_search(now, moteur=4)] * 2, arrived_at=now)

    # A month before 31 March is 28 February, the whole of it.
    assert service.top_moteurs(EVERYTHING, now=now) == [(4, 2), (2, 1), (3, 1)]


def test_where_accounts_are_asked_for_nothing_is_told() -> None:
    Streamed().count([a_search(clock.now())], arrived_at=clock.now())
    filters = Filter(owners=frozenset({"operator"}))

    assert service.quartiles(filters) == SearchQuartiles()
    assert service.top_moteurs(filters, now=clock.now()) == []


def test_nothing_searched_is_nothing_read() -> None:
    assert everything_read() == (SearchQuartiles(), [], [])


def test_the_heat_map_has_the_heaviest_cells_first_by_their_middle() -> None:
    now = clock.now()
    searches = [a_search(now, geohash="ezzx0p"), *[a_search(now, geohash="u09tvm")] * 2]
    Streamed().count(searches, arrived_at=now)

    points = service.heat()

    centre = geohash_centre("u09tvm")
    assert points[0] == (centre.lat, centre.lng, 2)
    assert [weight for _, _, weight in points] == [2, 1]


def test_the_heat_map_has_no_more_cells_than_it_may() -> None:
    characters = "0123456789bcdefghjkmnpqrstuvwxyz"
    cells = {
        f"{area}{x}{y}{z}": 1 + (x == "z")
        for area in ("u09", "ezz")
        for x in characters
        for y in characters
        for z in characters[:20]
    }
    counts = Counts({(Figure.CELL, cell, 0): times for cell, times in cells.items()})
    store.fold(store.part_of(days_ago(3).date(), "7"), counts)

    points = service.heat()

    assert len(cells) > HEAVIEST == len(points)
    assert [weight for _, _, weight in points[:1281]] == [2] * 1280 + [1]


def test_an_answer_is_remembered_for_a_while() -> None:
    before = service.quartiles(EVERYTHING)
    Streamed().count([a_search(clock.now())], arrived_at=clock.now())

    remembered = service.quartiles(EVERYTHING)
    cache.forget_all()

    assert remembered == before
    assert service.quartiles(EVERYTHING) != before
