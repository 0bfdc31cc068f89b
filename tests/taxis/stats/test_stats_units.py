"""What the pages of the statistics, and the jobs behind them, cost in units of the table `statistics`.

A sheet that is read costs half a unit, or a whole one where it must be of this moment; one that is
written costs one. So does a search for sheets, even where it finds none.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import boto3
import pytest

from app import app
from bench import charges
from bench.meter import Meter
from chalicelib.foundation import cache, clock
from chalicelib.foundation.aws import clients
from chalicelib.foundation.settings import table
from chalicelib.taxis.hails.rules import Status
from chalicelib.taxis.jobs import service as jobs
from chalicelib.taxis.settings import settings
from chalicelib.taxis.stats.hails.service import months
from chalicelib.taxis.stats.searches.rules import COMPLETE_AFTER
from chalicelib.taxis.vocabulary import Role
from tests import factories
from tests.calls import Caller
from tests.taxis.hails.hail_factories import Scene
from tests.taxis.stats.roads import DAY, HOUR, Road
from tests.taxis.stats.searching import Streamed, a_search

pytestmark = pytest.mark.usefixtures("store")

NOON = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)


class StatisticsMeter(Meter):
    """Counts the calls of one table only."""

    def _before(self, *, params: Any, **rest: Any) -> None:
        if json.loads(params["body"]).get("TableName") == table("statistics"):
            super()._before(params=params, **rest)


@pytest.fixture
def meter() -> Iterator[Meter]:
    past = boto3.client("dynamodb")
    made = StatisticsMeter(
        lambda name, key: past.get_item(TableName=name, Key=key).get("Item"),
        charges.schema(settings().stage),
    )
    events = clients.dynamodb().meta.events
    made.attach(events)
    yield made
    events.unregister("before-call.dynamodb", made._before)
    events.unregister("after-call.dynamodb", made._after)


def searched(at: datetime) -> None:
    """Searches in two departements, with their accounts and cells."""
    found = [a_search(at), a_search(at, insee="33063", geohash="ezzx0p")]
    Streamed().count(found, arrived_at=at)


# Each run reads where an earlier one was broken off, and writes down that it is over (1, 1); one of
# several pages also writes after each where it goes on, and takes that away at last.
@pytest.mark.parametrize(
    ("name", "at", "reads", "writes"),
    [
        # Who was seen in the hour; the minute, the heat, the newcomers.
        ("count-active", NOON, 1 + 1, 1 + 3),
        # Of 48 hours one was counted: how far it is and who was seen, each hour; ten parts of sums.
        ("count-active-hour", NOON + HOUR, 1 + 1 + 48 + 10, 1 + 48 + 12 + 1),
        # Of two days one was counted: their hours, and a week of days, of which one is there.
        ("count-active-day", NOON + DAY, 1 + 1 + 48 + 3.5, 1 + 3 + 2 + 2),
        ("count-fleets", NOON, 1 + 1, 1 + 1),
    ],
)
def test_a_job_costs_the_sheets_that_it_touches(
    name: str, at: datetime, reads: float, writes: int, meter: Meter
) -> None:
    road = Road()
    road.license(1)
    road.report(1, at=NOON)
    if name != "count-active":
        jobs.run("count-active", now=NOON)

    with meter.counting() as bill:
        jobs.run(name, now=at)

    assert (bill.read_units, bill.write_units) == (reads, writes)


def test_a_batch_and_a_fold_of_searches_cost_the_sheets_that_they_touch(meter: Meter) -> None:
    with meter.counting() as batch:
        searched(NOON)
    jobs.run("fold-searches", now=NOON)  # all that is before this day

    with meter.counting() as fold:
        jobs.run("fold-searches", now=NOON + 2 * DAY)

    assert (batch.read_units, batch.write_units) == (2, 2)  # of two departements
    # Twenty parts of two days, each with the number of the last one; two towns, two cells, and the
    # accounts of two parts.
    assert fold.read_units == 1 + 20 + 20 + 4
    assert fold.write_units == 1 + 20 + 20 + 4 + 2


def test_each_page_costs_the_sheets_that_it_shows(meter: Meter) -> None:
    now = clock.now()
    Scene().hail(Status.FINISHED)
    for age in range(3):
        searched(now - age * DAY)
    for name, at in (
        ("count-active", now),
        ("count-fleets", now + DAY),
        ("count-hails", now + DAY),
        ("fold-searches", now),
    ):
        jobs.run(name, now=at)
    admin = Caller(app, key=factories.an_account("admin", Role.ADMIN)[1])

    def months_from(first: date) -> int:
        return len(months(first, now.date()))

    unfolded = (now.date() - (now - COMPLETE_AFTER).date()).days + 1
    costs = {
        "/stats/taxis": 2 + months_from(now.date() - 30 * DAY),
        "/stats/hails": months_from(date(2022, 1, 1)),
        "/stats/groupements": 1,
        "/stats/adsmap": 1,
        "/stats/groups": 0,
        "/stats/managers": 0,
        "/stats/searches": 2 + 0.5 + 0.5 + 2 * 0.5 * unfolded,
        "/stats/heatmap_hails": 0.5 * months_from(now.date() - 365 * DAY),
        "/stats/heatmap_taxis": 0.5,
        "/stats/heatmap_searches": 1 + 0.5 + 0.5 * unfolded,
        "/stats/letaxi": 0,
        "/zupc/live": 0.5,
    }

    measured = {}
    for path in costs:
        cache.forget_all()
        with meter.counting() as bill:
            assert admin.get(path).status == 200
        measured[path] = bill.read_units

    assert measured == costs
