"""What the queues and the clock have done for hails: the bodies of the functions in `app.py`.

A message only says where to look (`queue.py`), so one that is late, repeated or out of order does no
harm. What cannot be read fails, and is a dead letter after a few times.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.foundation import clock
from chalicelib.foundation.aws import clients
from chalicelib.foundation.observe import logs, metrics, tracing
from chalicelib.foundation.settings import settings, table
from chalicelib.taxis.hails import concurrency, queue, service, webhook
from chalicelib.taxis.hails.rules import Status
from chalicelib.taxis.hails.webhook import Limits

BUSY_S = 1  # until a hail is sent whose operator has enough of them just now

log = logging.getLogger("maraude.hails")


class MessageGarbled(Exception):
    """A message that is none of ours."""


Message = Mapping[str, Any]
Failures = dict[str, list[dict[str, str]]]


def each(event: Mapping[str, Any], handle: Callable[[Message], None]) -> Failures:
    """Handles the messages of an SQS event; the answer names those that are to come again."""
    failed = []
    for record in event["Records"]:
        queue_name = record["eventSourceARN"].rpartition(":")[2]
        trace = tracing.packed(record.get("attributes", {}).get("AWSTraceHeader"))
        try:
            with tracing.followed((trace,), queue_name):
                handle(_read(record["body"]))
        except Exception as error:  # noqa: BLE001  # one message's trouble is not the others'
            message_id = record["messageId"]
            logs.fault(log, error, "message_failed", queue=queue_name, message=message_id)
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def _read(body: str) -> Message:
    """Raises MessageGarbled."""
    try:
        message = json.loads(body)
    except ValueError as error:
        raise MessageGarbled(body[:200]) from error
    if not isinstance(message, dict) or not isinstance(message.get("hail_id"), str):
        raise MessageGarbled(body[:200])
    return message


def call_operator(message: Message) -> None:
    """Sends a hail to its operator's server, unless it has moved on, and notes what came of it."""
    hail_id = message["hail_id"]
    dispatch = service.dispatch(hail_id, now=clock.now())
    if dispatch is None:
        return
    lane = concurrency.take(dispatch.operator_id, now=clock.now())
    if lane is None:
        _later(hail_id)
        return
    known = settings()
    began = clock.now()
    try:
        outcome = webhook.send(
            dispatch,
            now=began,
            limits=Limits(connect_s=known.hook_connect_s, exchange_s=known.hook_within_s),
            allow_private=known.allow_private_hooks,
            accept_empty=known.hook_accept_empty,
        )
    finally:
        concurrency.give_back(lane)
    now = clock.now()
    if outcome.failure is None:
        service.delivered(hail_id, taxi_phone_number=outcome.taxi_phone_number, now=now)
    else:
        service.undelivered(hail_id, reason=outcome.failure, now=now)
    service.log_exchange(
        hail_id,
        payload=json.loads(dispatch.body),
        now=began,
        code=outcome.code,
        answer=outcome.reply or outcome.failure,
        initial_status=Status.RECEIVED,
    )
    metrics.emit(
        {"operator": str(dispatch.operator_id)},
        counts={"webhook_calls": 1, "webhook_failures": 0 if outcome.failure is None else 1},
        milliseconds={"webhook_ms": (now - began) / timedelta(milliseconds=1)},
        in_total=True,
        about={"hail": hail_id, "code": outcome.code, "failure": outcome.failure},
    )


def _later(hail_id: str) -> None:
    sqs = clients.sqs()
    sqs.send_message(
        QueueUrl=sqs.get_queue_url(QueueName=table("hail-dispatch"))["QueueUrl"],
        MessageBody=json.dumps({"hail_id": hail_id}),
        DelaySeconds=BUSY_S,
    )


def apply_deadline(message: Message) -> None:
    """Applies the deadline of a hail, or waits for it again: SQS knows delays of 15 minutes at most."""
    try:
        status = Status(message["status"])
        due = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=message["due_ms"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MessageGarbled(str(message)[:200]) from error
    now = clock.now()
    if now < due:
        queue.put_deadline(message["hail_id"], status, due, now=now)
    else:
        service.expire(message["hail_id"], now=now, way="queue")


def sweep() -> None:
    """Applies the deadlines that no message has brought."""
    began_s = time.monotonic()
    swept = service.sweep(now=clock.now())
    metrics.emit(
        {"job": "sweep-hails"},
        counts={"runs": 1, "swept": swept.expired, "failed": swept.failed},
        milliseconds={"job_ms": 1000 * (time.monotonic() - began_s)},
    )
