"""Steps of a hail and its taxi, and who comes second."""

import json
from datetime import timedelta

import pytest

from chalicelib.taxis.hails import (
    change,
    dispatch,
    expiry,
)
from chalicelib.taxis.hails.create import TaxiUnavailable
from chalicelib.taxis.hails.rules import STEPS, Hail, Status, StepRefused
from chalicelib.taxis.registry import availability_change, own_taxis
from chalicelib.taxis.registry.rows import DescriptionRow
from chalicelib.taxis.vocabulary import Role
from tests import factories
from tests.calls import Caller
from tests.taxis.hails.hail_factories import PHONE, WAITS, WAYS, Scene
from tests.taxis.hails.traces import journal
from tests.taxis.registry.races import just_before, transactions

S = Status
DECLINED = Status.DECLINED_BY_CUSTOMER


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


def put_status(scene: Scene, status: str, taxi_id: str | None = None) -> str:
    """The operator's PUT of a status; what it is answered."""
    answer = scene.as_operateur.put(f"/taxis/{taxi_id or scene.taxi_id}", {"status": status})
    assert answer.status == 200
    shown: str = answer.data[0]["status"]
    return shown


def test_a_step_goes_through_although_the_operator_changed_the_status(scene: Scene) -> None:
    hail = scene.hail(S.ACCEPTED_BY_TAXI)

    with just_before(transactions(), "TransactWriteItems", lambda: put_status(scene, "off")):
        scene.drive(hail, S.ACCEPTED_BY_CUSTOMER)

    assert scene.read(hail).status is S.ACCEPTED_BY_CUSTOMER
    assert scene.taxi_status() == "off"


OPEN = [status for status in WAYS if not status.is_over]


@pytest.mark.parametrize("status", OPEN)
def test_a_driver_who_repeats_free_neither_sells_the_taxi_nor_breaks_its_hail(
    scene: Scene, status: Status
) -> None:
    hail = scene.hail(status)
    before = scene.taxi_status()

    assert put_status(scene, "free") == before
    assert scene.taxi_status() == before
    answer = scene.post(customer_id="another")
    assert (answer.status, answer.errors) == (
        400,
        {"data": {"0": {"taxi_id": ["Taxi is not free."]}}},
    )
    scene.drive(hail, *WAYS[S.FINISHED][len(WAYS[status]) :])
    assert scene.taxi_status() == "free"


def test_free_that_a_driver_repeats_in_the_instant_of_a_hail_does_not_undo_it(scene: Scene) -> None:
    found = own_taxis.find_taxi(scene.operateur, scene.taxi_id)
    put_status(scene, "occupied")
    occupied = own_taxis.find_taxi(scene.operateur, scene.taxi_id)
    put_status(scene, "free")
    hail = scene.hail()

    for seen_before in (found, occupied):
        availability_change.change_taxi(seen_before, {"status": "free"}, now=scene.now)

    assert (scene.taxi_status(), scene.description().open_hail) == ("answering", hail.hail_id)


@pytest.mark.parametrize("own", ["off", "occupied"])
@pytest.mark.parametrize(
    ("status", "to"),
    [
        (S.RECEIVED, S.DECLINED_BY_CUSTOMER),
        (S.RECEIVED_BY_TAXI, S.DECLINED_BY_TAXI),
        (S.ACCEPTED_BY_TAXI, S.INCIDENT_TAXI),
        (S.ACCEPTED_BY_CUSTOMER, S.INCIDENT_CUSTOMER),
    ],
)
def test_what_the_driver_has_set_meanwhile_outlasts_the_hail(
    scene: Scene, own: str, status: Status, to: Status
) -> None:
    hail = scene.hail(status)
    put_status(scene, own)

    scene.drive(hail, to)

    assert (scene.taxi_status(), scene.description().open_hail) == (own, None)
    assert put_status(scene, "free") == "free"


def test_a_driver_who_goes_off_before_the_ride_is_off_after_it(scene: Scene) -> None:
    hail = scene.hail(S.RECEIVED_BY_TAXI)
    put_status(scene, "off")

    scene.drive(hail, *WAYS[S.FINISHED][len(WAYS[S.RECEIVED_BY_TAXI]) :])

    assert scene.taxi_status() == "off"


def test_a_deadline_leaves_what_the_driver_has_set(scene: Scene) -> None:
    hail = scene.hail(S.ACCEPTED_BY_TAXI)
    put_status(scene, "occupied")

    expiry.expire(hail.hail_id, now=scene.now + WAITS[S.ACCEPTED_BY_TAXI], way="queue")

    assert scene.read(hail).status is S.TIMEOUT_CUSTOMER
    assert scene.taxi_status() == "occupied"


