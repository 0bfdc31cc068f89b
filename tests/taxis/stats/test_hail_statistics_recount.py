"""Every figure of the hails' statistics is what a recount of the hails themselves gives."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.foundation import cache
from chalicelib.foundation.geo import LngLat, distance_m, geohash6, geohash_centre
from chalicelib.taxis.hails import lists, rows
from chalicelib.taxis.hails.lines import line_of
from chalicelib.taxis.hails.rules import STEPS, Hail, Status, Transition, day_of
from chalicelib.taxis.jobs import service as jobs
from chalicelib.taxis.stats.filters import Filter
from chalicelib.taxis.stats.hails import service
from chalicelib.taxis.stats.hails.summary import HailStatistics
from tests.taxis.hails.hail_factories import a_hail
from tests.taxis.territory import loaded

S = Status
NOW = datetime(2026, 3, 18, 15, tzinfo=UTC)
TODAY = NOW.date()
# The same day of the month, so many months before; none of these months is shorter.
MILESTONES = (TODAY, date(2025, 12, 18), date(2025, 9, 18), date(2025, 3, 18))

PLACES = {  # well inside the fixtures' towns, and in none
    loaded.PARIS: LngLat(2.33, 48.86),
    loaded.CHARENTON: LngLat(2.4275, 48.816),
    loaded.BORDEAUX: LngLat(-0.58, 44.84),
    loaded.MULHOUSE: LngLat(7.33, 47.75),
    "": LngLat(-5.0, 48.0),
}
OWNERS = (2, 17, 170, 4)
Counted = tuple[Hail, str]  # with the town of its customer


def a_random_hail(number: int, at: datetime, draw: random.Random) -> Counted:
    """A hail that has gone some way through its life, to an end."""
    insee = draw.choice(list(PLACES))
    middle = PLACES[insee]
    lon, lat = (each + draw.uniform(-0.002, 0.002) for each in middle)
    log = [Transition(None, S.RECEIVED, at, 1, None)]
    while following := [*STEPS.get(log[-1].to_status, {})]:
        took = timedelta(seconds=draw.choice((0.25, 3, 29.123456, 400, 3599.9, 3600, 7200)))
        entry = log[-1]
        log.append(Transition(entry.to_status, draw.choice(following), entry.at + took, 1, None))
    hail = a_hail(
        log[-1].to_status,
        hail_id=f"{number:07x}",
        created_at=at,
        last_status_change=log[-1].at,
        transitions=tuple(log),
        operateur_id=draw.choice(OWNERS),
        customer_lon=lon,
        customer_lat=lat,
        initial_taxi_lon=lon + draw.uniform(-0.004, 0.004),
        initial_taxi_lat=lat + draw.uniform(-0.004, 0.004),
        blurred=draw.random() < 0.05,
    )
    return hail, insee


def some_hails(draw: random.Random) -> list[Counted]:
    """Hundreds, on some days of two years and a half, on those round the milestones above all."""
    days = [TODAY - timedelta(draw.randrange(900)) for _ in range(60)]
    days += [day + timedelta(near) for day in MILESTONES for near in (-1, 0, 1)]
    days += [date(2025, 1, 1), date(2024, 12, 31), date(2025, 12, 31), date(2026, 1, 1)]
    days += [date(2025, 12, 29), date(2026, 2, 1), date(2025, 2, 28), date(2025, 3, 1)]
    moments = [
        datetime(day.year, day.month, day.day, tzinfo=UTC)
        + draw.choice((timedelta(0), timedelta(hours=23.999), timedelta(hours=draw.uniform(0, 24))))
        for day in days
        for _ in range(draw.randint(1, 10))
    ]
    return [
        a_random_hail(number, at, draw) for number, at in enumerate(moments) if at.date() <= TODAY
    ]


def stored(hail: Hail) -> None:
    lists.know(day_of(hail.created_at))
    rows.hail_row(hail).save()
    rows.line_row(lists.owners(hail)[2], line_of(hail)).save()


# --- the recount ---------------------------------------------------------------------------------


def day(hail: Hail) -> date:
    return hail.created_at.date()


def at_milestones(hails: Sequence[Hail], measure: Callable[[list[Hail]], int]) -> list[int]:
    return [measure([hail for hail in hails if day(hail) < until]) for until in MILESTONES]


def entered(hail: Hail, status: Status) -> datetime | None:
    return next((entry.at for entry in hail.transitions if entry.to_status is status), None)


def mean_time(hails: Iterable[Hail], begin: Status, end: Status) -> float | None:
    times = [
        (to - since).total_seconds()
        for hail in hails
        if (since := entered(hail, begin)) and (to := entered(hail, end))
    ]
    return sum(times) / len(times) if times else None


def mean_distance(hails: list[Hail]) -> int:
    metres = [
        distance_m(
            LngLat(hail.customer_lon, hail.customer_lat),
            LngLat(hail.initial_taxi_lon, hail.initial_taxi_lat),
        )
        for hail in hails
        if not hail.blurred
    ]
    return int(sum(metres) / len(metres)) if metres else 0


def is_of_ride(hail: Hail) -> bool:
    return hail.transitions[-1].at - hail.transitions[0].at >= timedelta(hours=1)


def check(told: HailStatistics, hails: list[Hail]) -> None:
    """Fails unless all that is told is what these hails give."""

    def milestone(name: str) -> list[int]:
        each = told.milestones[f"hails_{name}"]
        return [
            *(each.today, each.three_months_ago),
            *(each.six_months_ago, each.twelve_months_ago),
        ]

    def ended(status: Status) -> list[Hail]:
        return [hail for hail in hails if hail.status is status]

    assert milestone("received") == at_milestones(hails, len)
    for status in S:
        if status.is_over and status is not S.TIMEOUT_TAXI:
            assert milestone(status) == at_milestones(ended(status), len)
    timeouts = ended(S.TIMEOUT_TAXI)
    rides = [hail for hail in timeouts if is_of_ride(hail)]
    assert milestone("timeout_ride") == at_milestones(rides, len)
    silent = [hail for hail in timeouts if hail not in rides]
    assert milestone("timeout_taxi") == at_milestones(silent, len)

    distances = told.average_hail_distance
    assert [
        *(distances.today, distances.three_months_ago),
        *(distances.six_months_ago, distances.twelve_months_ago),
    ] == at_milestones(hails, mean_distance)

    for span, year in (("current_year", 2026), ("last_year", 2025)):
        months = Counter(day(hail).month for hail in hails if day(hail).year == year)
        assert told.total[span] == sorted(months.items())
    check_means(told, hails)

    for step, begin, end in (
        ("accepted_by_taxi", S.RECEIVED_BY_TAXI, S.ACCEPTED_BY_TAXI),
        ("accepted_by_customer", S.ACCEPTED_BY_TAXI, S.ACCEPTED_BY_CUSTOMER),
        ("timeout_customer", S.ACCEPTED_BY_TAXI, S.TIMEOUT_CUSTOMER),
        ("declined_by_customer", S.ACCEPTED_BY_TAXI, S.DECLINED_BY_CUSTOMER),
        ("timeout_taxi", S.RECEIVED_BY_TAXI, S.TIMEOUT_TAXI),
        ("incident_taxi", S.ACCEPTED_BY_TAXI, S.INCIDENT_TAXI),
        ("customer_on_board_incident_taxi", S.CUSTOMER_ON_BOARD, S.INCIDENT_TAXI),
        ("customer_on_board", S.ACCEPTED_BY_TAXI, S.CUSTOMER_ON_BOARD),
    ):
        # Steps are added up in whole milliseconds
        expected = mean_time(hails, begin, end)
        assert told.average_times[step] == (expected and pytest.approx(expected, abs=0.001))


def check_means(told: HailStatistics, hails: list[Hail]) -> None:
    spans: dict[str, Callable[[date], bool]] = {
        "last_three_months": lambda day: MILESTONES[1] <= day,
        "current_year": lambda day: day.year == 2026,
        "last_year": lambda day: day.year == 2025,
    }
    periods: dict[str, Callable[[date], Any]] = {
        "daily": str,
        "weekly": lambda day: day - timedelta(day.weekday()),  # its Monday
        "monthly": lambda day: f"{day:%Y-%m}",
    }
    for span, takes in spans.items():
        for period, name in periods.items():
            for series in told.averages[span][period]:
                groups = Counter(
                    name(day(hail))
                    for hail in hails
                    if takes(day(hail)) and series in ("total", hail.status.value)
                )
                expected = groups.total() / len(groups) if groups else 0
                assert told.averages[span][period][series] == pytest.approx(expected)


def a_random_filter(draw: random.Random) -> Filter:
    def some(things: Sequence[str]) -> frozenset[str] | None:
        return frozenset(draw.sample(things, draw.randint(1, 2))) if draw.random() < 0.5 else None

    return Filter(
        departements=some(["75", "94", "33", "68", "13"]),
        insees=some([*filter(None, PLACES), "13055"]),
        owners=some([*map(str, OWNERS), "99"]),
    )


def test_every_figure_is_what_a_recount_gives(store: None, tmp_path: Path) -> None:  # noqa: ARG001
    draw = random.Random(1)
    loaded.load_towns(tmp_path)
    counted = some_hails(draw)
    for hail, _ in counted:
        stored(hail)
    past = [(hail, insee) for hail, insee in counted if day(hail) < TODAY]

    outcome = jobs.run("count-hails", now=NOW)

    assert outcome.done["hails"] == len(past) < len(counted)
    cache.forget_all()
    filters = [Filter(), *(a_random_filter(draw) for _ in range(30))]
    sizes = set()
    for asked in filters:
        taken = [
            hail
            for hail, insee in past
            if asked.takes_town(insee) and asked.takes_owner(str(hail.operateur_id))
        ]
        sizes.add(len(taken))
        check(service.statistics(asked, now=NOW), taken)
        recent = [hail for hail in taken if day(hail) >= TODAY - timedelta(30)]
        assert service.received_in_last_days(asked, now=NOW) == len(recent)
    assert len(sizes) > 10
    check_growth_and_heat(past)


def check_growth_and_heat(past: list[Counted]) -> None:
    for members in ([loaded.PARIS], [loaded.BORDEAUX, loaded.MULHOUSE], [*PLACES]):
        months = Counter(f"{day(hail):%Y-%m}" for hail, insee in past if insee in members)
        before, since = months["2025-02"], months["2026-02"]
        expected = 100 * (since - before) / before if before else None
        assert service.growth(members, now=NOW) == expected
    kept = [hail for hail, _ in past if day(hail) >= TODAY - timedelta(365)]
    cells = Counter(geohash6(LngLat(hail.customer_lon, hail.customer_lat)) for hail in kept)
    heat = service.heat(now=NOW)
    assert {(lat, lng): n for lat, lng, n in heat} == {
        (geohash_centre(cell).lat, geohash_centre(cell).lng): n for cell, n in cells.items()
    }
    weights = [n for _, _, n in heat]
    assert weights == sorted(weights, reverse=True)
