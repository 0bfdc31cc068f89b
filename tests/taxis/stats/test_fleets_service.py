"""The survey of all fleets, from the registry's tables to what the statistics answer."""

from datetime import UTC, datetime, timedelta

import pytest
from chalice.test import Client

from app import app
from chalicelib.foundation import cache, clock
from chalicelib.foundation.store import reads
from chalicelib.taxis.jobs import service as jobs
from chalicelib.taxis.registry import store as registered
from chalicelib.taxis.registry.rows import TaxiRow
from chalicelib.taxis.stats.calendar import Milestones
from chalicelib.taxis.stats.filters import EVERYTHING
from chalicelib.taxis.stats.fleets import service, store
from chalicelib.taxis.stats.fleets.rules import FleetSummary, OwnerFleet
from ops.cli.territory import licences
from tests import factories
from tests.calls import Caller
from tests.factories import BORDEAUX, PARIS

pytestmark = pytest.mark.usefixtures("store")

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def an_operator(email: str = "operator") -> tuple[str, Caller]:
    """Its owner, and calls in its name; it has all that a taxi is made of."""
    account, key = factories.an_account(email)
    factories.known_towns()
    caller = Caller(app, key=key)
    factories.register_parts(caller)
    return account.owner, caller


def survey(now: datetime | None = None) -> None:
    """Surveys, and forgets what this process has read of an earlier survey."""
    jobs.run("count-fleets", now=now or clock.now() + MINUTE)
    cache.forget_all()


def test_a_taxi_shows_at_the_next_survey_with_its_radius_and_its_status() -> None:
    owner, caller = an_operator()
    [taxi] = caller.post("/taxis", factories.a_taxi()).data
    survey()
    before = service.survey().summary(EVERYTHING)
    caller.put(f"/taxis/{taxi['id']}", {"status": "free", "radius": 300})

    survey()

    after = service.survey().summary(EVERYTHING)
    assert (before.registered_taxis.today, before.connected_taxis.today) == (1, 0)
    assert (before.average_radius, before.average_radius_change) == (None, 0)
    assert (after.registered_taxis.today, after.connected_taxis.today) == (1, 1)
    assert (after.average_radius, after.average_radius_change) == (300, 100)
    added_at = reads.one(registered.taxis([taxi["id"]]))[taxi["id"]].added_at
    assert service.survey().of_owners(EVERYTHING) == {owner: OwnerFleet(1, added_at)}


def test_a_deleted_taxi_is_gone_from_the_next_survey_and_its_town_too() -> None:
    _, caller = an_operator()
    [taxi] = caller.post("/taxis", factories.a_taxi()).data
    survey()
    TaxiRow(taxi["id"]).delete()

    survey()

    assert service.survey().of_departements(EVERYTHING) == {}
    assert service.survey().summary(EVERYTHING).registered_taxis.today == 0
    assert service.survey().at is not None


def test_the_taxis_of_a_merged_town_are_their_new_town_s_at_the_next_survey() -> None:
    _, caller = an_operator()
    caller.post("/taxis", factories.a_taxi())
    survey()
    licences.move_ads({PARIS: BORDEAUX})

    survey()

    assert service.survey().of_departements(EVERYTHING) == {"33": 1}
    assert service.survey().registered_before([PARIS], ["2100-01"]) == [0]
    assert service.survey().registered_before([BORDEAUX], ["2100-01"]) == [1]


def test_a_description_that_two_taxis_share_counts_for_each() -> None:
    _, caller = an_operator()
    caller.post("/drivers", factories.a_driver(professional_licence="75-0002"))
    [taxi] = caller.post("/taxis", factories.a_taxi()).data
    caller.post("/taxis", factories.a_taxi(professional_licence="75-0002"))
    caller.put(f"/taxis/{taxi['id']}", {"status": "free", "radius": 300})

    survey()

    found = service.survey().summary(EVERYTHING)
    assert (found.registered_taxis.today, found.connected_taxis.today) == (2, 2)
    assert (found.average_radius, found.average_radius_change) == (300, 100)


def test_before_the_first_survey_there_is_nothing_and_no_moment() -> None:
    none = Milestones(0, 0, 0, 0)

    assert service.survey().summary(EVERYTHING) == FleetSummary(none, none, none, none, None, None)
    assert service.survey().at is None
    assert service.survey().of_owners(EVERYTHING) == {}
    assert service.survey().of_departements(EVERYTHING) == {}
    assert service.survey().registered_before([PARIS], ["2026-01", "2026-02"]) == [0, 0]


def test_a_taxi_that_is_added_while_a_survey_is_taken_is_left_to_the_next() -> None:
    _, caller = an_operator()
    began = clock.now()
    caller.post("/taxis", factories.a_taxi())

    survey(now=began)

    assert service.survey().summary(EVERYTHING).registered_taxis.today == 0


def test_a_dry_survey_counts_and_changes_nothing() -> None:
    _, caller = an_operator()
    caller.post("/taxis", factories.a_taxi())

    outcome = jobs.run("count-fleets", now=clock.now() + MINUTE, dry_run=True)

    assert (outcome.done, outcome.pages) == ({"taxis": 1, "fleets": 1}, 1)
    assert list(store.SERIES.all()) == []


def test_a_survey_is_repeated_harmlessly() -> None:
    _, caller = an_operator()
    caller.post("/taxis", factories.a_taxi())
    now = clock.now() + MINUTE
    survey(now)
    once = store.latest_survey()

    survey(now)

    assert store.latest_survey() == once
    assert len(list(store.SERIES.all())) == 1


def test_the_survey_is_read_once_in_a_while() -> None:
    service.survey().summary(EVERYTHING)
    store.put_survey([], at=NOON)
    before = service.survey().at

    cache.forget_all()

    assert (before, service.survey().at) == (None, NOON)


def test_the_clock_has_all_taxis_counted() -> None:
    _, caller = an_operator()
    caller.post("/taxis", factories.a_taxi())

    event = Client(app).events.generate_cw_event("aws.events", "Scheduled Event", {}, [])

    app.handler_map["count_fleets"](event, None)

    cache.forget_all()
    assert service.survey().summary(EVERYTHING).registered_taxis.today == 1
