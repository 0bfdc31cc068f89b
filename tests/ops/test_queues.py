"""`maraude queue replay`: hails' dead letters go back to where they came from."""

import json
from datetime import UTC, datetime

import pytest

from chalicelib.foundation.aws import clients
from chalicelib.taxis.hails import queue
from chalicelib.taxis.hails.rules import Status
from ops.cli.main import main
from ops.cli.queues import Replayed, replay

NOW = datetime(2026, 11, 27, 6, tzinfo=UTC)
DISPATCH = {"hail_id": "dispatch"}
DEADLINE = {"hail_id": "deadline", "status": "received", "due_ms": 1}


@pytest.fixture(autouse=True)
def queues(store: None) -> None:  # noqa: ARG001  # the queues are made with the tables
    """The queues of this test, not those of an earlier one."""
    queue._url.cache_clear()


def url(name: str) -> str:
    return clients.sqs().get_queue_url(QueueName=f"maraude-test-{name}")["QueueUrl"]


def put_aside(*bodies: object) -> None:
    for body in bodies:
        text = body if isinstance(body, str) else json.dumps(body)
        clients.sqs().send_message(QueueUrl=url("hail-dead-letters"), MessageBody=text)


def waiting(name: str) -> list[str]:
    found = clients.sqs().receive_message(
        QueueUrl=url(name), MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    return [message["Body"] for message in found.get("Messages", [])]


def kept(name: str) -> int:
    """How many messages a queue has, those that are hidden for a while too."""
    said = clients.sqs().get_queue_attributes(
        QueueUrl=url(name),
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )
    return sum(int(count) for count in said["Attributes"].values())


def test_each_message_goes_to_the_queue_that_it_came_from_and_is_deleted() -> None:
    put_aside(DISPATCH, DEADLINE)

    assert replay(dry_run=False, quiet=True) == Replayed(dispatch=1, deadlines=1)

    assert [json.loads(body) for body in waiting("hail-dispatch")] == [DISPATCH]
    assert [json.loads(body) for body in waiting("hail-deadlines")] == [DEADLINE]
    assert kept("hail-dead-letters") == 0


def test_the_queue_is_told_by_what_the_registry_itself_sends() -> None:
    queue.put_dispatch("hail")
    queue.put_deadline("hail", Status.RECEIVED, NOW, now=NOW)
    for name in ("hail-dispatch", "hail-deadlines"):
        put_aside(*waiting(name))
        clients.sqs().purge_queue(QueueUrl=url(name))

    assert replay(dry_run=False, quiet=True) == Replayed(dispatch=1, deadlines=1)


def test_more_messages_than_a_call_brings_are_all_sent_again() -> None:
    put_aside(*[DISPATCH] * 23)

    assert replay(dry_run=False, quiet=True).dispatch == 23
    assert replay(dry_run=False, quiet=True).dispatch == 0


def test_a_dry_run_counts_and_leaves_them_to_be_seen() -> None:
    put_aside(DISPATCH, DEADLINE)

    assert replay(dry_run=True, quiet=True) == Replayed(dispatch=1, deadlines=1)

    assert len(waiting("hail-dead-letters")) == 2
    assert waiting("hail-dispatch") == waiting("hail-deadlines") == []


@pytest.mark.parametrize("body", ["?", "[]", "{}", '{"hail_id": 7}'])
def test_what_is_none_of_ours_stays_and_is_told(
    body: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ops.cli.target.connect", lambda _: None)
    put_aside(body, DISPATCH)

    assert main(["queue", "replay", "hail-dead-letters"]) == 1

    said = capsys.readouterr()
    assert said.out == (
        "1 messages were sent to hail-dispatch again, 0 to hail-deadlines; 1 are none of ours.\n"
    )
    assert "none of ours: message " in said.err
    assert waiting("hail-dead-letters") == [body]
