"""What hails leave behind: messages in queues, entries of the journal."""

import json
from collections import Counter
from typing import Any

from chalicelib.foundation.aws import clients as aws
from chalicelib.foundation.settings import table
from tests import journal as stored


def messages(name: str) -> list[dict[str, Any]]:
    """What waits in a queue, delayed or not, oldest first."""
    url = aws.sqs().get_queue_url(QueueName=table(name))["QueueUrl"]
    found = aws.sqs().receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in found]


def journal() -> list[tuple[str, str, dict[str, Any]]]:
    """What the journal says of hails, oldest first."""
    return [
        (row.action, row.resource_id, dict(row.extra))
        for row in stored.entries()
        if row.action in ("customer_hail", "taxi_status")
    ]


def entries() -> Counter[str]:
    """How often the journal tells of each action."""
    return Counter(row.action for row in stored.entries())
