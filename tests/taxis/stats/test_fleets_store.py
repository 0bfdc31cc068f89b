"""A survey is stored in parts that fit into their items, and is seen whole or not at all."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.foundation.aws import clients
from chalicelib.foundation.packing import Table
from chalicelib.taxis.stats.calendar import Milestones
from chalicelib.taxis.stats.fleets import store
from chalicelib.taxis.stats.fleets.rules import NO_SURVEY, Survey, TownFleet
from chalicelib.taxis.stats.fleets.store import Part

pytestmark = pytest.mark.usefixtures("store")

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def a_fleet(insee: str = "75056", owner: str = "7", **changes: Any) -> TownFleet:
    values: dict[str, Any] = {
        "registered": Milestones(4, 3, 2, 1),
        "connected": Milestones(3, 2, 1, 0),
        "registered_since_threshold": Milestones(2, 2, 1, 1),
        "connected_since_threshold": Milestones(2, 1, 1, 0),
        "with_radius": 2,
        "radius_sum_m": 700,
        "last_added_at": datetime(2026, 3, 2, 12, 0, 0, 123457, tzinfo=UTC),
        "added_in": {"2026-03": 1, "2019-01": 3},
        **changes,
    }
    return TownFleet(insee, owner, **values)


def many_fleets(count: int = 4_000) -> list[TownFleet]:
    """Too many for one sheet, for their owners do not compress."""
    noise = random.Random(4)
    return [a_fleet(owner=noise.randbytes(200).hex()) for _ in range(count)]


def entries() -> list[str]:
    return [entry for entry, _ in store.SERIES.all()]


def test_a_survey_comes_back_as_it_was_put() -> None:
    fleets = [a_fleet(), a_fleet("2A004", "8", added_in={})]

    store.put_survey(fleets, at=NOON)

    assert store.latest_survey() == Survey(NOON, fleets)


def test_a_survey_of_no_taxis_is_one_too() -> None:
    store.put_survey([], at=NOON)

    assert store.latest_survey() == Survey(NOON, [])


def test_a_survey_that_is_too_large_for_a_sheet_is_cut_into_several() -> None:
    fleets = many_fleets()

    store.put_survey(fleets, at=NOON)

    assert len(entries()) == 4
    assert store.latest_survey() == Survey(NOON, fleets)


def test_the_latest_survey_takes_the_place_of_those_before() -> None:
    store.put_survey(many_fleets(), at=NOON)
    store.put_survey([a_fleet()], at=NOON + HOUR)

    assert store.latest_survey() == Survey(NOON + HOUR, [a_fleet()])
    assert len(entries()) == 1


def test_a_survey_that_was_broken_off_is_not_seen_and_goes_with_the_next() -> None:
    store.put_survey([a_fleet()], at=NOON)
    begun = [Part(3, Table([a_fleet("13055")]))] * 2
    store.SERIES.put_parts("2026-11-27T13:00:00.000000+00:00/", begun)
    meanwhile = store.latest_survey()

    store.put_survey([], at=NOON + 2 * HOUR)

    assert meanwhile == Survey(NOON, [a_fleet()])
    assert entries() == ["2026-11-27T14:00:00.000000+00:00/0000"]


def test_of_surveys_that_were_broken_off_only_there_is_none_to_be_seen() -> None:
    begun = [Part(3, Table([a_fleet("13055")]))]
    store.SERIES.put_parts("2026-11-27T13:00:00.000000+00:00/", begun)

    assert store.latest_survey() == NO_SURVEY


def test_a_survey_that_is_written_late_takes_no_newer_one_s_place() -> None:
    store.put_survey([a_fleet()], at=NOON + HOUR)

    store.put_survey(many_fleets(), at=NOON)

    assert store.latest_survey() == Survey(NOON + HOUR, [a_fleet()])


def test_a_shorter_survey_of_the_same_moment_hides_what_is_left_of_the_longer() -> None:
    store.put_survey(many_fleets(), at=NOON)

    store.put_survey([a_fleet()], at=NOON)

    assert store.latest_survey() == Survey(NOON, [a_fleet()])


def test_who_reads_while_a_survey_is_replaced_sees_one_of_the_two() -> None:
    fleets = many_fleets(8_000)  # longer than the page of a query
    store.put_survey(fleets, at=NOON)
    queries: list[str] = []

    def replace(model: Any, **_: object) -> None:
        queries.append(model.name)
        if len(queries) == 2:
            store.put_survey(fleets[:-1], at=NOON + HOUR)

    client = clients.dynamodb()
    client.meta.events.register("before-call.dynamodb.Query", replace)
    try:
        found = store.latest_survey()
    finally:
        client.meta.events.unregister("before-call.dynamodb.Query", replace)

    assert len(queries) > 4
    assert found == Survey(NOON + HOUR, fleets[:-1])
