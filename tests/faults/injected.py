"""Faults of AWS's services, injected where botocore sends a request: its own retries are on the way."""

import hashlib
import json
import random
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from types import MappingProxyType
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError
from moto.core.models import botocore_stubber


class _Raw(BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


class Fault:
    """Something that happens to a share of the calls, and to those of `always`; `happened` counts.

    Of calls in a row that it happens to, one fails to the end, for all that botocore tries again.
    """

    def __init__(self, share: float, *, seed: int, always: range = range(0)) -> None:
        self.happened = 0
        self._share = share
        self._dice = random.Random(seed)
        self._always = always
        self._calls = 0

    def strikes(self) -> bool:
        """Whether it happens to this call."""
        strikes = self._dice.random() < self._share or self._calls in self._always
        self._calls += 1
        self.happened += strikes
        return strikes


@contextmanager
def _hooked(clients: list[Any], event: str, hook: Callable[..., Any]) -> Iterator[None]:
    for client in clients:
        client.meta.events.register_first(event, hook)
    try:
        yield
    finally:
        for client in clients:
            client.meta.events.unregister(event, hook)


@contextmanager
def throttled(fault: Fault, *clients: Any) -> Iterator[None]:
    """DynamoDB refuses calls for being too many."""

    def refuse(request: Any, **_: Any) -> AWSResponse | None:
        if not fault.strikes():
            return None
        body = b'{"__type":"x#ProvisionedThroughputExceededException","message":"injected"}'
        return AWSResponse(request.url, 400, {}, _Raw(body))  # type: ignore[arg-type]  # as moto's

    with _hooked(list(clients), "before-send", refuse):
        yield


@contextmanager
def silent(fault: Fault, *clients: Any, after_doing: bool) -> Iterator[None]:
    """A service does not answer in time: it has done nothing, or all that it was asked to."""

    def hang(event_name: str, request: Any, **_: Any) -> None:
        if fault.strikes():
            if after_doing:
                botocore_stubber(event_name, request)
            raise ReadTimeoutError(endpoint_url=request.url)

    with _hooked(list(clients), "before-send", hang):
        yield


@contextmanager
def unprocessed(fault: Fault, client: Any) -> Iterator[None]:
    """BatchGetItem leaves one of its items for later."""

    def cut(parsed: dict[str, Any], **_: Any) -> None:
        for table, items in parsed.get("Responses", {}).items():
            if items and fault.strikes():
                item = items.pop()
                key = next(
                    one for one in ("cell", "taxi_id", "hail_id", "description_id") if one in item
                )
                parsed["UnprocessedKeys"] = {table: {"Keys": [{key: item[key]}]}}
                return

    with _hooked([client], "after-call.dynamodb.BatchGetItem", cut):
        yield


@contextmanager
def conflicting(fault: Fault, client: Any) -> Iterator[None]:
    """Another transaction holds an item of this one."""

    class Refused:
        status_code = 400
        headers: Mapping[str, str] = MappingProxyType({})

    def cancel(**_: Any) -> Any:
        if not fault.strikes():
            return None
        reasons = [{"Code": "None"}, {"Code": "TransactionConflict", "Message": "injected"}]
        error = {"Code": "TransactionCanceledException", "Message": "injected"}
        return Refused(), {"Error": error, "CancellationReasons": reasons}

    with _hooked([client], "before-call.dynamodb.TransactWriteItems", cancel):
        yield


@contextmanager
def queues(client: Any) -> Iterator[list[tuple[str, str]]]:
    """SQS takes every message and brings none: (queue, body) of each, for whoever brings them."""
    sent: list[tuple[str, str]] = []

    class Taken:
        status_code = 200
        headers: Mapping[str, str] = MappingProxyType({})

    def take(params: dict[str, Any], **_: Any) -> Any:
        said = json.loads(params["body"])
        sent.append((said["QueueUrl"].rpartition("-test-")[2], said["MessageBody"]))
        return Taken(), {"MessageId": str(len(sent))}

    with _hooked([client], "before-call.sqs.SendMessage", take):
        yield sent


class Shards:
    """A Kinesis stream of two shards that can be split and merged; a closed shard keeps its records."""

    def __init__(self) -> None:
        self.shards: dict[str, dict[str, Any]] = {}
        self._records: dict[str, list[dict[str, Any]]] = {}
        self._number = 0
        for start in (0, 1 << 127):
            self._open(start, start + (1 << 127) - 1)

    def _open(self, start: int, end: int, *parents: str) -> None:
        name = f"shardId-{len(self.shards):012}"
        names = ("ParentShardId", "AdjacentParentShardId")
        self._number += 1
        self.shards[name] = {
            "ShardId": name,
            "HashKeyRange": {"StartingHashKey": str(start), "EndingHashKey": str(end)},
            "SequenceNumberRange": {"StartingSequenceNumber": f"{self._number:020}"},
            **dict(zip(names, parents, strict=False)),
        }
        self._records[name] = []

    def _close(self, *names: str) -> None:
        for name in names:
            self.shards[name]["SequenceNumberRange"]["EndingSequenceNumber"] = f"{self._number:020}"

    def _is_open(self, name: str) -> bool:
        return "EndingSequenceNumber" not in self.shards[name]["SequenceNumberRange"]

    def _span(self, name: str) -> tuple[int, int]:
        span = self.shards[name]["HashKeyRange"]
        return int(span["StartingHashKey"]), int(span["EndingHashKey"])

    def reshard(self) -> None:
        """Splits the first open shard, or merges the first two where there are three of them."""
        first, second, *others = sorted(filter(self._is_open, self.shards), key=self._span)
        start, end = self._span(first)
        if others:
            self._close(first, second)
            self._open(start, self._span(second)[1], first, second)
        else:
            self._close(first)
            middle = (start + end) // 2
            self._open(start, middle, first)
            self._open(middle + 1, end, first)

    def put(self, record: Mapping[str, Any]) -> dict[str, str]:
        """Takes a record of PutRecords."""
        key = int.from_bytes(hashlib.md5(record["PartitionKey"].encode()).digest())  # noqa: S324  # Kinesis' own
        name = next(
            one
            for one in filter(self._is_open, self.shards)
            if self._span(one)[0] <= key <= self._span(one)[1]
        )
        self._number += 1
        number = f"{self._number:020}"
        self._records[name].append(
            {
                "SequenceNumber": number,
                "PartitionKey": record["PartitionKey"],
                "Data": b64decode(record["Data"]),
                "ApproximateArrivalTimestamp": datetime.now(UTC),
            }
        )
        return {"SequenceNumber": number, "ShardId": name}

    def read(self, iterator: str, limit: int) -> dict[str, Any]:
        """The answer of GetRecords; an iterator is a shard and the number after which to go on."""
        name, _, after = iterator.partition(" ")
        left = [one for one in self._records[name] if one["SequenceNumber"] > after]
        page = left[:limit]
        ends = len(page) == len(left) and not self._is_open(name)
        last = page[-1]["SequenceNumber"] if page else after
        return {"Records": page, "NextShardIterator": None if ends else f"{name} {last}"}


@contextmanager
def resharding(client: Any) -> Iterator[Shards]:
    """The stream that the client speaks to."""
    stream = Shards()

    class Http:
        status_code = 200

    def called(model: Any, params: dict[str, Any], **_: Any) -> Any:
        said = json.loads(params["body"])
        match model.name:
            case "PutRecords":
                answer = {"FailedRecordCount": 0, "Records": [*map(stream.put, said["Records"])]}
            case "ListShards":
                answer = {"Shards": list(stream.shards.values())}
            case "GetShardIterator":
                place = f"{said['ShardId']} {said.get('StartingSequenceNumber', '')}"
                answer = {"ShardIterator": place}
            case "GetRecords":
                answer = stream.read(said["ShardIterator"], min(said["Limit"], 5))
            case _:
                answer = {"StreamDescriptionSummary": {"StreamARN": "arn:aws:kinesis:::stream/s"}}
        return Http(), answer

    with _hooked([client], "before-call.kinesis", called):
        yield stream
