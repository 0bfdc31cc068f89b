"""SQS and schedule handlers for hails: the bodies of the functions in `app.py`.

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
from chalicelib.foundation.observe import logs, metrics, tracing
from chalicelib.taxis.hails import concurrency, dispatch, expiry, queue, shares, webhook
from chalicelib.taxis.hails.rules import Status
from chalicelib.taxis.hails.webhook import Limits
from chalicelib.taxis.settings import settings

log = logging.getLogger("maraude.hails")


class MessageGarbled(Exception):
    """The message cannot be parsed."""


Message = Mapping[str, Any]
Failures = dict[str, list[dict[str, str]]]


def each(event: Mapping[str, Any], handle: Callable[[Message], None]) -> Failures:
    """Handles each message of an SQS event; returns those to be delivered again."""
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


class NotQueued(Exception):
    """The queue did not take a hail that has to wait: its message comes again."""


def call_operator(message: Message) -> None:
    """Sends a hail to its operator's server, unless it has moved on, and stores the outcome.

    One for which there is no lane waits in the queue, and is not late for that.
    """
    hail_id = message["hail_id"]
    now = clock.now()
    waiting_since = _moment(message, "waiting_since_ms") if "waiting_since_ms" in message else None
    call = dispatch.prepare(hail_id, now=now, waiting_since=waiting_since)
    if call is None:
        return
    lane = concurrency.acquire(call.operator_id, moteur_id=call.moteur_id, now=clock.now())
    if lane is None:
        since = waiting_since or now
        if not queue.put_dispatch(
            hail_id, waiting_since=since, delay_s=shares.pause_s(now - since)
        ):
            raise NotQueued(hail_id)
        return
    known = settings()
    began = clock.now()
    try:
        outcome = webhook.send(
            call,
            now=began,
            limits=Limits(connect_s=known.hook_connect_s, exchange_s=known.hook_within_s),
            allow_loopback=known.allow_loopback_hooks,
            accept_empty=known.hook_accept_empty,
        )
        now = clock.now()
        # First of all: until it is written, the driver's own first step is refused.
        if outcome.failure is None:
            dispatch.confirm(hail_id, taxi_phone_number=outcome.taxi_phone_number, now=now)
        else:
            dispatch.fail(hail_id, reason=outcome.failure, now=now)
    finally:
        concurrency.release(lane)
    dispatch.log_exchange(
        hail_id,
        payload=json.loads(call.body),
        now=began,
        code=outcome.code,
        answer=outcome.reply or outcome.failure,
        initial_status=Status.RECEIVED,
    )
    metrics.emit(
        {"operator": str(call.operator_id)},
        counts={"webhook_calls": 1, "webhook_failures": 0 if outcome.failure is None else 1},
        milliseconds={"webhook_ms": (now - began) / timedelta(milliseconds=1)},
        in_total=True,
        about={"hail": hail_id, "code": outcome.code, "failure": outcome.failure},
    )


def apply_deadline(message: Message) -> None:
    """Applies the deadline of a hail, or sends the message again: SQS delays by 15 minutes at most."""
    try:
        status = Status(message["status"])
    except (KeyError, ValueError) as error:
        raise MessageGarbled(str(message)[:200]) from error
    due = _moment(message, "due_ms")
    now = clock.now()
    if now < due:
        queue.put_deadline(message["hail_id"], status, due, now=now)
    else:
        expiry.expire(message["hail_id"], now=now, way="queue")


def _moment(message: Message, name: str) -> datetime:
    """A message's moment, in milliseconds since 1970. Raises MessageGarbled."""
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=message[name])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MessageGarbled(str(message)[:200]) from error


def sweep() -> None:
    """Applies overdue deadlines whose message is late or lost."""
    began_s = time.monotonic()
    result = expiry.sweep(now=clock.now())
    metrics.emit(
        {"job": "sweep-hails"},
        counts={"runs": 1, "swept": result.expired, "failed": result.failed},
        milliseconds={"job_ms": 1000 * (time.monotonic() - began_s)},
    )
