"""A year of invented statistics: hails by day, searches, taxis on the road by hour of the day.

Everything is counted by the statistics' own rules and put away by their own stores, so that each figure is
what the registry would have made of such hails and searches. All of it follows from the day and the fleet
alone. What a data folder has already stays: each part is seeded once.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from chalicelib.foundation.geo import LngLat, geohash6
from chalicelib.taxis.hails.rules import Hail, Status, Transition
from chalicelib.taxis.search.rules import Search
from chalicelib.taxis.settings import settings
from chalicelib.taxis.stats.active import store as active
from chalicelib.taxis.stats.active.rules import Tally
from chalicelib.taxis.stats.calendar import months_before
from chalicelib.taxis.stats.hails import rules as hail_rules
from chalicelib.taxis.stats.hails import store as hails
from chalicelib.taxis.stats.searches import rules as search_rules
from chalicelib.taxis.stats.searches import store as searches
from chalicelib.taxis.territory import service as territory
from chalicelib.taxis.vocabulary import Account
from ops.local.demo import ways

MONTHS = (
    13  # whole ones before the present, so that the last full month has one to be compared with
)
AT_ONCE = 4  # days that are written at the same time
SPREAD = 0.004  # degrees that a customer stands away from a street's corner, at most
SEARCHES_A_HAIL = 6

_CORNERS = tuple(corner for street in ways.STREETS for corner in street)

# The road of a hail to each ending, with the seconds that each step took after the one before, and how many of a
# hundred hails take it.
_RIDE = (
    (Status.RECEIVED_BY_OPERATOR, 0.6),
    (Status.RECEIVED_BY_TAXI, 0.8),
    (Status.ACCEPTED_BY_TAXI, 11.0),
    (Status.ACCEPTED_BY_CUSTOMER, 6.0),
    (Status.CUSTOMER_ON_BOARD, 260.0),
)


class Road(NamedTuple):
    """How a hail goes: its steps with their seconds, and its weight among the roads."""

    steps: Sequence[tuple[Status, float]]
    weight: int


ROADS = (
    Road((*_RIDE, (Status.FINISHED, 840.0)), 62),
    Road((*_RIDE[:2], (Status.DECLINED_BY_TAXI, 8.0)), 9),
    Road((*_RIDE[:2], (Status.TIMEOUT_TAXI, 30.0)), 7),
    Road((*_RIDE[:3], (Status.DECLINED_BY_CUSTOMER, 9.0)), 6),
    Road((*_RIDE[:3], (Status.TIMEOUT_CUSTOMER, 30.0)), 5),
    Road((*_RIDE[:4], (Status.INCIDENT_TAXI, 190.0)), 3),
    Road((*_RIDE[:4], (Status.INCIDENT_CUSTOMER, 210.0)), 2),
    Road((*_RIDE[:4], (Status.TIMEOUT_ACCEPTED_BY_CUSTOMER, 1800.0)), 2),
    Road((*_RIDE[:5], (Status.TIMEOUT_TAXI, 7200.0)), 1),  # a ride that was never closed
    Road((*_RIDE[:5], (Status.INCIDENT_TAXI, 300.0)), 1),
    Road(((Status.FAILURE, 3.2),), 2),
)


# --- hails ----------------------------------------------------------------------------------------


def hails_of(day: date, operators: Sequence[Account], moteur: Account) -> Iterator[Hail]:
    """The invented hails of a day: the more the later the day and the nearer the weekend."""
    rng = random.Random(day.isoformat())
    grown = (day - date(2020, 1, 1)).days / 365
    count = round(
        (3 + 1.3 * grown) * (1, 0.95, 1, 1.1, 1.4, 1.5, 0.8)[day.weekday()] * rng.uniform(0.8, 1.2)
    )
    for number in range(count):
        operator = rng.choices(operators, range(len(operators), 0, -1))[0]
        customer = _near(rng, rng.choice(_CORNERS))
        taxi = _near(rng, customer)
        created = datetime.combine(day, time(5), UTC) + timedelta(seconds=rng.randrange(17 * 3600))
        [road] = rng.choices(ROADS, [road.weight for road in ROADS])
        transitions = [*_transitions(road, created, rng)]
        yield Hail(
            hail_id=f"{number:07x}",
            status=transitions[-1].to_status,
            created_at=created,
            last_status_change=transitions[-1].at,
            last_update_at=transitions[-1].at,
            deadline=None,
            transitions=tuple(transitions),
            session_id="",
            moteur_id=moteur.id,
            moteur=moteur.email,
            operateur_id=operator.id,
            operateur=operator.email,
            customer_id="demo",
            customer_lon=customer[0],
            customer_lat=customer[1],
            customer_address="",
            customer_phone_number="",
            taxi_id="",
            shown_taxi_id="",
            description_id="",
            initial_taxi_lon=taxi[0],
            initial_taxi_lat=taxi[1],
            licence_plate="",
            color="",
            nb_seats=None,
            characteristics=(),
            first_name="",
            last_name="",
        )


def _near(rng: random.Random, point: tuple[float, float]) -> tuple[float, float]:
    lon, lat = point
    return lon + rng.uniform(-SPREAD, SPREAD), lat + rng.uniform(-SPREAD, SPREAD) / 1.5


def _transitions(road: Road, created: datetime, rng: random.Random) -> Iterator[Transition]:
    last, at = Status.RECEIVED, created
    yield Transition(None, last, at, None, None)
    for status, seconds in road.steps:
        is_deadline = status.value.startswith("timeout")
        at += timedelta(seconds=seconds * (1 if is_deadline else rng.uniform(0.6, 1.5)))
        yield Transition(last, status, at, None, None)
        last = status


def days(now: datetime) -> list[date]:
    """The days that have statistics, yesterday first."""
    today = now.astimezone(UTC).date()
    first = months_before(now.astimezone(UTC).replace(day=1), MONTHS).date()
    return [today - timedelta(back) for back in range(1, (today - first).days + 1)]


def seed_hails(
    wanted: Sequence[date], operators: Sequence[Account], moteur: Account, *, now: datetime
) -> int:
    """Writes the sums of those of the days that have none, unless that was done before; how many."""
    # The last one to be written: in half a year it is still among the days of `days`, and has its sums.
    mark = months_before(now.astimezone(UTC).replace(day=1), MONTHS // 2).date()
    if mark in _counted(mark):
        return 0
    there = {day for month in {each.replace(day=1) for each in wanted} for day in _counted(month)}
    missing = [day for day in wanted if day not in there and day != mark]

    town_of = _town_about()

    def write(day: date) -> None:
        count = hail_rules.count(hails_of(day, operators, moteur), town_of)
        if count is not None:
            hails.put_day(day, count, heat_days=settings().hail_kept_days)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(write, missing))
    write(mark)
    return len(missing) + 1


def _counted(day: date) -> set[date]:
    """The days of a day's month that have been counted."""
    return {counted for counted, _ in hails.sums(f"{day:%Y-%m}")}


