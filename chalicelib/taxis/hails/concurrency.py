"""How many calls of one operator's server may be under way: lanes, each lent to one call at a time.

| question                       | table          | key         | cost             | asked by        |
| ------------------------------ | -------------- | ----------- | ---------------- | --------------- |
| a free lane of this operator   | operator-calls | operator_id | a write, rarely  | each call of an |
|                                |                |             | two; one to free | operator        |

The functions that call operators run side by side and know nothing of each other, so the lanes are
kept here. One that was never given back, for its process died, is free again after a while.
"""

import random
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from msgspec import Struct

from chalicelib.foundation.aws import clients
from chalicelib.foundation.settings import settings, table
from chalicelib.taxis.registry.rules import milliseconds

TRIES = 4
_KEPT = timedelta(days=1)


class Lane(Struct, frozen=True):
    """A lane that this process has until `until_ms`."""

    operator_id: int
    name: str
    until_ms: int


def take(operator_id: int, *, now: datetime) -> Lane | None:
    """A free lane of the operator, None where there is none."""
    now_ms = milliseconds(now)
    lent_s = settings().hook_within_s + 5  # a call and its outcome
    lanes = [f"lane_{number}" for number in range(settings().hook_calls_at_once)]
    for _ in range(TRIES):
        if not lanes:
            return None
        lane = Lane(operator_id, random.choice(lanes), now_ms + 1000 * lent_s)  # noqa: S311  # spreads, hides nothing
        try:
            clients.dynamodb().update_item(
                TableName=table("operator-calls"),
                Key={"operator_id": {"S": str(operator_id)}},
                UpdateExpression="SET #lane = :until, #ttl = :ttl",
                ConditionExpression="attribute_not_exists(#lane) OR #lane <= :now",
                ExpressionAttributeNames={"#lane": lane.name, "#ttl": "ttl"},
                ExpressionAttributeValues={
                    ":until": {"N": str(lane.until_ms)},
                    ":now": {"N": str(now_ms)},
                    ":ttl": {"N": str(int((now + _KEPT).timestamp()))},
                },
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            taken: Any = error.response.get("Item", {})  # the stubs do not know it
            lanes = [
                name
                for name in lanes
                if name != lane.name and int(taken.get(name, {"N": "0"})["N"]) <= now_ms
            ]
        else:
            return lane
    return None


def give_back(lane: Lane) -> None:
    """Frees the lane, unless it is somebody else's by now."""
    try:
        clients.dynamodb().update_item(
            TableName=table("operator-calls"),
            Key={"operator_id": {"S": str(lane.operator_id)}},
            UpdateExpression="REMOVE #lane",
            ConditionExpression="#lane = :until",
            ExpressionAttributeNames={"#lane": lane.name},
            ExpressionAttributeValues={":until": {"N": str(lane.until_ms)}},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
