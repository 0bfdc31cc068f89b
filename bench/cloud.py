"""In-process DynamoDB and Kinesis, at botocore's edge, with a counter of units.

The calls are the registry's own, down to the bytes of each request. Time is simulated: the caches of
the process age with it (the documents of `config` do not, and are left out of what is counted).
"""

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bench import charges
from bench.meter import Meter
from chalicelib.foundation import cache
from chalicelib.foundation.aws import clients
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import documents
from chalicelib.foundation.store.reads import Item
from chalicelib.taxis.settings import settings
from tests.taxis.positions.small_dynamodb import SmallDynamoDB

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Drawn(dict[str, dict[str, Any]]):
    """A table whose items are made when they are asked for, because there are too many to keep."""

    def __init__(self, make: Callable[[str], dict[str, Any] | None]) -> None:
        """`make` answers the item of a key's one value."""
        super().__init__()
        self._make = make

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401  # as dict says
        """The item."""
        ((_, value),) = json.loads(name).items()
        return self._make(value["S"]) or default


class DeskDynamoDB(SmallDynamoDB):
    """Knows also what the territory's loading and the pages of a fleet ask."""

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """The parsed answer of one call."""
        if operation == "BatchWriteItem":
            for name, requests in request["RequestItems"].items():
                for request in requests:
                    put = {"TableName": name, "Item": request["PutRequest"]["Item"]}
                    super().answer("PutItem", put)
            return {"UnprocessedItems": {}}
        if operation == "Query":
            owner, begins = request["ExpressionAttributeValues"].values()
            assert "begins_with" in request["KeyConditionExpression"]
            items = [
                item
                for item in self.tables.get(request["TableName"], {}).values()
                if item["owner"] == owner and item["entry"]["S"].startswith(begins["S"])
            ]
            return {"Items": items, "Count": len(items), "ScannedCount": len(items)}
        if operation == "PutItem" and request["TableName"] == table("config"):
            request = {
                **request,
                "ConditionExpression": None,
            }  # nobody else changes a document here
        return super().answer(operation, request)


class Http:
    """As much of an answer as botocore looks at."""

    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


class Cloud:
    """The one cloud of this process: PynamoDB's clients, once made, know no other."""

    _exists = False

    def __init__(self) -> None:
        assert not Cloud._exists, "a second cloud needs another process"
        Cloud._exists = True
        self.now = NOON
        self.dynamodb = DeskDynamoDB()
        self.records: list[tuple[str, bytes]] = []  # of positions: partition key and data
        self.meter = Meter(self.held, charges.schema(settings().stage))
        for cached in (clients.session, clients.dynamodb, clients.kinesis):
            cached.cache_clear()
        documents.forget()
        cache.forget_all()
        cache.now_s = self._seconds
        events = clients.session().get_component("event_emitter")
        self.meter.attach(events)
        events.register_last("before-call.dynamodb", self._dynamodb)
        events.register_last("before-call.kinesis", self._kinesis)

    def _seconds(self) -> float:
        return (self.now - NOON).total_seconds()

    def held(self, name: str, key: Item) -> Item | None:
        """The item under a key."""
        found: Item | None = self.dynamodb.tables.get(name, {}).get(json.dumps(key, sort_keys=True))
        return found

    def put(self, name: str, key: Mapping[str, Any], item: Item) -> None:
        """Puts an item past the counter."""
        self.dynamodb.tables.setdefault(name, {})[json.dumps(key, sort_keys=True)] = dict(item)

    def later(self, seconds: float) -> datetime:
        """The time that it is after so many seconds more."""
        self.now += timedelta(seconds=seconds)
        return self.now

    def taken(self) -> list[tuple[str, bytes]]:
        """The records that the stream of positions has got since the last time."""
        records, self.records = self.records, []
        return records

    # botocore takes what a hook answers in place of the call; its stubs do not know that
    def _dynamodb(self, *, model: Any, params: Any, **_: Any) -> Any:  # noqa: ANN401  # botocore's
        answer = self.dynamodb.answer(model.name, json.loads(params["body"]))
        return Http(400 if "Error" in answer else 200), answer

    def _kinesis(self, *, params: Any, **_: Any) -> Any:  # noqa: ANN401
        request = json.loads(params["body"])
        if request["StreamName"] == table("positions"):
            self.records += [
                (one["PartitionKey"], base64.b64decode(one["Data"])) for one in request["Records"]
            ]
        return Http(200), {"FailedRecordCount": 0, "Records": [{} for _ in request["Records"]]}
