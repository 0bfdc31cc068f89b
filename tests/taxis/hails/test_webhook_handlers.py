"""What the queues bring: hails for operators, deadlines, and what is neither."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from app import app
from chalicelib.foundation import clock
from chalicelib.foundation.aws import clients
from chalicelib.foundation.settings import forget as forget_settings
from chalicelib.foundation.settings import table
from chalicelib.foundation.values import milliseconds
from chalicelib.taxis.hails import concurrency, queue, rules, service
from chalicelib.taxis.hails.rules import Hail, Status
from chalicelib.taxis.settings import settings
from ops.cli import administration
from tests.taxis.hails import servers
from tests.taxis.hails.hail_factories import Scene
from tests.taxis.hails.queues import feed

pytestmark = pytest.mark.usefixtures("near_servers")


@pytest.fixture
def near_servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Operators' servers may be on this machine."""
    monkeypatch.setenv("MARAUDE_ALLOW_LOOPBACK_HOOKS", "true")
    forget_settings()
    yield
    monkeypatch.undo()
    forget_settings()


def waiting(name: str) -> list[dict[str, Any]]:
    """What is in a queue, visible or delayed: its messages, taken out."""
    url = clients.sqs().get_queue_url(QueueName=table(name))["QueueUrl"]
    found = clients.sqs().receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in found]


def hail_for(scene: Scene, url: str) -> Hail:
    """A new hail for an operator whose server is there."""
    administration.add("operateur", hook=(url, "", ""))
    return scene.hail()


def call(hail: Hail) -> list[str]:
    """The message of a new hail comes: which failed."""
    return feed("call_operators", json.dumps({"hail_id": hail.hail_id}))


# --- hails for operators --------------------------------------------------------------------------


