"""A DynamoDB of a few lines at the client's edge: quick enough for thousands of random schedules.

It knows the expressions that the positions use, by their text, and fails on any other. What they
mean is checked on moto, by the tests of the store.
"""

import json
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chalicelib.foundation import cache
from chalicelib.foundation.aws import clients
from chalicelib.foundation.store import documents

Item = dict[str, Any]


class SmallDynamoDB:
    """Tables as dictionaries, by the text of an item's key."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Item]] = {}

    def answer(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        """The parsed answer of one call."""
        if operation == "BatchGetItem":
            return {
                "Responses": {
                    table: [
                        item
                        for key in wanted["Keys"]
                        if (item := self._table(table).get(_name(key))) is not None
                    ]
                    for table, wanted in asked["RequestItems"].items()
                },
                "UnprocessedKeys": {},
            }
        if operation == "Scan":
            return {"Items": list(self._table(asked["TableName"]).values())}
        items = self._table(asked["TableName"])
        key = asked.get("Key") or {next(iter(asked["Item"])): next(iter(asked["Item"].values()))}
        held = items.get(_name(key), {})
        values = asked.get("ExpressionAttributeValues", {})
        if not _holds(asked.get("ConditionExpression"), held, values):
            return {"Error": {"Code": "ConditionalCheckFailedException", "Message": ""}}
        if operation == "PutItem":
            items[_name(key)] = _with_bytes(asked["Item"])
        elif operation == "DeleteItem":
            items.pop(_name(key), None)
        else:
            assert operation == "UpdateItem"
            items[_name(key)] = {**key, **_updated(asked["UpdateExpression"], held, values)}
        return {}

    def _table(self, name: str) -> dict[str, Item]:
        return self.tables.setdefault(name, {})


def _name(key: Item) -> str:
    return json.dumps(key, sort_keys=True)


def _with_bytes(value: Any) -> Any:
    if not isinstance(value, dict):
        return [_with_bytes(one) for one in value] if isinstance(value, list) else value
    return {
        name: b64decode(one) if name == "B" and isinstance(one, str) else _with_bytes(one)
        for name, one in value.items()
    }


def _holds(condition: str | None, held: Item, values: Item) -> bool:
    def number(source: Item, name: str) -> int:
        return int(source[name]["N"])

    match condition:
        case None:
            return True
        case "attribute_not_exists(cell)":
            return not held
        case "version = :read":
            return bool(held) and held["version"] == values[":read"]
        case "attribute_not_exists(#since) OR (#since < :since AND #square <> :square)":
            return "since" not in held or (
                number(held, "since") < number(values, ":since")
                and held["square"] != values[":square"]
            )
        case "attribute_not_exists(#seen) OR #seen < :seen":
            return "seen" not in held or number(held, "seen") < number(values, ":seen")
    raise AssertionError(f"an unknown condition: {condition}")


def _updated(expression: str, held: Item, values: Item) -> Item:
    new = dict(held)
    for clause in expression.removeprefix("SET ").split(", #"):
        name, _, value = clause.removeprefix("#").partition(" = ")
        if value.startswith("if_not_exists("):
            path, _, value = value[len("if_not_exists(#") : -1].partition(", ")
            new[name] = held.get(path, values[value])
        else:
            new[name] = values[value]
    return new


class _Http:
    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


@contextmanager
def small_dynamodb() -> Iterator[SmallDynamoDB]:
    """Every call of `aws.dynamodb()` goes to a new, empty SmallDynamoDB."""
    clients.dynamodb.cache_clear()
    documents.forget()
    cache.forget_all()
    small = SmallDynamoDB()

    # botocore takes what a hook answers in place of the call; its stubs do not know that
    def called(model: Any, params: dict[str, Any], **_: Any) -> Any:
        answer = small.answer(model.name, json.loads(params["body"]))
        return _Http(400 if "Error" in answer else 200), answer

    clients.dynamodb().meta.events.register_last("before-call.dynamodb", called)
    try:
        yield small
    finally:
        clients.dynamodb.cache_clear()
