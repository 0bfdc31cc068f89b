"""The minute's counters, from cells and licences to the territory's pages."""

from datetime import UTC, datetime, timedelta

import pytest

from app import app
from chalicelib import cache, clock
from chalicelib.access.rules import Role
from chalicelib.positions import codec
from chalicelib.positions import service as positions
from chalicelib.positions.codec import Report
from chalicelib.registry import service as registry
from chalicelib.stats.active import service, store
from chalicelib.stats.active.rules import ActiveCounts
from tests import factories
from tests.calls import Caller

pytestmark = pytest.mark.usefixtures("store")


def a_fleet(*ages_s: float, status: str = "free") -> str:
    """Taxis in Paris that reported so long ago; their owner."""
    account, key = factories.an_account("operator", Role.OPERATEUR)
    factories.known_towns()
    calls = Caller(app, key=key)
    for number, age_s in enumerate(ages_s):
        licence, plate = str(number), f"AA-{number:03}-BB"
        calls.post("/drivers", factories.a_driver(professional_licence=licence))
        calls.post("/vehicles", factories.a_vehicle(licence_plate=plate))
        calls.post("/ads", factories.an_ads(numero=licence))
        body = factories.a_taxi(numero=licence, licence_plate=plate, professional_licence=licence)
        [taxi] = calls.post("/taxis", body).data
        calls.put(f"/taxis/{taxi['id']}", {"status": status})
        taxi_number = codec.number_of(taxi["id"])
        assert taxi_number is not None
        seen = codec.tick(clock.now() - timedelta(seconds=age_s))
        positions.store_window(
            [Report(seen, [taxi_number], [488_566_000], [23_522_000])],
            availability_of=registry.availability_of,
            now=clock.now(),
        )
    return account.owner


def test_taxis_that_reported_within_the_minute_are_counted() -> None:
    owner = a_fleet(0, 30, 65)

    service.count_active(now=clock.now())

    counts = service.active_now()
    assert counts.in_town("75056") == 2
    assert counts.of_operator_in_town(owner, "75056") == 2


def test_occupied_taxis_count_for_the_town_and_not_for_their_operator() -> None:
    owner = a_fleet(0, status="occupied")

    service.count_active(now=clock.now())

    counts = service.active_now()
    assert counts.in_town("75056") == 1
    assert counts.of_operator_in_town(owner, "75056") == 0


def test_nothing_is_counted_before_the_job_ran() -> None:
    assert service.active_now().in_town("75056") == 0


def test_counters_that_were_not_renewed_are_not_shown() -> None:
    store.put_active(
        ActiveCounts({"75056": 9}, {}, {}, {}), at=clock.now() - timedelta(seconds=121)
    )

    assert service.active_now().in_town("75056") == 0


def test_counters_come_back_as_they_were_put() -> None:
    at = datetime(2026, 3, 2, 12, tzinfo=UTC)
    counts = ActiveCounts({"75056": 9}, {"z": 4}, {("1", "75056"): 2}, {("1", "z"): 1})

    store.put_active(counts, at=at)

    assert store.active() == (at, counts)


def test_the_counters_are_read_once_in_a_while() -> None:
    service.active_now()
    store.put_active(ActiveCounts({"75056": 9}, {}, {}, {}), at=clock.now())
    before = service.active_now().in_town("75056")

    cache.forget_all()

    assert (before, service.active_now().in_town("75056")) == (0, 9)
