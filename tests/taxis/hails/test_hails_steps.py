"""Steps of a hail and its taxi, and who comes second."""

import pytest

from chalicelib.taxis.hails import (
    change,
    dispatch,
    expiry,
)
from chalicelib.taxis.hails.rules import Hail, Status, StepRefused
from chalicelib.taxis.registry import availability_change, own_taxis
from tests.taxis.hails.hail_factories import PHONE, WAITS, Scene
from tests.taxis.hails.traces import journal
from tests.taxis.registry.races import just_before, transactions

S = Status


# --- steps that others are faster at -------------------------------------------------------------


def decline(scene: Scene, hail: Hail) -> None:
    scene.drive(scene.read(hail), S.DECLINED_BY_CUSTOMER)


def test_who_comes_second_is_told_what_won(scene: Scene) -> None:
    hail = scene.hail(S.RECEIVED_BY_TAXI)

    with (
        just_before(transactions(), "TransactWriteItems", lambda: decline(scene, hail)),
        pytest.raises(StepRefused, match="declined_by_customer"),
    ):
        scene.drive(hail, S.ACCEPTED_BY_TAXI)

    assert scene.read(hail).status is S.DECLINED_BY_CUSTOMER
    assert scene.taxi_status() == "free"


def test_a_deadline_that_comes_second_does_nothing(scene: Scene) -> None:
    hail = scene.hail(S.RECEIVED_BY_TAXI)
    due = scene.now + WAITS[S.RECEIVED_BY_TAXI]

    with just_before(
        transactions(), "TransactWriteItems", lambda: scene.drive(hail, S.ACCEPTED_BY_TAXI)
    ):
        expiry.expire(hail.hail_id, now=due, way="queue")

    # Accepted at `now`, it is late again by then: the customer has been silent for as long
    assert [step.to_status for step in scene.read(hail).transitions[-2:]] == [
        S.ACCEPTED_BY_TAXI,
        S.TIMEOUT_CUSTOMER,
    ]


@pytest.mark.parametrize("failure", [None, "it does not answer"])
def test_the_webhook_that_comes_second_does_nothing(scene: Scene, failure: str | None) -> None:
    hail = scene.hail()

    with just_before(transactions(), "TransactWriteItems", lambda: decline(scene, hail)):
        if failure is None:
            dispatch.confirm(hail.hail_id, taxi_phone_number=PHONE, now=scene.now)
        else:
            dispatch.fail(hail.hail_id, reason=failure, now=scene.now)

    assert scene.read(hail).status is S.DECLINED_BY_CUSTOMER


def test_a_field_and_a_step_at_once_are_both_kept(scene: Scene) -> None:
    hail = scene.hail()

    with just_before(transactions(), "TransactWriteItems", lambda: decline(scene, hail)):
        changed = change.change_hail(scene.moteur, hail, {"rating_ride": 3}, now=scene.now)

    assert (changed.status, changed.rating_ride) == (S.DECLINED_BY_CUSTOMER, 3)
    assert scene.read(hail) == changed


# --- the taxi ------------------------------------------------------------------------------------


def test_a_step_goes_through_although_the_operator_changed_the_status(scene: Scene) -> None:
    hail = scene.hail(S.ACCEPTED_BY_TAXI)
    found = own_taxis.find_taxi(scene.operateur, scene.taxi_id)

    with just_before(
        transactions(),
        "TransactWriteItems",
        lambda: availability_change.change_taxi(found, {"status": "off"}, now=scene.now),
    ):
        scene.drive(hail, S.ACCEPTED_BY_CUSTOMER)

    assert scene.read(hail).status is S.ACCEPTED_BY_CUSTOMER
    assert scene.taxi_status() == "oncoming"


def test_a_hails_steps_are_no_changes_of_the_operators_own(scene: Scene) -> None:
    before = scene.description().status_changed_at

    scene.hail(S.FINISHED)

    assert scene.description().status_changed_at == before


@pytest.mark.parametrize(
    ("status", "to", "taxi"),
    [
        (S.RECEIVED_BY_TAXI, S.DECLINED_BY_TAXI, "off"),
        (S.RECEIVED, S.DECLINED_BY_CUSTOMER, "free"),
        (S.ACCEPTED_BY_TAXI, S.ACCEPTED_BY_CUSTOMER, "oncoming"),
        (S.ACCEPTED_BY_CUSTOMER, S.CUSTOMER_ON_BOARD, "occupied"),
        (S.CUSTOMER_ON_BOARD, S.FINISHED, "free"),
        (S.ACCEPTED_BY_CUSTOMER, S.INCIDENT_TAXI, "free"),
        (S.CUSTOMER_ON_BOARD, S.INCIDENT_CUSTOMER, "free"),
        (S.RECEIVED_BY_OPERATOR, S.RECEIVED_BY_TAXI, "answering"),
        (S.RECEIVED_BY_TAXI, S.ACCEPTED_BY_TAXI, "answering"),
    ],
)
def test_the_taxi_follows_its_hail(scene: Scene, status: Status, to: Status, taxi: str) -> None:
    hail = scene.hail(status)
    before = scene.taxi_status()

    scene.drive(hail, to)

    assert scene.taxi_status() == taxi
    told = (
        "taxi_status",
        scene.taxi_id,
        {"old_status": before, "new_status": taxi, "hail_id": hail.hail_id},
    )
    assert (told in journal()) is (before != taxi)
