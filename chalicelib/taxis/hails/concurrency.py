"""Lanes to an operator's server: so many calls at once, each holding a lane; `shares` says whose.

| question                       | table          | key         | cost             | asked by        |
| ------------------------------ | -------------- | ----------- | ---------------- | --------------- |
| a lane of this operator for    | operator-calls | operator_id | a write; two of  | each call of an |
| a moteur                       |                |             | a moteur that has| operator        |
|                                |                |             | a call under way |                 |
| one lane less                  | operator-calls | operator_id | a write          | its end         |

The functions that call operators run side by side and know nothing of each other, so the lanes are
kept here. One that was never released, for its process died, is free again after a while. A lane is
taken first and judged by what the same write has found: the writes of an item come one after the other,
so no two that are judged at once pass a share together.
"""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from msgspec import Struct

from chalicelib.foundation.aws import clients
from chalicelib.foundation.retry import Retry
from chalicelib.foundation.settings import table
from chalicelib.foundation.values import milliseconds
from chalicelib.taxis.hails.shares import Call, may_call
from chalicelib.taxis.settings import settings

_RETRY = Retry(tries=4, pause_s=0)  # with another lane each time: nothing to wait for
_KEPT = timedelta(days=1)


class Lane(Struct, frozen=True):
    """A lane that this process holds until `until_ms`, milliseconds since 1970."""

    operator_id: int
    name: str
    until_ms: int


def acquire(operator_id: int, *, moteur_id: int, now: datetime) -> Lane | None:
    """A lane of the operator for a hail of the moteur; None where there is none for it now."""
    lanes = settings().hook_calls_at_once
    until_ms = milliseconds(now) + 1000 * (settings().hook_within_s + 5)  # a call and its outcome
    names = [f"call_{number}" for number in range(lanes)]
    name = names[moteur_id % lanes]  # mostly free: each moteur begins with a lane of its own
    for _ in _RETRY.attempts():
        lane = Lane(operator_id, name, until_ms)
        is_taken, item = _take(lane, moteur_id, now)
        others = [call for call in _under_way(item, now) if not (is_taken and call.lane == name)]
        if not may_call(others, moteur_id, lanes=lanes):
            if is_taken:
                release(lane)
            return None
        if is_taken:
            return lane
        busy = {call.lane for call in others}
        name = random.choice([name for name in names if name not in busy])  # noqa: S311  # spreads, hides nothing
    return None


def _take(lane: Lane, moteur_id: int, now: datetime) -> tuple[bool, Mapping[str, Any]]:
    """Takes the lane, if it is free: whether it was, and the operator's item as it is now."""
    try:
        answer: Any = clients.dynamodb().update_item(
            TableName=table("operator-calls"),
            Key={"operator_id": {"S": str(lane.operator_id)}},
            UpdateExpression="SET #lane = :call, #ttl = :ttl",
            ConditionExpression="attribute_not_exists(#lane) OR #lane.#until <= :now",
            ExpressionAttributeNames={"#lane": lane.name, "#until": "until", "#ttl": "ttl"},
            ExpressionAttributeValues={
                ":call": {
                    "M": {"until": {"N": str(lane.until_ms)}, "moteur": {"N": str(moteur_id)}}
                },
                ":now": {"N": str(milliseconds(now))},
                ":ttl": {"N": str(int((now + _KEPT).timestamp()))},
            },
            ReturnValues="ALL_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        refused: Any = error.response  # the stubs do not know its item
        return False, refused.get("Item", {})
    return True, answer["Attributes"]


def _under_way(item: Mapping[str, Any], now: datetime) -> list[Call]:
    calls = {name: value["M"] for name, value in item.items() if "M" in value}
    return [
        Call(name, int(call["moteur"]["N"]))
        for name, call in calls.items()
        if int(call["until"]["N"]) > milliseconds(now)
    ]


def release(lane: Lane) -> None:
    """Frees the lane, unless another call holds it by now."""
    try:
        clients.dynamodb().update_item(
            TableName=table("operator-calls"),
            Key={"operator_id": {"S": str(lane.operator_id)}},
            UpdateExpression="REMOVE #lane",
            ConditionExpression="#lane.#until = :until",
            ExpressionAttributeNames={"#lane": lane.name, "#until": "until"},
            ExpressionAttributeValues={":until": {"N": str(lane.until_ms)}},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
