"""Never more calls of one operator's server at once than it has lanes, nor of one moteur than its share."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.foundation.aws import clients
from chalicelib.taxis.hails import concurrency
from chalicelib.taxis.hails.concurrency import Lane
from chalicelib.taxis.settings import settings
from tests.taxis.registry import races

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
APP, OTHER = 7, 8
MANY = range(100, 120)  # moteurs, each with one call

pytestmark = pytest.mark.usefixtures("store")


def acquire(operator_id: int = 1, *, moteur_id: int = APP, now: datetime = NOW) -> Lane | None:
    """A lane of the operator for the moteur."""
    return concurrency.acquire(operator_id, moteur_id=moteur_id, now=now)


def taken(operator_id: int = 1, *, moteur_id: int | None = None, now: datetime = NOW) -> list[Lane]:
    """As many lanes as there are: for many moteurs, or as many as one has."""
    found = [acquire(operator_id, moteur_id=moteur_id or each, now=now) for each in MANY]
    return [lane for lane in found if lane is not None]


@contextmanager
def updates() -> Iterator[list[dict[str, Any]]]:
    """The writes that are asked of DynamoDB meanwhile."""
    seen: list[dict[str, Any]] = []

    def note(params: dict[str, Any], **_: object) -> None:
        seen.append(params)

    events = clients.dynamodb().meta.events
    events.register("provide-client-params.dynamodb.*", note)
    try:
        yield seen
    finally:
        events.unregister("provide-client-params.dynamodb.*", note)


def test_an_operator_has_so_many_lanes_and_no_more() -> None:
    lanes = taken()

    assert len({lane.name for lane in lanes}) == len(lanes) == settings().hook_calls_at_once


def test_another_operators_lanes_are_its_own() -> None:
    taken(1)

    assert acquire(2) is not None


def test_one_moteur_alone_leaves_lanes_for_who_comes_new() -> None:
    lanes = taken(moteur_id=APP)

    assert len(lanes) == 8
    assert [acquire(moteur_id=other) is not None for other in (OTHER, 9, 10)] == [True, True, False]


def test_a_moteur_above_its_share_takes_no_lane_that_falls_free() -> None:
    lanes = taken(moteur_id=APP)
    acquire(moteur_id=OTHER)

    for lane in lanes[:4]:
        concurrency.release(lane)
        assert acquire(moteur_id=APP) is None
    concurrency.release(lanes[4])

    assert acquire(moteur_id=APP) is not None
    assert [acquire(moteur_id=OTHER) is not None for _ in range(4)] == [True, True, True, False]


def test_a_lane_that_is_released_is_acquired_again() -> None:
    lanes = taken()

    concurrency.release(lanes[3])

    assert [lane.name for lane in taken()] == [lanes[3].name]


def test_a_lane_of_a_process_that_died_is_free_again_after_a_while() -> None:
    lanes = taken()
    after = NOW + timedelta(seconds=settings().hook_within_s + 5)

    assert acquire(now=after - timedelta(seconds=1)) is None
    again = taken(now=after)

    assert len(again) == len(lanes)


def test_whoever_was_too_slow_frees_nobody_elses_lane() -> None:
    lanes = taken()
    again = taken(now=NOW + timedelta(minutes=1))

    for lane in lanes:
        concurrency.release(lane)

    assert acquire(now=NOW + timedelta(minutes=1)) is None
    concurrency.release(again[0])
    assert acquire(now=NOW + timedelta(minutes=1)) is not None


@pytest.mark.parametrize(("moteurs", "most"), [((APP,), 8), (tuple(MANY[:10]), 10)])
def test_lanes_that_others_take_meanwhile_pass_no_share(
    moteurs: tuple[int, ...], most: int
) -> None:
    """Each call is overtaken by another one, just before it asks DynamoDB for the lane it has chosen."""
    found: list[Lane | None] = []
    for number in range(10):
        moteur_id = moteurs[number % len(moteurs)]

        def one(moteur_id: int = moteur_id) -> None:
            found.append(acquire(moteur_id=moteur_id))

        with races.just_before(races.plain(), "UpdateItem", one):
            one()

    names = [lane.name for lane in found if lane is not None]
    assert len(names) == len(set(names)) == most
    item = clients.dynamodb().get_item(
        TableName="maraude-test-operator-calls", Key={"operator_id": {"S": "1"}}
    )["Item"]
    assert sum("M" in value for value in item.values()) == most


def test_a_call_with_none_beside_it_costs_two_writes() -> None:
    with updates() as seen:
        lane = acquire()
        assert lane is not None
        concurrency.release(lane)

    assert len(seen) == 2


def test_other_moteurs_calls_do_not_make_a_call_dearer() -> None:
    acquire(moteur_id=OTHER)

    with updates() as seen:
        assert acquire() is not None

    assert len(seen) == 1


def test_a_moteur_that_has_to_wait_costs_one_write() -> None:
    taken(moteur_id=APP)

    with updates() as seen:
        assert acquire(moteur_id=APP) is None

    assert len(seen) == 1
