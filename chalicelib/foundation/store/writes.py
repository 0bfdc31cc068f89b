"""Conditional writes, with retries while a transaction holds the item."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from botocore.exceptions import ClientError
from pynamodb.connection import Connection
from pynamodb.exceptions import (
    DeleteError,
    PutError,
    PynamoDBException,
    TransactWriteError,
    UpdateError,
)
from pynamodb.expressions.update import Action
from pynamodb.models import Model

from chalicelib.foundation.retry import Retry
from chalicelib.foundation.settings import settings
from chalicelib.foundation.store.models import Place

T = TypeVar("T")

CONFLICTS = Retry(tries=8, pause_s=0.02)  # of a write and a transaction: about 2 s in all

# Of a single write, and of an item of a transaction.
_CONFLICT = {"TransactionConflictException", "TransactionConflict"}
_CONDITION = {"ConditionalCheckFailedException", "ConditionalCheckFailed"}


class Moved(Exception):
    """The condition of a write failed: read again, and decide again."""


@cache
def connection() -> Connection:
    """The PynamoDB connection, for transactions, which belong to no model."""
    return Connection(
        region=settings().region,
        host=settings().endpoint or None,
        connect_timeout_seconds=Place.connect_timeout_seconds,
        read_timeout_seconds=Place.read_timeout_seconds,
        max_retry_attempts=Place.max_retry_attempts,
    )


def setting(model: type[Model], values: Mapping[str, Any]) -> list[Action]:
    """The update that writes these attributes, and takes away those that are None."""
    attributes = model.get_attributes()
    return [
        attributes[name].remove() if value is None else attributes[name].set(value)
        for name, value in values.items()
    ]


def run_write(write: Callable[[], T]) -> T:
    """Runs a write, again while a transaction holds one of its items. Returns what it returned.

    Raises Moved where a condition of its own failed.
    """
    attempt = 0
    while True:
        try:
            return write()
        except (ClientError, DeleteError, PutError, UpdateError, TransactWriteError) as error:
            reasons = _reasons(error)
            if reasons & _CONDITION:
                raise Moved from error
            if not reasons & _CONFLICT or attempt == CONFLICTS.tries - 1:
                raise
        CONFLICTS.wait(attempt)
        attempt += 1


def _reasons(error: ClientError | PynamoDBException) -> set[str | None]:
    """The reasons of a failed write: the codes of a transaction's items, or its own."""
    if isinstance(error, ClientError):
        return {error.response["Error"]["Code"]}
    if isinstance(error, TransactWriteError) and error.cancellation_reasons:
        return {reason.code for reason in error.cancellation_reasons if reason is not None}
    return {error.cause_response_code}
