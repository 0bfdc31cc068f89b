"""Concurrency limit of calls of one operator's server: slots, each held by one call at a time.

| question                       | table          | key         | cost             | asked by        |
| ------------------------------ | -------------- | ----------- | ---------------- | --------------- |
| a free slot of this operator   | operator-calls | operator_id | a write, rarely  | each call of an |
|                                |                |             | two; one to free | operator        |

The functions that call operators run side by side and know nothing of each other, so the slots are
kept here. One that was never released, for its process died, is free again after a while.
"""

import random
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from msgspec import Struct

from chalicelib.foundation.aws import clients
from chalicelib.foundation.retry import Retry
from chalicelib.foundation.settings import table
from chalicelib.foundation.values import milliseconds
from chalicelib.taxis.settings import settings

_RETRY = Retry(tries=4, pause_s=0)  # with another slot each time: nothing to wait for
_KEPT = timedelta(days=1)


class Slot(Struct, frozen=True):
    """A slot that this process holds until `until_ms`, milliseconds since 1970."""

    operator_id: int
    name: str
    until_ms: int


def acquire(operator_id: int, *, now: datetime) -> Slot | None:
    """A free slot of the operator, None where there is none."""
    now_ms = milliseconds(now)
    held_s = settings().hook_within_s + 5  # a call and its outcome
    free = [f"lane_{number}" for number in range(settings().hook_calls_at_once)]
    for _ in _RETRY.attempts():
        if not free:
            return None
        slot = Slot(operator_id, random.choice(free), now_ms + 1000 * held_s)  # noqa: S311  # spreads, hides nothing
        try:
            clients.dynamodb().update_item(
                TableName=table("operator-calls"),
                Key={"operator_id": {"S": str(operator_id)}},
                UpdateExpression="SET #slot = :until, #ttl = :ttl",
                ConditionExpression="attribute_not_exists(#slot) OR #slot <= :now",
                ExpressionAttributeNames={"#slot": slot.name, "#ttl": "ttl"},
                ExpressionAttributeValues={
                    ":until": {"N": str(slot.until_ms)},
                    ":now": {"N": str(now_ms)},
                    ":ttl": {"N": str(int((now + _KEPT).timestamp()))},
                },
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            taken: Any = error.response.get("Item", {})  # the stubs do not know it
            free = [
                name
                for name in free
                if name != slot.name and int(taken.get(name, {"N": "0"})["N"]) <= now_ms
            ]
        else:
            return slot
    return None


def release(slot: Slot) -> None:
    """Frees the slot, unless another call holds it by now."""
    try:
        clients.dynamodb().update_item(
            TableName=table("operator-calls"),
            Key={"operator_id": {"S": str(slot.operator_id)}},
            UpdateExpression="REMOVE #slot",
            ConditionExpression="#slot = :until",
            ExpressionAttributeNames={"#slot": slot.name},
            ExpressionAttributeValues={":until": {"N": str(slot.until_ms)}},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