@pytest.mark.parametrize(
    ("status", "to"),
    [
        (S.RECEIVED_BY_OPERATOR, S.RECEIVED_BY_TAXI),
        (S.RECEIVED_BY_TAXI, S.ACCEPTED_BY_TAXI),
        (S.ACCEPTED_BY_TAXI, S.ACCEPTED_BY_CUSTOMER),
        (S.ACCEPTED_BY_CUSTOMER, S.CUSTOMER_ON_BOARD),
    ],
)
def test_no_step_towards_a_ride_is_possible_without_the_taxi(
    scene: Scene, status: Status, to: Status
) -> None:
    hail = scene.hail(status)
    DescriptionRow(scene.description().description_id).update(
        [DescriptionRow.open_hail.set("another"), DescriptionRow.status.set("answering")]
    )

    with pytest.raises(StepRefused, match="no longer held"):
        scene.drive(hail, to)

    assert scene.read(hail).status is status
    scene.drive(hail, S.INCIDENT_CUSTOMER if S.INCIDENT_CUSTOMER in STEPS[status] else DECLINED)
    assert (scene.taxi_status(), scene.description().open_hail) == ("answering", "another")


# --- one vehicle, two operators ------------------------------------------------------------------


@pytest.fixture
def twin(scene: Scene) -> tuple[Caller, str]:
    """Another operator, and the free taxi that it has of the same vehicle."""
    _, caller = scene.caller("second operateur", Role.OPERATEUR)
    return caller, scene.taxi(caller=caller, plate=scene.description().vehicle.licence_plate)


def test_a_vehicle_of_two_operators_is_sold_once_at_a_time(
    scene: Scene, twin: tuple[Caller, str]
) -> None:
    caller, other = twin
    hail = scene.hail()

    assert caller.get(f"/taxis/{other}").data[0]["status"] == "answering"
    assert scene.post(other, customer_id="another").status == 400
    caller.put(f"/taxis/{other}", {"status": "free"})
    assert scene.post(other, customer_id="another").status == 400
    scene.drive(hail, *WAYS[S.FINISHED])
    assert (scene.taxi_status(), scene.taxi_status(other)) == ("free", "free")
    assert scene.post(other, customer_id="another").status == 201
    assert scene.post().status == 400


def test_a_vehicle_that_a_second_operator_describes_during_a_hail_is_not_sold(scene: Scene) -> None:
    scene.hail(S.CUSTOMER_ON_BOARD)
    _, caller = scene.caller("second operateur", Role.OPERATEUR)
    other = scene.taxi(caller=caller, plate=scene.description().vehicle.licence_plate)

    assert scene.post(other, customer_id="another").status == 400


def test_of_two_hails_at_once_for_one_vehicle_one_gets_it(
    scene: Scene, twin: tuple[Caller, str]
) -> None:
    _, other = twin

    with (
        just_before(
            transactions(),
            "TransactWriteItems",
            lambda: scene.hail(taxi_id=other, customer_id="another"),
        ),
        pytest.raises(TaxiUnavailable),
    ):
        scene.hail()

    assert scene.description().open_hail == scene.description(other).open_hail


def test_an_operator_whose_taxi_is_off_keeps_it_so_through_the_others_hail(
    scene: Scene, twin: tuple[Caller, str]
) -> None:
    caller, other = twin
    caller.put(f"/taxis/{other}", {"status": "off"})

    hail = scene.hail(S.CUSTOMER_ON_BOARD)
    during = scene.taxi_status(other)
    scene.drive(hail, S.FINISHED)

    assert (during, scene.taxi_status(other)) == ("off", "off")


def test_a_driver_who_declines_for_one_operator_is_off_for_that_one_only(
    scene: Scene, twin: tuple[Caller, str]
) -> None:
    scene.drive(scene.hail(S.RECEIVED_BY_TAXI), S.DECLINED_BY_TAXI)

    assert (scene.taxi_status(), scene.taxi_status(twin[1])) == ("off", "free")


def test_a_late_hail_of_the_other_operators_taxi_gives_the_vehicle_back(
    scene: Scene, twin: tuple[Caller, str]
) -> None:
    scene.hail()

    second = scene.hail(taxi_id=twin[1], after=timedelta(seconds=31), customer_id="another")

    assert scene.description().open_hail == second.hail_id


def test_a_second_operator_of_a_vehicle_is_told_in_a_metric(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    _, caller = scene.caller("second operateur", Role.OPERATEUR)
    description = scene.description()
    plate = description.vehicle.licence_plate
    capsys.readouterr()

    caller.post("/vehicles", factories.a_vehicle(licence_plate=plate))

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    told = [line for line in lines if "vehicles_of_several_operators" in line]
    assert [(line["vehicle"], line["descriptions"]) for line in told] == [
        (description.vehicle.vehicle_id, [description.description_id])
    ]


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
