"""SQS messages about hails, for the handlers (`handlers.py`): what is to be done, and when.

`hail-dispatch` holds the hails to send to their operators, `hail-deadlines` those to look at when
their time is up. A message may be lost, late or repeated: it only says where to look. A queue that
cannot be reached is logged and no more, for a hail's deadline is applied by whoever reads it late,
and by the sweep.
"""

import json
import logging
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.foundation.aws import clients
from chalicelib.foundation.observe import logs, tracing
from chalicelib.foundation.settings import table
from chalicelib.foundation.values import milliseconds
from chalicelib.taxis.hails.rules import Status

if TYPE_CHECKING:
    from mypy_boto3_sqs.literals import MessageSystemAttributeNameForSendsType
    from mypy_boto3_sqs.type_defs import MessageSystemAttributeValueTypeDef

LONGEST_DELAY_S = 900  # SQS's own limit; who wakes up too early queues the deadline again

log = logging.getLogger("maraude.hails")


@cache
def _url(queue: str) -> str:
    return clients.sqs().get_queue_url(QueueName=table(queue))["QueueUrl"]


def _put(queue: str, message: dict[str, object], *, delay_s: int = 0) -> bool:
    if not 0 <= delay_s <= LONGEST_DELAY_S:
        raise ValueError(f"SQS keeps a message back for {LONGEST_DELAY_S} s at most, not {delay_s}")
    try:
        clients.sqs().send_message(
            QueueUrl=_url(queue),
            MessageBody=json.dumps(message),
            DelaySeconds=delay_s,
            MessageSystemAttributes=_traced(),
        )
    except (BotoCoreError, ClientError) as error:
        logs.fault(log, error, "not_queued", queue=queue, hail=message["hail_id"])
        return False
    return True


def _traced() -> (
    "Mapping[MessageSystemAttributeNameForSendsType, MessageSystemAttributeValueTypeDef]"
):
    """The message's trace header, which takes none of its bytes."""
    trace = tracing.current()
    if not trace:
        return {}
    return {"AWSTraceHeader": {"DataType": "String", "StringValue": tracing.header(trace)}}


def put_dispatch(hail_id: str, *, waiting_since: datetime | None = None, delay_s: int = 0) -> bool:
    """Queues a hail's dispatch to its operator. Whether the queue took it.

    The message is `{"hail_id": ...}`, of a hail that waits for a lane with `waiting_since_ms`, milliseconds
    since 1970.
    """
    waiting = {} if waiting_since is None else {"waiting_since_ms": milliseconds(waiting_since)}
    return _put("hail-dispatch", {"hail_id": hail_id, **waiting}, delay_s=delay_s)


def put_deadline(hail_id: str, status: Status, due: datetime, *, now: datetime) -> bool:
    """Queues a hail's deadline for `due`, or in 15 minutes. Whether the queue took it.

    The message is `{"hail_id": ..., "status": ..., "due_ms": ...}`, milliseconds since 1970.
    """
    seconds = -(-(milliseconds(due) - milliseconds(now)) // 1000)  # never before it is due
    return _put(
        "hail-deadlines",
        {"hail_id": hail_id, "status": status.value, "due_ms": milliseconds(due)},
        delay_s=min(max(0, seconds), LONGEST_DELAY_S),
    )