def test_a_new_hail_is_sent_and_received_by_its_operator(scene: Scene) -> None:
    requests: list[bytes] = []
    reply = servers.http("200 OK", b'{"data":[{"taxi_phone_number":"0601020304"}]}')
    with servers.serving(servers.answers(reply, requests)) as operator:
        hail = hail_for(scene, operator.url)
        assert call(hail) == []

    after = scene.read(hail)
    sent = json.loads(requests[0].partition(b"\r\n\r\n")[2])["data"][0]
    assert (after.status, after.taxi_phone_number) == (Status.RECEIVED_BY_OPERATOR, "0601020304")
    assert (sent["id"], sent["status"], sent["customer_phone_number"]) == (
        hail.hail_id,
        "received",
        "0600000000",
    )


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (servers.answers(servers.http("500 Oops")), "the operator's server answered 500"),
        (servers.answers(servers.http("200 OK", b"")), "the answer is not JSON"),
        (servers.hangs, "no whole answer within 1 s"),
    ],
)
def test_a_hail_that_is_not_taken_has_failed_and_frees_its_taxi(
    scene: Scene, script: servers.Script, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if script is servers.hangs:
        monkeypatch.setenv("MARAUDE_HOOK_WITHIN_S", "1")
        forget_settings()
    with servers.serving(script) as operator:
        hail = hail_for(scene, operator.url)
        assert call(hail) == []

    after = scene.read(hail)
    assert (after.status, after.transitions[-1].reason) == (Status.FAILURE, reason)
    assert scene.taxi_status() == "free"


@pytest.mark.parametrize("phone", ["null", '"\\ud800"'])
def test_nothing_in_an_answer_leaves_a_hail_stuck(scene: Scene, phone: str) -> None:
    reply = f'{{"data":[{{"taxi_phone_number":{phone}}}]}}'.encode()
    with servers.serving(servers.answers(servers.http("200 OK", reply))) as operator:
        hail = hail_for(scene, operator.url)
        assert call(hail) == []

    assert scene.read(hail).status is Status.RECEIVED_BY_OPERATOR


def test_a_hail_that_has_moved_on_is_not_sent(scene: Scene) -> None:
    with servers.serving(servers.answers(servers.http())) as operator:
        hail = hail_for(scene, operator.url)
        scene.drive(hail, Status.DECLINED_BY_CUSTOMER)
        assert call(hail) == []

    assert operator.connections == 0


def test_a_message_that_comes_twice_sends_the_hail_once(scene: Scene) -> None:
    with servers.serving(servers.answers(servers.http())) as operator:
        hail = hail_for(scene, operator.url)
        call(hail)
        call(hail)

    assert operator.connections == 1


def test_an_answer_never_overwrites_what_the_customer_did_meanwhile(scene: Scene) -> None:
    hails: list[Hail] = []

    def script(connected: Any) -> None:
        servers.request(connected)
        scene.drive(hails[0], Status.DECLINED_BY_CUSTOMER)
        connected.sendall(servers.http())

    with servers.serving(script) as operator:
        hails.append(hail_for(scene, operator.url))
        assert call(hails[0]) == []

    assert scene.read(hails[0]).status is Status.DECLINED_BY_CUSTOMER


def test_each_call_is_in_the_request_log(scene: Scene) -> None:
    with servers.serving(servers.answers(servers.http("502 Bad Gateway", b"<html>"))) as operator:
        hail = hail_for(scene, operator.url)
        call(hail)

    last = service.history(hail.hail_id).exchanges[-1]
    assert (last.method, last.code, last.answer) == ("POST to operator", 502, "<html>")
    assert last.initial_status == "received"
    assert last.at <= scene.read(hail).last_status_change
    assert "0799887766" not in last.payload


def busy_lanes(hail: Hail) -> list[concurrency.Lane]:
    """Other moteurs have all the lanes of the hail's operator."""
    lanes = (
        concurrency.acquire(hail.operateur_id, moteur_id=1000 + other, now=clock.now())
        for other in range(settings().hook_calls_at_once)
    )
    return [lane for lane in lanes if lane is not None]


def test_a_hail_for_which_there_is_no_lane_is_sent_a_little_later(scene: Scene) -> None:
    with servers.serving(servers.answers(servers.http())) as operator:
        hail = hail_for(scene, operator.url)
        waiting("hail-dispatch")
        others = busy_lanes(hail)
        assert call(hail) == []
        assert (operator.connections, scene.read(hail).status) == (0, Status.RECEIVED)

        concurrency.release(others[0])
        threading.Event().wait(1.1)
        [message] = waiting("hail-dispatch")
        assert feed("call_operators", json.dumps(message)) == []

    assert scene.read(hail).status is Status.RECEIVED_BY_OPERATOR


def waiting_message(hail: Hail, *, since: timedelta) -> str:
    """The message of a hail that waits for a lane since so long after its creation."""
    since_ms = milliseconds(hail.created_at + since)
    return json.dumps({"hail_id": hail.hail_id, "waiting_since_ms": since_ms})


def test_a_hail_that_waited_for_a_lane_is_not_late_for_that(scene: Scene) -> None:
    with servers.serving(servers.answers(servers.http())) as operator:
        administration.add("operateur", hook=(operator.url, "", ""))
        hail = scene.hail(after=timedelta(seconds=-15))
        message = waiting_message(hail, since=timedelta(seconds=1))
        assert feed("call_operators", message) == []

    assert scene.read(hail).status is Status.RECEIVED_BY_OPERATOR


def test_a_hail_that_goes_on_waiting_keeps_the_beginning_of_its_wait(scene: Scene) -> None:
    hail = hail_for(scene, "http://127.0.0.1:9/")
    waiting("hail-dispatch")
    busy_lanes(hail)
    message = waiting_message(hail, since=timedelta(seconds=0.25))

    assert feed("call_operators", message) == []

    threading.Event().wait(1.1)
    assert waiting("hail-dispatch") == [json.loads(message)]


def test_a_hail_waits_for_a_lane_no_longer_than_a_call_ends_before_its_deadline(
    scene: Scene,
) -> None:
    with servers.serving(servers.answers(servers.http())) as operator:
        administration.add("operateur", hook=(operator.url, "", ""))
        hail = scene.hail(after=timedelta(seconds=-21))
        assert feed("call_operators", waiting_message(hail, since=timedelta(seconds=1))) == []

    after = scene.read(hail)
    assert operator.connections == 0
    assert (after.status, after.transitions[-1].reason) == (
        Status.FAILURE,
        "The operator's server was too busy with other hails",
    )
    assert scene.taxi_status() == "free"


def test_a_hail_that_has_to_wait_and_cannot_be_queued_comes_again(scene: Scene) -> None:
    hail = hail_for(scene, "http://127.0.0.1:9/")
    busy_lanes(hail)

    def refuse(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://sqs.example")

    events = clients.sqs().meta.events
    events.register("before-call.sqs.SendMessage", refuse)
    try:
        assert call(hail) == ["m0"]
    finally:
        events.unregister("before-call.sqs.SendMessage", refuse)


def test_a_lane_is_released_after_each_call(scene: Scene) -> None:
    with servers.serving(servers.answers(servers.http())) as operator:
        hail = hail_for(scene, operator.url)
        call(hail)

    assert len(busy_lanes(hail)) == settings().hook_calls_at_once


# --- deadlines ------------------------------------------------------------------------------------


def due(hail: Hail, **changes: Any) -> str:
    """The message of a hail's deadline."""
    assert hail.deadline is not None
    message = {
        "hail_id": hail.hail_id,
        "status": hail.status,
        "due_ms": milliseconds(hail.deadline),
    }
    return json.dumps({**message, **changes})


def test_a_deadline_that_has_passed_is_applied(scene: Scene) -> None:
    hail = scene.hail(Status.RECEIVED_BY_TAXI, after=timedelta(seconds=-60))

    assert feed("apply_deadlines", due(hail)) == []

    assert scene.read(hail).status is Status.TIMEOUT_TAXI
    assert scene.taxi_status() == "off"


def test_a_message_that_is_early_waits_again_for_no_longer_than_sqs_can(scene: Scene) -> None:
    hail = scene.hail(Status.ACCEPTED_BY_CUSTOMER)
    delays: list[int] = []

    def note(params: dict[str, Any], **_: object) -> None:
        delays.append(params["DelaySeconds"])

    clients.sqs().meta.events.register("provide-client-params.sqs.SendMessage", note)
    try:
        assert feed("apply_deadlines", due(hail)) == []
    finally:
        clients.sqs().meta.events.unregister("provide-client-params.sqs.SendMessage", note)

    assert scene.read(hail).status is Status.ACCEPTED_BY_CUSTOMER
    assert delays == [queue.LONGEST_DELAY_S]


def test_a_message_of_a_status_that_is_past_does_nothing(scene: Scene) -> None:
    hail = scene.hail()

    assert feed("apply_deadlines", due(hail, due_ms=0)) == []

    assert scene.read(hail).status is Status.RECEIVED


GARBAGE = (
    *("", "{", "[]", "{}", '{"hail_id":7}', '{"hail_id":"h"}'),
    '{"hail_id":"h","status":"lost","due_ms":0}',
    '{"hail_id":"h","status":"received","due_ms":"soon"}',
    '{"hail_id":"h","status":"received","due_ms":1e300}',
)


def test_garbage_fails_by_itself_and_not_the_others(scene: Scene) -> None:
    hail = scene.hail(Status.RECEIVED_BY_TAXI, after=timedelta(seconds=-60))

    assert feed("apply_deadlines", *GARBAGE, due(hail)) == [f"m{n}" for n in range(len(GARBAGE))]

    assert scene.read(hail).status is Status.TIMEOUT_TAXI


@pytest.mark.parametrize(
    "body",
    [
        "garbage",
        '{"id":"h"}',
        *(f'{{"hail_id":"h","waiting_since_ms":{at}}}' for at in ('"1"', "null", "1e300", "[]")),
    ],
)
def test_garbage_among_new_hails_fails(store: None, body: str) -> None:  # noqa: ARG001
    assert feed("call_operators", body) == ["m0"]


def test_a_hail_that_is_gone_is_nobodys_trouble(store: None) -> None:  # noqa: ARG001
    message = {"hail_id": "0000000", "status": "received", "due_ms": 0}

    assert feed("apply_deadlines", json.dumps(message)) == []
    assert feed("call_operators", json.dumps(message)) == []


# --- the clock ------------------------------------------------------------------------------------


def scheduled(name: str) -> None:
    """The clock calls a function of the application."""
    app.handler_map[name](
        {
            "version": "0",
            "account": "0",
            "region": "eu-west-3",
            "detail": {},
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "time": "2026-11-20T12:00:00Z",
            "id": "i",
            "resources": [],
        },
        None,
    )


def test_the_sweep_applies_what_no_message_has_brought(scene: Scene) -> None:
    hail = scene.hail(Status.RECEIVED_BY_OPERATOR, after=timedelta(seconds=-60))

    scheduled("sweep_hails")

    assert scene.read(hail).status is Status.FAILURE
    assert scene.taxi_status() == "free"


def test_the_nights_jobs_blur_and_delete_what_is_old(scene: Scene) -> None:
    old = scene.hail(after=timedelta(days=-400))

    scheduled("sweep_hails")
    scheduled("count_hails")
    scheduled("blur_hails")
    blurred = scene.read(old)
    scheduled("delete_old_hails")

    assert blurred.blurred
    with pytest.raises(rules.HailUnknown):
        service.history(old.hail_id)


# --- what is set up -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hail-dispatch", "hail-deadlines"])
def test_what_keeps_failing_is_a_dead_letter(store: None, name: str) -> None:  # noqa: ARG001
    sqs = clients.sqs()
    url = sqs.get_queue_url(QueueName=table(name))["QueueUrl"]
    dead = sqs.get_queue_url(QueueName=table("hail-dead-letters"))["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="garbage")

    received = 0
    while sqs.receive_message(QueueUrl=url, VisibilityTimeout=0).get("Messages"):
        received += 1
        assert received < 20

    assert received == 3
    [letter] = sqs.receive_message(QueueUrl=dead)["Messages"]
    assert letter["Body"] == "garbage"
