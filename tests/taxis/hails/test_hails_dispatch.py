"""Dispatch of hails to operators, and the request log."""

import json
from datetime import timedelta

from chalicelib.taxis.hails import (
    dispatch,
    service,
)
from chalicelib.taxis.hails.rows import LogRow
from chalicelib.taxis.hails.rules import Status
from ops.cli import administration
from tests.taxis.hails.hail_factories import PHONE, Scene
from tests.taxis.hails.traces import journal

S = Status
SECOND = timedelta(seconds=1)


HOOK = ("https://operator.example/hails", "X-Key", "secret")


def test_what_is_sent_is_the_hail_as_a_stranger_may_see_it(scene: Scene) -> None:
    administration.add("operateur", hook=HOOK)
    hail = scene.hail()

    sent = dispatch.prepare(hail.hail_id, now=scene.now + SECOND)

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

    assert dispatch.prepare(hail.hail_id, now=scene.now + 10.1 * SECOND) is None

    assert scene.read(hail).status is S.FAILURE
    assert "10 seconds" in (scene.read(hail).transitions[-1].reason or "")
    assert scene.taxi_status() == "free"
    assert journal()[-1][2]["task"] == "send_request_operator"


def test_an_operator_without_an_address_gets_no_hails(scene: Scene) -> None:
    hail = scene.hail()

    assert dispatch.prepare(hail.hail_id, now=scene.now) is None
    assert scene.read(hail).status is S.FAILURE


def test_a_hail_that_has_moved_on_is_not_sent(scene: Scene) -> None:
    hail = scene.drive(scene.hail(), S.DECLINED_BY_CUSTOMER)

    assert dispatch.prepare(hail.hail_id, now=scene.now) is None
    dispatch.confirm(hail.hail_id, taxi_phone_number=PHONE, now=scene.now)
    dispatch.fail(hail.hail_id, reason="late", now=scene.now)

    assert scene.read(hail) == hail


def test_the_phone_number_of_the_reply_is_kept(scene: Scene) -> None:
    hail = scene.hail()

    dispatch.confirm(hail.hail_id, taxi_phone_number=PHONE, now=scene.now)

    assert scene.read(hail).taxi_phone_number == PHONE


def test_the_request_log_tells_who_sent_what(scene: Scene) -> None:
    hail = scene.drive(scene.hail(), S.RECEIVED_BY_OPERATOR)
    dispatch.log_exchange(
        hail.hail_id,
        payload={"customer_phone_number": PHONE},
        now=scene.now + SECOND,
        code=200,
        answer="{}",
    )
    scene.drive(hail, S.RECEIVED_BY_TAXI, after=2 * SECOND)

    told = [(one.method, one.user, one.code) for one in service.history(hail.hail_id).exchanges]

    assert told == [
        ("POST", "moteur", 201),
        ("POST to operator", None, 200),
        ("PUT", "operateur", 200),
    ]
    assert all(PHONE not in row.payload for row in LogRow.query(hail.hail_id))
    kept = {int(row.ttl) - int(row.at.timestamp()) for row in LogRow.query(hail.hail_id)}
    assert kept == {42 * 86_400}