def _town_about() -> Callable[[LngLat], str]:
    """The town of a point, or of another one that was asked for within some 500 m: looked up a few hundred times."""
    known: dict[tuple[int, int], str] = {}

    def town_of(point: LngLat) -> str:
        square = round(200 * point.lng), round(200 * point.lat)
        if square not in known:
            known[square] = _town_of(point)
        return known[square]

    return town_of


def _town_of(point: LngLat) -> str:
    return next(iter(territory.place_of(point).towns), "")


# --- searches -------------------------------------------------------------------------------------


def seed_searches(moteurs: Sequence[Account], *, now: datetime) -> int:
    """Adds a year of searches to the totals, unless any day has been folded into them; how many.

    They stand on days that nobody can report of any more, before those whose own sheets are kept: what was
    really searched is folded behind them.
    """
    if searches.folded_through():
        return 0
    rng = random.Random("searches")
    last = now.astimezone(UTC).date() - searches.KEPT - timedelta(days=3)
    # The accounts that search most are of the last month, the quartiles and the map of all time.
    seeded = 0
    for back, count in ((120, 1500), (14, 300), (9, 300), (4, 300), (0, 300)):
        day = last - timedelta(back)
        found = [_search(rng, day, moteurs) for _ in range(count)]
        searches.fold(searches.part_of(day), search_rules.count_searches(found))
        seeded += count
    return seeded


def _search(rng: random.Random, day: date, moteurs: Sequence[Account]) -> Search:
    where = LngLat(*_near(rng, rng.choice(_CORNERS)))
    found = max(0, round(rng.gauss(9, 5)))
    return Search(
        hour=(day - date(1970, 1, 1)).days * 24 + rng.randrange(5, 22),
        insee=_town_of(where) or "75056",
        moteur=rng.choices(moteurs, range(len(moteurs), 0, -1))[0].id,
        found=found,
        seen=rng.randint(found // 2, found),
        nearest_m=rng.randint(30, 480) if found else None,
        geohash=geohash6(where),
    )


# --- taxis on the road ----------------------------------------------------------------------------

# Of a hundred taxis so many are on the road at each hour of the day, UTC.
SHIFTS = (
    22,
    16,
    12,
    10,
    14,
    28,
    46,
    62,
    70,
    66,
    60,
    62,
    64,
    60,
    58,
    62,
    70,
    78,
    80,
    74,
    62,
    50,
    40,
    30,
)


def seed_hours(fleets: Sequence[tuple[str, str, int]], *, now: datetime) -> int:
    """Counts the hours of yesterday, unless an hour of the day was counted before; how many.

    `fleets` are the taxis by town and owner.
    """
    if any(True for _ in active.hours_of_day()):
        return 0
    yesterday = datetime.combine(now.astimezone(UTC).date(), time(), UTC) - timedelta(days=1)
    for hour, percent in enumerate(SHIFTS):
        tallies = [
            Tally(insee, owner, active=n * percent // 100, free=n * percent // 150)
            for insee, owner, n in sorted(fleets)
        ]
        active.add_hour(yesterday + timedelta(hours=hour), tallies)
    return len(SHIFTS)
