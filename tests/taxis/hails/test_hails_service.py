"""Hails over time: deadlines by each of the three ways, sessions, bans, repeated requests, the night."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.foundation import cache, clock
from chalicelib.foundation.aws import clients as aws
from chalicelib.foundation.jobs.rules import Job
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import writes
from chalicelib.taxis.access import service as access
from chalicelib.taxis.access.rules import Role
from chalicelib.taxis.activity.store import ActivityRow
from chalicelib.taxis.hails import listing, lists, past, queue, retention, service, store
from chalicelib.taxis.hails.listing import Filter
from chalicelib.taxis.hails.rows import CustomerRow, ListRow, LogRow
from chalicelib.taxis.hails.rules import TAXI, Hail, HailWanted, Status, StepRefused
from chalicelib.taxis.hails.service import (
    CustomerBanned,
    KeyReused,
    SessionUnknown,
    TaxiUnavailable,
)
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.registry import service as registry
from tests.taxis.hails.hail_factories import PHONE, WAITS, Scene, a_wish
from tests.taxis.registry.races import just_before, refusing, transactions

S = Status
SECOND, MINUTE, HOUR, DAY = (
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(days=1),
)


@pytest.fixture
def scene(store: None) -> Scene:  # noqa: ARG001  # where everything is
    return Scene()


def messages(name: str) -> list[dict[str, Any]]:
    """What waits in a queue, delayed or not, oldest first."""
    url = aws.sqs().get_queue_url(QueueName=table(name))["QueueUrl"]
    found = aws.sqs().receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in found]


def journal() -> list[tuple[str, str, dict[str, Any]]]:
    """What the journal says of hails, oldest first."""
    found = sorted(ActivityRow.scan(), key=lambda row: row.entry)
    return [
        (row.action, row.resource_id, dict(row.extra))
        for row in found
        if row.action in ("customer_hail", "taxi_status")
    ]


def entries() -> Counter[str]:
    """How often the journal tells of each action."""
    return Counter(row.action for row in ActivityRow.scan())


# --- a new hail ----------------------------------------------------------------------------------


def test_a_hail_takes_its_taxi_and_waits_to_be_sent(scene: Scene) -> None:
    hail = scene.hail()

    assert scene.read(hail) == hail
    assert (scene.taxi_status(), scene.description().open_hail) == ("answering", hail.hail_id)
    assert messages("hail-dispatch") == [{"hail_id": hail.hail_id}]
    assert journal() == [
        ("customer_hail", "somebody", {"taxi_id": scene.taxi_id, "hail_id": hail.hail_id})
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

    assert service.expire(hail.hail_id, now=scene.now + 30 * SECOND, way="sweep") is not None
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


@pytest.fixture
def calls(scene: Scene) -> Iterator[list[str]]:  # noqa: ARG001  # the clients are in its AWS
    made: list[str] = []

    def count(model: Any, **_: object) -> None:
        made.append(model.name)

    clients = [aws.dynamodb(), aws.sqs(), writes.connection().client]
    for client in clients:
        client.meta.events.register("before-call", count)
    yield made
    for client in clients:
        client.meta.events.unregister("before-call", count)


def conflicts() -> dict[str, Any]:
    reasons = [{"Code": "None"}, {"Code": "TransactionConflict", "Message": "busy"}]
    return {"CancellationReasons": reasons}


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
        service.change(scene.operateur, hail, {"reporting_customer": True}, now=scene.now)

    with just_before(transactions(), "TransactWriteItems", ban), pytest.raises(CustomerBanned):
        scene.hail()
    assert scene.taxi_status() == "free"


# --- the same request again ----------------------------------------------------------------------


def again(scene: Scene, key: str, after: timedelta = timedelta(0), **changes: Any) -> Hail:
    wanted = HailWanted(**a_wish(**{"taxi_id": scene.taxi_id, **changes}))
    return service.create(scene.moteur, wanted, key=key, now=scene.now + after)[0]


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
    wanted = HailWanted(**a_wish(scene.taxi()))

    hail, _ = service.create(other, wanted, key="k", now=scene.now)

    assert hail.moteur_id == other.id


def test_a_key_is_good_for_a_day(scene: Scene) -> None:
    first = again(scene, "k")
    later = store.KEY_KEPT + SECOND
    scene.report(scene.taxi_id, at=scene.now + later)

    assert again(scene, "k", later).hail_id != first.hail_id


def test_two_requests_with_one_key_at_once_are_one_hail(scene: Scene) -> None:
    made: list[Hail] = []

    with just_before(transactions(), "TransactWriteItems", lambda: made.append(again(scene, "k"))):
        second = again(scene, "k")

    assert second.hail_id == made[0].hail_id


def test_of_two_wishes_with_one_key_at_once_one_is_refused(scene: Scene) -> None:
    other = scene.taxi()

    with (
        just_before(transactions(), "TransactWriteItems", lambda: again(scene, "k", taxi_id=other)),
        pytest.raises(KeyReused),
    ):
        again(scene, "k")
    assert scene.taxi_status() == "free"


# --- steps that others are faster at --------------------------------------------------------------


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
        service.expire(hail.hail_id, now=due, way="queue")

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
            service.delivered(hail.hail_id, taxi_phone_number=PHONE, now=scene.now)
        else:
            service.undelivered(hail.hail_id, reason=failure, now=scene.now)

    assert scene.read(hail).status is S.DECLINED_BY_CUSTOMER


def test_a_field_and_a_step_at_once_are_both_kept(scene: Scene) -> None:
    hail = scene.hail()

    with just_before(transactions(), "TransactWriteItems", lambda: decline(scene, hail)):
        changed = service.change(scene.moteur, hail, {"rating_ride": 3}, now=scene.now)

    assert (changed.status, changed.rating_ride) == (S.DECLINED_BY_CUSTOMER, 3)
    assert scene.read(hail) == changed


# --- deadlines -----------------------------------------------------------------------------------

ENDS = [
    (S.RECEIVED, S.FAILURE),
    (S.RECEIVED_BY_OPERATOR, S.FAILURE),
    (S.RECEIVED_BY_TAXI, S.TIMEOUT_TAXI),
    (S.ACCEPTED_BY_TAXI, S.TIMEOUT_CUSTOMER),
    (S.ACCEPTED_BY_CUSTOMER, S.TIMEOUT_ACCEPTED_BY_CUSTOMER),
    (S.CUSTOMER_ON_BOARD, S.TIMEOUT_TAXI),
]


def look(scene: Scene, way: str, hail: Hail, now: datetime) -> None:
    """One of those who apply deadlines comes by."""
    if way == "queue":
        service.expire(hail.hail_id, now=now, way="queue")
    elif way == "sweep":
        service.sweep(now=now)
    elif way == "read":
        service.find(scene.moteur, hail.hail_id, now=now)
    elif way == "list":
        listing.list_hails(scene.moteur, Filter(), page=1, per_page=30, now=now)
    else:
        listing.list_sessions(scene.moteur, page=1, per_page=30, now=now)


@pytest.mark.parametrize("way", ["queue", "sweep", "read", "list", "sessions"])
def test_each_way_alone_applies_every_deadline_once(scene: Scene, way: str) -> None:
    for status, becomes in ENDS:
        scene.free()
        hail = scene.hail(status)
        due = scene.now + WAITS[status]

        look(scene, way, hail, due - SECOND)
        assert scene.read(hail).status is status
        look(scene, way, hail, due)
        look(scene, way, hail, due + SECOND)

        ended = scene.read(hail)
        assert ended.status is becomes
        assert [step.reason for step in ended.transitions].count("timeout") == 1
        assert scene.taxi_status() == TAXI[becomes].value
        assert scene.description().open_hail is None
    tasks = [extra.get("task") for action, _, extra in journal() if action == "taxi_status"]
    assert tasks.count("handle_hail_timeout") == len(ENDS)


def test_each_deadline_is_queued_when_its_wait_begins(scene: Scene) -> None:
    hail = scene.hail(S.ACCEPTED_BY_CUSTOMER)

    found = [(one["hail_id"], one["status"]) for one in messages("hail-deadlines")]

    assert found == []  # none is due yet: they are delayed
    assert hail.deadline == scene.read(hail).deadline


@pytest.mark.parametrize(
    ("due", "delay_s"), [(-MINUTE, 0), (10 * SECOND, 10), (10.5 * SECOND, 11), (2 * HOUR, 900)]
)
def test_no_message_is_delayed_for_longer_than_sqs_allows(
    scene: Scene, due: timedelta, delay_s: int
) -> None:
    sent: list[Any] = []

    def note(params: dict[str, Any], **_: object) -> None:
        sent.append(params["DelaySeconds"])

    events = aws.sqs().meta.events
    events.register("provide-client-params.sqs.SendMessage", note)
    queue.put_deadline("abcdef0", S.RECEIVED, scene.now + due, now=scene.now)
    events.unregister("provide-client-params.sqs.SendMessage", note)

    assert sent == [delay_s]


def test_a_delay_that_sqs_would_refuse_is_our_fault() -> None:
    with pytest.raises(ValueError, match="900"):
        queue._put("hail-deadlines", {}, delay_s=901)


def test_a_late_step_is_told_that_time_is_up(scene: Scene) -> None:
    hail = scene.hail(S.RECEIVED_BY_TAXI)

    late = service.find(scene.operateur, hail.hail_id, now=scene.now + 31 * SECOND)

    assert late.status is S.TIMEOUT_TAXI


def test_another_hail_for_a_taxi_that_a_late_one_holds_gets_it(scene: Scene) -> None:
    scene.hail()

    second = scene.hail(after=31 * SECOND, customer_id="another")

    assert scene.description().open_hail == second.hail_id


def test_a_late_hail_never_frees_a_taxi_that_a_newer_one_holds(scene: Scene) -> None:
    first = scene.hail(S.ACCEPTED_BY_TAXI)
    found = registry.find_taxi(scene.operateur, scene.taxi_id)
    registry.change_taxi(found, {"status": "free"}, now=scene.now)
    second = scene.hail(customer_id="another")

    service.expire(first.hail_id, now=scene.now + 31 * SECOND, way="queue")

    assert scene.read(first).status is S.TIMEOUT_CUSTOMER
    assert (scene.taxi_status(), scene.description().open_hail) == ("answering", second.hail_id)


def test_a_step_goes_through_although_the_operator_changed_the_status(scene: Scene) -> None:
    hail = scene.hail(S.ACCEPTED_BY_TAXI)
    found = registry.find_taxi(scene.operateur, scene.taxi_id)

    with just_before(
        transactions(),
        "TransactWriteItems",
        lambda: registry.change_taxi(found, {"status": "off"}, now=scene.now),
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


# --- the operator's server -----------------------------------------------------------------------

HOOK = ("https://operator.example/hails", "X-Key", "secret")


def test_what_is_sent_is_the_hail_as_a_stranger_may_see_it(scene: Scene) -> None:
    access.add("operateur", hook=HOOK)
    hail = scene.hail()

    sent = service.dispatch(hail.hail_id, now=scene.now + SECOND)

    assert sent is not None
    assert (sent.url, sent.header_name, sent.header_value) == HOOK
    assert sent.operator_id == scene.operateur.id
    [shown] = json.loads(sent.body)["data"]
    assert (shown["status"], shown["operateur"]) == ("received", "operateur")
    assert shown["customer_phone_number"] == "0600000000"
    assert shown["taxi"]["id"] == scene.taxi_id
    assert shown["taxi"]["position"] == {"lon": None, "lat": None}
    assert len(shown["transitions"]) == 1


def test_a_hail_that_is_looked_at_too_late_has_failed(scene: Scene) -> None:
    hail = scene.hail()

    assert service.dispatch(hail.hail_id, now=scene.now + 10.1 * SECOND) is None

    assert scene.read(hail).status is S.FAILURE
    assert "10 seconds" in (scene.read(hail).transitions[-1].reason or "")
    assert scene.taxi_status() == "free"
    assert journal()[-1][2]["task"] == "send_request_operator"


def test_an_operator_without_an_address_gets_no_hails(scene: Scene) -> None:
    hail = scene.hail()

    assert service.dispatch(hail.hail_id, now=scene.now) is None
    assert scene.read(hail).status is S.FAILURE


def test_a_hail_that_has_moved_on_is_not_sent(scene: Scene) -> None:
    hail = scene.drive(scene.hail(), S.DECLINED_BY_CUSTOMER)

    assert service.dispatch(hail.hail_id, now=scene.now) is None
    service.delivered(hail.hail_id, taxi_phone_number=PHONE, now=scene.now)
    service.undelivered(hail.hail_id, reason="late", now=scene.now)

    assert scene.read(hail) == hail


def test_the_phone_number_of_the_reply_is_kept(scene: Scene) -> None:
    hail = scene.hail()

    service.delivered(hail.hail_id, taxi_phone_number=PHONE, now=scene.now)

    assert scene.read(hail).taxi_phone_number == PHONE


def test_the_request_log_tells_who_sent_what(scene: Scene) -> None:
    hail = scene.drive(scene.hail(), S.RECEIVED_BY_OPERATOR)
    service.log_exchange(
        hail.hail_id,
        payload={"customer_phone_number": PHONE},
        now=scene.now + SECOND,
        code=200,
        answer="{}",
    )
    scene.drive(hail, S.RECEIVED_BY_TAXI, after=2 * SECOND)

    told = [(one.method, one.user, one.code) for one in service.show(hail.hail_id).exchanges]

    assert told == [
        ("POST", "moteur", 201),
        ("POST to operator", None, 200),
        ("PUT", "operateur", 200),
    ]
    assert all(PHONE not in row.payload for row in LogRow.query(hail.hail_id))
    kept = {int(row.ttl) - int(row.at.timestamp()) for row in LogRow.query(hail.hail_id)}
    assert kept == {42 * 86_400}


# --- sessions and bans ---------------------------------------------------------------------------


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
    theirs = HailWanted(**a_wish(scene.taxi_id, session_id=first.session_id))
    with pytest.raises(SessionUnknown):
        service.create(other, theirs, now=scene.now)
    with pytest.raises(SessionUnknown):
        scene.hail(session_id="4b2c0b52-65b6-4d0f-9c40-6d2be2cc8a4e")


def test_a_report_bans_the_customer_with_this_moteur_only(scene: Scene) -> None:
    hail = scene.hail(S.FINISHED)
    service.change(scene.operateur, hail, {"reporting_customer": True}, now=scene.now)
    other, _ = scene.caller("other", Role.MOTEUR)

    with pytest.raises(CustomerBanned):
        scene.hail()
    service.create(other, HailWanted(**a_wish(scene.taxi_id)), now=scene.now)


def test_reports_of_several_hails_double_the_ban_and_one_that_is_taken_back_ends_it(
    scene: Scene,
) -> None:
    hails = [scene.hail(S.FINISHED) for _ in range(3)]
    for hail in hails:
        service.change(scene.operateur, hail, {"reporting_customer": True}, now=scene.now)
    customer = store.customer(scene.moteur.id, "somebody")
    assert customer is not None
    assert customer.ban_end == scene.now + 4 * DAY

    service.change(
        scene.operateur, scene.read(hails[0]), {"reporting_customer": None}, now=scene.now
    )

    customer = store.customer(scene.moteur.id, "somebody")
    assert customer is not None
    assert (customer.ban_begin, customer.ban_end) == (None, None)


def test_two_reports_at_once_both_count(scene: Scene) -> None:
    one, other = scene.hail(S.FINISHED), scene.hail(S.FINISHED)

    def report(hail: Hail) -> None:
        service.change(scene.operateur, hail, {"reporting_customer": True}, now=scene.now)

    with just_before(transactions(), "TransactWriteItems", lambda: report(other)):
        report(one)

    customer = store.customer(scene.moteur.id, "somebody")
    assert customer is not None
    assert customer.ban_end == scene.now + 2 * DAY


def test_a_customer_is_forgotten_a_year_after_the_last_hail(scene: Scene) -> None:
    scene.hail()

    [row] = CustomerRow.scan()

    assert row.ttl == int((scene.now + 366 * DAY).timestamp())


# --- the night -----------------------------------------------------------------------------------


def nightly(job: Job, now: datetime, *, dry_run: bool = False) -> int:
    """Runs a nightly job to its end; how many hails it changed, or would have."""
    done, after = 0, None  # type: int, str | None
    while True:
        page = job(now=now, after=after, dry_run=dry_run)
        done, after = done + sum(page.done.values()), page.after
        if after is None:
            return done


def enter_in_statistics(now: datetime) -> None:
    for day in past.uncounted(now=now):
        past.enter_in_statistics(day)


def test_after_two_months_a_hail_tells_neither_who_nor_where(scene: Scene) -> None:
    hail = scene.hail(S.FINISHED)

    assert nightly(retention.blur, scene.now + 60 * DAY - SECOND) == 0
    assert nightly(retention.blur, scene.now + 60 * DAY + SECOND) == 1
    assert nightly(retention.blur, scene.now + 61 * DAY) == 0

    blurred = scene.read(hail)
    assert blurred.blurred
    assert (blurred.customer_lon, blurred.customer_lat) == (2.4, 48.9)
    assert (blurred.initial_taxi_lon, blurred.initial_taxi_lat) == (2.4, 48.9)
    texts = (blurred.customer_address, blurred.customer_phone_number, blurred.taxi_phone_number)
    assert set(texts) == {"[REDACTED]"}
    assert (blurred.customer_id, blurred.transitions) == (hail.customer_id, hail.transitions)


def test_a_blurred_hail_is_deleted_after_a_year_with_its_session(scene: Scene) -> None:
    scene.hail(S.FINISHED)
    scene.hail(S.FINISHED)
    old = scene.now + 366 * DAY

    enter_in_statistics(old)
    assert nightly(retention.delete_old, old) == 0  # not blurred yet
    nightly(retention.blur, old)
    assert nightly(retention.delete_old, scene.now + 365 * DAY - SECOND) == 0
    assert nightly(retention.delete_old, old) == 2

    assert lists.days() == []
    left = [row.owner for row in ListRow.scan()]
    assert left == []


def test_a_hail_waits_for_the_statistics_before_it_is_deleted(scene: Scene) -> None:
    hail = scene.hail(S.FINISHED)
    old = scene.now + 366 * DAY
    nightly(retention.blur, old)

    assert nightly(retention.delete_old, old) == 0
    assert scene.read(hail).blurred
    enter_in_statistics(old)
    assert nightly(retention.delete_old, old) == 1


def test_a_dry_run_counts_and_changes_nothing(scene: Scene) -> None:
    hail = scene.hail(S.FINISHED)
    old = scene.now + 366 * DAY
    enter_in_statistics(old)

    assert nightly(retention.delete_old, old, dry_run=True) == 0  # not blurred yet
    assert nightly(retention.blur, old, dry_run=True) == 1
    assert scene.read(hail) == hail
    assert [day.blurred for day in lists.days()] == [False]

    nightly(retention.blur, old)
    assert nightly(retention.delete_old, old, dry_run=True) == 1
    assert scene.read(hail).blurred


def test_the_last_hail_but_one_leaves_its_session(scene: Scene) -> None:
    first, second = scene.hail(S.FINISHED), scene.hail(S.FINISHED)
    nightly(retention.blur, scene.now + 61 * DAY)

    store.delete(scene.read(first))

    [group], total = listing.list_sessions(scene.moteur, page=1, per_page=30, now=scene.now)
    assert ([hail.hail_id for hail in group.hails], total) == ([second.hail_id], 1)


def test_a_night_that_is_broken_off_goes_on_where_it_was(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    hails = [scene.hail(S.FINISHED) for _ in range(3)]
    monkeypatch.setattr(retention, "PAGE_OF_THE_NIGHT", 2)
    later = scene.now + 61 * DAY

    page = retention.blur(now=later)
    assert (page.done, sum(scene.read(hail).blurred for hail in hails)) == ({"blurred": 2}, 2)
    nightly(retention.blur, later)

    assert all(scene.read(hail).blurred for hail in hails)
    assert [day.blurred for day in lists.days()] == [True]


# --- lists of admins -----------------------------------------------------------------------------


def test_an_admins_page_and_total_come_from_counted_days(scene: Scene) -> None:
    admin, _ = scene.caller("admin", Role.ADMIN)
    hails = []
    for day in range(3):
        cache.forget_all()
        scene.report(scene.taxi_id, at=scene.now + day * DAY)
        hails.append(scene.hail(after=day * DAY))
        service.sweep(now=scene.now + day * DAY + MINUTE)
    now = scene.now + 2 * DAY + MINUTE
    retention.blur(now=now)

    for page, hail in zip((1, 2, 3, 4), [*reversed(hails), None], strict=True):
        found, total = listing.list_hails(admin, Filter(), page=page, per_page=1, now=now)
        assert [line.hail_id for line in found] == ([hail.hail_id] if hail else [])
        assert total == 3
    counted = [day.hail_count for day in lists.days()]
    assert counted == [None, 1, 1]
