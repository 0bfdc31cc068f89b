"""Other people's requests that arrive at the worst moment, and stores that refuse."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any

from pynamodb.models import Model

from chalicelib.foundation.aws import clients
from chalicelib.foundation.store import writes


def client_of(model: type[Model]) -> Any:
    """The client that a model's own calls go through."""
    return model._get_connection().connection.client


def transactions() -> Any:
    """The client that transactions go through."""
    return writes.connection().client


def plain() -> Any:
    """The client of the calls that go through no model."""
    return clients.dynamodb()


@contextmanager
def just_before(
    client: Any, operation: str, happens: Callable[[], object], *, after: int = 0
) -> Iterator[None]:
    """Just before the client's next such call, or after so many more, something else happens; once."""
    waiting = [happens]
    calls = count()

    def handle(**_: object) -> None:
        if waiting and next(calls) >= after:
            waiting.pop()()

    event = f"before-parameter-build.dynamodb.{operation}"
    client.meta.events.register(event, handle)
    try:
        yield
    finally:
        client.meta.events.unregister(event, handle)
    assert not waiting, f"no {operation} was called"


@contextmanager
def refusing(
    client: Any, operation: str, code: str, *, times: int = 1, **answer: object
) -> Iterator[None]:
    """The client's next such calls are refused with a code of DynamoDB's, and change nothing."""
    left = [times]

    def handle(**_: object) -> tuple[object, Mapping[str, object]] | None:
        if not left[0]:
            return None
        left[0] -= 1
        return _Refused(), {"Error": {"Code": code, "Message": code}, **answer}

    event = f"before-call.dynamodb.{operation}"
    client.meta.events.register(event, handle)
    try:
        yield
    finally:
        client.meta.events.unregister(event, handle)
    assert not left[0], f"{operation} was called {times - left[0]} times only"


class _Refused:
    """What botocore looks at of an HTTP answer."""

    status_code = 400
    headers: Mapping[str, str] = {}
