"""Functions that are fed from real queues: what is deleted, what comes again, how many at once."""

import threading
import time
from typing import Any

import pytest

from ops.local.mapping import EventSourceMapping
from ops.local.queues import QueueFeeder
from ops.local.runner import Runner
from tests.eventually import eventually

from .conftest import MiniStack

pytestmark = pytest.mark.local_stack

SOON_S = 30.0


def test_a_handled_message_is_deleted_and_a_failed_one_comes_again(services: MiniStack) -> None:
    clients = services.clients
    url = clients.sqs.create_queue(QueueName="hails", Attributes={"VisibilityTimeout": "1"})[
        "QueueUrl"
    ]
    for text in ("good", "bad"):
        clients.sqs.send_message(
            QueueUrl=url,
            MessageBody=text,
            MessageAttributes={"kind": {"DataType": "String", "StringValue": text}},
        )
    seen: list[dict[str, Any]] = []

    def handle(event: dict[str, Any], _: object) -> object:
        records = event["Records"]
        bad = [one for one in records if one["body"] == "bad" and "bad" not in bodies()]
        seen.extend(records)
        return {"batchItemFailures": [{"itemIdentifier": one["messageId"]} for one in bad]}

    def bodies() -> list[str]:
        return [record["body"] for record in seen]

    runner = Runner(clients)
    mapping = EventSourceMapping(batch_size=10, report_batch_item_failures=True)
    runner.feed_queue("hails", "dispatch", handle, mapping)

    runner.start()
    eventually(lambda: bodies().count("bad") == 2)
    assert runner.stop(timeout_s=SOON_S)

    assert sorted(bodies()) == ["bad", "bad", "good"]
    assert seen[-1]["attributes"]["ApproximateReceiveCount"] == "2"
    assert seen[-1]["messageAttributes"]["kind"]["stringValue"] == "bad"
    assert seen[-1]["eventSourceARN"] == "arn:aws:sqs:eu-west-3:000000000000:hails"


def test_a_message_whose_function_raises_is_not_deleted(services: MiniStack) -> None:
    clients = services.clients
    url = clients.sqs.create_queue(QueueName="hails", Attributes={"VisibilityTimeout": "0"})[
        "QueueUrl"
    ]
    clients.sqs.send_message(QueueUrl=url, MessageBody="x")
    calls: list[object] = []

    def fail_once(event: dict[str, Any], _: object) -> None:
        calls.append(event)
        if len(calls) == 1:
            raise ValueError

    runner = Runner(clients)
    runner.feed_queue("hails", "dispatch", fail_once, EventSourceMapping(batch_size=1))

    runner.start()
    eventually(lambda: len(calls) >= 2)
    assert runner.stop(timeout_s=SOON_S)

    assert len(calls) == 2


def test_a_queue_is_handled_by_as_many_at_once_as_its_mapping_says_and_one_asks_for_all(
    services: MiniStack,
) -> None:
    clients = services.clients
    url = clients.sqs.create_queue(QueueName="hails")["QueueUrl"]
    together = threading.Barrier(4)
    most, under_way, handled = 0, 0, 0
    lock = threading.Lock()

    def handle(_: object, __: object) -> None:
        nonlocal most, under_way, handled
        with lock:
            under_way += 1
            most = max(most, under_way)
        together.wait(SOON_S)
        with lock:
            under_way -= 1
            handled += 1

    runner = Runner(clients)
    runner.feed_queue(
        "hails", "dispatch", handle, EventSourceMapping(batch_size=1, maximum_concurrency=4)
    )
    before = threading.active_count()
    runner.start()
    assert threading.active_count() == before + 1
    for text in "abcdefgh":
        clients.sqs.send_message(QueueUrl=url, MessageBody=text)
    eventually(lambda: handled == 8)
    assert runner.stop(timeout_s=SOON_S)

    assert most == 4
    attributes = clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    assert attributes["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_a_stop_waits_for_the_messages_that_are_under_way(
    services: MiniStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QueueFeeder, "WAIT_S", 0)
    clients = services.clients
    url = clients.sqs.create_queue(QueueName="hails")["QueueUrl"]
    clients.sqs.send_message(QueueUrl=url, MessageBody="x")
    begun, ended = threading.Event(), threading.Event()

    def handle(_: object, __: object) -> None:
        begun.set()
        assert stopped.wait(SOON_S)
        time.sleep(0.3)
        ended.set()

    stopped = threading.Event()
    runner = Runner(clients)
    runner.feed_queue("hails", "dispatch", handle, EventSourceMapping(maximum_concurrency=2))
    runner.start()
    assert begun.wait(SOON_S)
    threading.Timer(0.1, stopped.set).start()

    assert runner.stop(timeout_s=SOON_S)

    assert ended.is_set()
    assert clients.sqs.receive_message(QueueUrl=url).get("Messages", []) == []
