"""New hails: the taxi that is taken, repeated requests, sessions."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.foundation import clock
from chalicelib.foundation.aws import clients as aws
from chalicelib.foundation.settings import table
from chalicelib.foundation.store.writes import connection
from chalicelib.taxis.hails import (
    change,
    create,
    expiry,
    queue,
    writes,
)
from chalicelib.taxis.hails.create import (
    CustomerBanned,
    KeyReused,
    SessionUnknown,
    TaxiUnavailable,
)
from chalicelib.taxis.hails.rules import Hail, HailRequest, Status
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.vocabulary import Role
from tests.taxis.hails.hail_factories import Scene, a_wish
from tests.taxis.hails.traces import entries, journal, messages
from tests.taxis.registry.races import just_before, refusing, transactions

S = Status
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def calls(scene: Scene) -> Iterator[list[str]]:  # noqa: ARG001  # the clients are in its AWS
    made: list[str] = []

    def count(model: Any, **_: object) -> None:
        made.append(model.name)

    clients = [aws.dynamodb(), aws.sqs(), connection().client]
    for client in clients:
        client.meta.events.register("before-call", count)
    yield made
    for client in clients:
        client.meta.events.unregister("before-call", count)


def conflicts() -> dict[str, Any]:
    reasons = [{"Code": "None"}, {"Code": "TransactionConflict", "Message": "busy"}]
    return {"CancellationReasons": reasons}


# --- a new hail ----------------------------------------------------------------------------------


def test_a_hail_takes_its_taxi_and_waits_to_be_sent(scene: Scene) -> None:
    hail = scene.hail()

    assert scene.read(hail) == hail
    assert (scene.taxi_status(), scene.description().open_hail) == ("answering", hail.hail_id)
    assert messages("hail-dispatch") == [{"hail_id": hail.hail_id}]
    assert sorted(journal()) == [
        ("customer_hail", "somebody", {"taxi_id": scene.taxi_id, "hail_id": hail.hail_id}),
        ("taxi_status", scene.taxi_id, {"old_status": "off", "new_status": "free"}),
    ]


def test_both_taxis_of_a_car_are_taken_by_one_hail(scene: Scene) -> None:
    other = scene.taxi(plate="AA-001-BB")

    scene.hail()

    assert scene.taxi_status(other) == "answering"
    with pytest.raises(TaxiUnavailable, match="not free"):
        scene.hail(taxi_id=other)


def test_a_hail_that_cannot_be_queued_is_a_hail(scene: Scene) -> None:
    queue._url.cache_clear()
    url = aws.sqs().get_queue_url(QueueName=table("hail-dispatch"))["QueueUrl"]
    aws.sqs().delete_queue(QueueUrl=url)

    hail = scene.hail()

    assert expiry.expire(hail.hail_id, now=scene.now + 30 * SECOND, way="sweep") is not None
    assert scene.taxi_status() == "free"


def test_a_new_hail_costs_six_calls_with_its_two_entries_in_the_journal(
    scene: Scene, calls: list[str]
) -> None:
    scene.post()  # the day, the queues and the key are known from now on
    scene.report(other := scene.taxi(), at=clock.now())
    calls.clear()
    before = entries()

    assert scene.post(other).status == 201

    assert calls == [
        "BatchGetItem",  # taxi, customer, the taxi's pointer
        "BatchGetItem",  # description, driver, the taxi's cell
        "TransactWriteItems",
        "PutItem",  # the cell, where the taxi is taken
        "SendMessage",
        "SendMessage",
    ]
    assert sorted((entries() - before).elements()) == ["auth_apikey", "customer_hail"]


def test_a_taxi_that_moves_while_it_is_hailed_is_shown_as_taken(scene: Scene) -> None:
    moves = lambda: scene.report(scene.taxi_id, at=scene.now + SECOND)  # noqa: E731

    with just_before(transactions(), "TransactWriteItems", moves):
        scene.hail()

    shown = positions.reporting(since=scene.now - MINUTE)
    assert {taxi_id: taxi.status for taxi_id, taxi in shown.items()} == {scene.taxi_id: "answering"}


def test_a_transaction_in_the_way_is_waited_for(scene: Scene) -> None:
    code = "TransactionCanceledException"

    with refusing(transactions(), "TransactWriteItems", code, times=3, **conflicts()):
        hail = scene.hail()
    with refusing(transactions(), "TransactWriteItems", code, times=3, **conflicts()):
        scene.drive(hail, S.RECEIVED_BY_OPERATOR)

    assert scene.read(hail).status is S.RECEIVED_BY_OPERATOR


def test_who_comes_second_is_told_that_the_taxi_is_not_free(scene: Scene) -> None:
    with (
        just_before(transactions(), "TransactWriteItems", scene.hail),
        pytest.raises(TaxiUnavailable, match="not free"),
    ):
        scene.hail(customer_id="another")


def test_a_customer_who_is_banned_at_the_last_moment_gets_no_taxi(scene: Scene) -> None:
    hail = scene.hail(S.FINISHED)

    def ban() -> None:
        change.change_hail(scene.operateur, hail, {"reporting_customer": True}, now=scene.now)

    with just_before(transactions(), "TransactWriteItems", ban), pytest.raises(CustomerBanned):
        scene.hail()
    assert scene.taxi_status() == "free"


# --- the same request again ----------------------------------------------------------------------


def again(scene: Scene, key: str, after: timedelta = timedelta(0), **changes: Any) -> Hail:
    wanted = HailRequest(**a_wish(**{"taxi_id": scene.taxi_id, **changes}))
    return create.create_hail(scene.moteur, wanted, key=key, now=scene.now + after)[0]


def test_the_same_key_and_wish_are_the_same_hail(scene: Scene) -> None:
    first = again(scene, "k")

    assert again(scene, "k", 5 * SECOND) == scene.read(first)


def test_the_same_key_with_another_wish_is_refused(scene: Scene) -> None:
    again(scene, "k")

    with pytest.raises(KeyReused):
        again(scene, "k", customer_id="another")


def test_a_key_is_an_accounts_own(scene: Scene) -> None:
    again(scene, "k")
    other, _ = scene.caller("other", Role.MOTEUR)
    wanted = HailRequest(**a_wish(scene.taxi()))

    hail, _ = create.create_hail(other, wanted, key="k", now=scene.now)

    assert hail.moteur_id == other.id


def test_a_key_is_good_for_a_day(scene: Scene) -> None:
    first = again(scene, "k")
    later = writes.KEY_KEPT + SECOND
    scene.report(scene.taxi_id, at=scene.now + later)

    assert again(scene, "k", later).hail_id != first.hail_id


def test_two_requests_with_one_key_at_once_are_one_hail(scene: Scene) -> None:
    made: list[Hail] = []

    with just_before(transactions(), "TransactWriteItems", lambda: made.append(again(scene, "k"))):
        second = again(scene, "k")

    assert second.hail_id == made[0].hail_id


def test_who_finds_the_taxi_taken_by_the_twin_of_the_request_is_answered_the_twins_hail(
    scene: Scene,
) -> None:
    made: list[Hail] = []

    # The key is read, then the twin takes the taxi, then the taxi is read
    with just_before(
        aws.dynamodb(), "BatchGetItem", lambda: made.append(again(scene, "k")), after=1
    ):
        second = again(scene, "k")

    assert second.hail_id == made[0].hail_id


def test_who_finds_the_taxi_taken_by_another_is_refused_although_there_is_a_key(
    scene: Scene,
) -> None:
    with (
        just_before(
            aws.dynamodb(), "BatchGetItem", lambda: again(scene, "k", customer_id="b"), after=1
        ),
        pytest.raises(TaxiUnavailable),
    ):
        again(scene, "another key")


def test_of_two_wishes_with_one_key_at_once_one_is_refused(scene: Scene) -> None:
    other = scene.taxi()

    with (
        just_before(transactions(), "TransactWriteItems", lambda: again(scene, "k", taxi_id=other)),
        pytest.raises(KeyReused),
    ):
        again(scene, "k")
    assert scene.taxi_status() == "free"


# --- sessions ------------------------------------------------------------------------------------


def test_a_customers_next_hail_within_five_minutes_joins_the_session(scene: Scene) -> None:
    first = scene.drive(scene.hail(), S.DECLINED_BY_CUSTOMER, after=SECOND)
    scene.report(scene.taxi_id, at=scene.now + 5 * MINUTE)

    second = scene.hail(after=5 * MINUTE)
    scene.drive(second, S.DECLINED_BY_CUSTOMER, after=5 * MINUTE)
    scene.report(scene.taxi_id, at=scene.now + 10 * MINUTE)
    third = scene.hail(after=10 * MINUTE)

    assert second.session_id == first.session_id
    assert third.session_id != first.session_id


def test_a_given_session_is_taken_whatever_its_age(scene: Scene) -> None:
    first = scene.drive(scene.hail(), S.DECLINED_BY_CUSTOMER)
    scene.report(scene.taxi_id, at=scene.now + HOUR)

    second = scene.hail(after=HOUR, session_id=first.session_id)

    assert second.session_id == first.session_id


def test_a_session_of_another_customer_or_moteur_is_refused(scene: Scene) -> None:
    first = scene.drive(scene.hail(), S.DECLINED_BY_CUSTOMER)
    other, _ = scene.caller("other", Role.MOTEUR)

    with pytest.raises(SessionUnknown):
        scene.hail(session_id=first.session_id, customer_id="another")
    theirs = HailRequest(**a_wish(scene.taxi_id, session_id=first.session_id))
    with pytest.raises(SessionUnknown):
        create.create_hail(other, theirs, now=scene.now)
    with pytest.raises(SessionUnknown):
        scene.hail(session_id="4b2c0b52-65b6-4d0f-9c40-6d2be2cc8a4e")
