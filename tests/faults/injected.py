"""Faults of AWS's services, injected where botocore sends a request: its own retries are on the way."""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
