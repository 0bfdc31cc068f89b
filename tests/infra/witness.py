"""Who calls what: the calls of AWS that each function makes, as the permissions that they take."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.client import BaseClient

from chalicelib.foundation import cache, sealing
from chalicelib.foundation.store import documents
from chalicelib.taxis.hails import queue
from chalicelib.taxis.stats.searches import stream
from ingest_lambda import records
from ops.local.provision import resources

# The key of a resource's name, by its kind.
_NAMED = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Kinesis::Stream": "Name",
    "AWS::SQS::Queue": "QueueName",
}

# What an item of a transaction takes.
_IN_A_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}

Needed = dict[str, set[str]]


def physical() -> Mapping[str, str]:
    """The logical names of tables, streams and queues, by their names in the tests' stage."""
    return {
        resource["Properties"][_NAMED[resource["Type"]]]["Sub"].replace("${Stage}", "test"): name
        for name, resource in resources().items()
        if resource["Type"] in _NAMED
    }


def taken(operation: str, parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The permissions that a call takes: the name of what it touches, and IAM's action."""
    if operation == "TransactWriteItems":
        for item in parameters["TransactItems"]:
            for verb, about in item.items():
                yield about["TableName"], _IN_A_TRANSACTION[verb]
    elif operation in {"BatchGetItem", "BatchWriteItem"}:
        for table in parameters["RequestItems"]:
            yield table, operation
    elif operation == "GetSecretValue":
        yield "Secret", operation
    else:
        [touched] = [
            parameters[key]
            for key in ("TableName", "StreamName", "QueueName", "QueueUrl")
            if key in parameters
        ]
        yield re.split("/", touched)[-1], operation


class Witness:
    """Notes the calls of the function that runs, in whichever thread they are made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.needed: dict[str, Needed] = defaultdict(lambda: defaultdict(set))
        self._function: str | None = None
        names = physical()
        call = BaseClient._make_api_call  # type: ignore[attr-defined]  # botocore's own

        def noted(client: BaseClient, operation: str, parameters: Mapping[str, Any]) -> Any:
            if self._function is not None:
                for touched, action in taken(operation, parameters):
                    self.needed[self._function][names.get(touched, touched)].add(action)
            return call(client, operation, parameters)

        monkeypatch.setattr(BaseClient, "_make_api_call", noted)

    @contextmanager
    def process(self, function: str) -> Iterator[None]:
        """What is called within is called by this function, in a process that knows nothing yet."""
        documents.forget()
        cache.forget_all()
        for known in (sealing._keys, sealing._fernet, queue._url, records._url):
            known.cache_clear()
        self._function = function
        try:
            yield
            stream.notes.end()  # in the background else
        finally:
            self._function = None
