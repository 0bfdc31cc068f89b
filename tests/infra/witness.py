"""Who calls what: the calls of AWS that each function makes, as the permissions that they take."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.client import BaseClient

from chalicelib.foundation import cache, sealing
from chalicelib.foundation.store import documents
from ops.apps import App
from ops.release import permissions
from ops.templates import resources, text_of

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


def physical(app: App) -> Mapping[str, str]:
    """The logical names of tables, streams and queues, by their names in the tests' stage."""
    return {
        text_of(resource["Properties"][_NAMED[resource["Type"]]], "test"): name
        for name, resource in resources(app).items()
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
        suffix = parameters["SecretId"].removeprefix("maraude-test-")
        yield next(name for name, end in permissions.SECRETS.items() if end == suffix), operation
    else:
        [touched] = [
            parameters[key]
            for key in ("TableName", "StreamName", "QueueName", "QueueUrl")
            if key in parameters
        ]
        yield re.split("/", touched)[-1], operation


class Witness:
    """Notes the calls of a service's function that runs, in whichever thread they are made.

    `forget` is what the service keeps of AWS in a process, `end` what it does in the background.
    """

    def __init__(
        self,
        app: App,
        monkeypatch: pytest.MonkeyPatch,
        *,
        forget: Callable[[], None] = lambda: None,
        end: Callable[[], object] = lambda: None,
    ) -> None:
        self.needed: dict[str, Needed] = defaultdict(lambda: defaultdict(set))
        self._function: str | None = None
        self._app, self._forget, self._end = app, forget, end
        names = physical(app)
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
        sealing.forget()
        self._forget()
        self._function = function
        try:
            yield
            self._end()
        finally:
            self._function = None

    def unlike(self, function: str) -> dict[str, list[str]]:
        """What a function may not do though it does, and what it may though it does not, by resource."""
        allowed, needed = permissions.granted(self._app)[function], self.needed[function]
        found = {
            name: [
                *(f"may not {one}" for one in needed[name] - allowed.get(name, set())),
                *(f"need not {one}" for one in allowed.get(name, set()) - needed[name]),
            ]
            for name in {*allowed, *needed}
        }
        return {name: faults for name, faults in found.items() if faults}
