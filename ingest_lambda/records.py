"""Stream records as Lambda passes them, and the failure queues of unreadable ones."""

import json
import logging
from collections.abc import Mapping
from functools import cache
from typing import Any

from chalicelib.foundation.aws import clients
from chalicelib.foundation.settings import table

Event = Mapping[str, Any]
Answer = dict[str, list[dict[str, str]]]

# A message of SQS holds 256 KiB; what is cut off is still in the stream for a day.
_KEPT_CHARACTERS = 200_000

_log = logging.getLogger("maraude.ingest")


def sequence_number(record: Event) -> str:
    """The record's place in its shard."""
    inner = record["kinesis"] if "kinesis" in record else record["dynamodb"]
    number: str = inner["sequenceNumber"] if "kinesis" in record else inner["SequenceNumber"]
    return number


def shard_of(record: Event) -> str:
    """The shard that a record of Kinesis came from."""
    event_id: str = record["eventID"]
    return event_id.partition(":")[0]


def put_aside(record: Event, reason: str, *, queue: str) -> None:
    """Keeps an unreadable record, with its place in the stream, for whoever looks into it."""
    data: str = record["kinesis"]["data"] if "kinesis" in record else json.dumps(record["dynamodb"])
    _log.warning(
        json.dumps(
            {"event": "unreadable", "sequence_number": sequence_number(record), "reason": reason}
        )
    )
    clients.sqs().send_message(
        QueueUrl=_url(queue),
        MessageBody=json.dumps(
            {
                "source": record["eventSource"],
                "shard": shard_of(record),
                "sequence_number": sequence_number(record),
                "reason": reason,
                "data": data[:_KEPT_CHARACTERS],
                "whole": len(data) <= _KEPT_CHARACTERS,
            }
        ),
    )


@cache
def _url(queue: str) -> str:
    return clients.sqs().get_queue_url(QueueName=table(queue))["QueueUrl"]
