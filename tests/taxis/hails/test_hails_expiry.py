"""Deadlines of hails, by each of the three ways."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.foundation.aws import clients as aws
from chalicelib.taxis.hails import (
    expiry,
    listing,
    lookup,
    queue,
)
from chalicelib.taxis.hails.lines import Filter
from chalicelib.taxis.hails.rules import TAXI, Hail, Status
from chalicelib.taxis.registry.rows import DescriptionRow
from tests.taxis.hails.hail_factories import WAITS, Scene
from tests.taxis.hails.traces import journal, messages

S = Status
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


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
        expiry.expire(hail.hail_id, now=now, way="queue")
    elif way == "sweep":
        expiry.sweep(now=now)
    elif way == "read":
        lookup.find(scene.moteur, hail.hail_id, now=now)
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

    late = lookup.find(scene.operateur, hail.hail_id, now=scene.now + 31 * SECOND)

    assert late.status is S.TIMEOUT_TAXI


def test_another_hail_for_a_taxi_that_a_late_one_holds_gets_it(scene: Scene) -> None:
    scene.hail()

    second = scene.hail(after=31 * SECOND, customer_id="another")

    assert scene.description().open_hail == second.hail_id


def test_a_late_hail_never_frees_a_taxi_that_a_newer_one_holds(scene: Scene) -> None:
    first = scene.hail(S.ACCEPTED_BY_TAXI)
    DescriptionRow(scene.description().description_id).update(
        [DescriptionRow.open_hail.set("another")]
    )

    expiry.expire(first.hail_id, now=scene.now + 31 * SECOND, way="queue")

    assert scene.read(first).status is S.TIMEOUT_CUSTOMER
    assert (scene.taxi_status(), scene.description().open_hail) == ("answering", "another")
