"""Rate limiter of API keys, and the counts behind it: of each process, added up in DynamoDB (`rules.py` decides).

| question                    | table          | key                | cost               | asked by           |
| --------------------------- | -------------- | ------------------ | ------------------ | ------------------ |
| requests more of an account | request-counts | account id#window  | 1 write unit       | a request in 25 of |
| in this window, and the sum |                |                    |                    | an account's       |
| the same of an address      | request-counts | source#digest of   | 1 write unit       | a request in 50    |
| (`sources.py`)              |                | the network#window |                    | of an address's    |

The limit is `requests_a_second`; a process reports a two-hundredth of a window's share at a time. An
account at the default's 500 a second causes 20 writes a second, one that is over its limit soon none: who
has learnt of it refuses without asking. An item that a whole flood is added to takes 1,000 a second.

The count is of the key's owner, whoever the request is made as. Who has no key that is known counts by
its address (`sources.py`). Where the sum cannot be had within `WITHIN_S`, requests are let in, and for
`REST_S` this process does not try again: a table that hangs costs one request in 30 s of a process half a
second.
"""

import threading
from collections.abc import Callable
from datetime import datetime
from functools import cache as made_once
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.foundation import cache
from chalicelib.foundation.aws import clients
from chalicelib.foundation.errors import TooMany, in_request
from chalicelib.foundation.observe import metrics
from chalicelib.foundation.rate_limit import rules
from chalicelib.foundation.rate_limit.rules import Count, Limit
from chalicelib.foundation.settings import settings, table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

REMEMBERED = 4096  # accounts, and as many addresses, of which a process knows how much they ask
KEPT_S = 60  # since the last request of one
REST_S = 30
WITHIN_S = 0.5  # to connect, and again to be answered: a write takes some 10 ms
_ROW_KEPT_S = 600

Add = Callable[[str, int, int], int]  # whose, window, requests: their new sum


class TooManyRequests(TooMany):
    """The key is used too often: its account has made more requests than its limit allows."""


@made_once
def client() -> "DynamoDBClient":
    """A DynamoDB client with one short try: no request should wait for a count."""
    limits = Config(
        connect_timeout=WITHIN_S,
        read_timeout=WITHIN_S,
        retries={"mode": "standard", "total_max_attempts": 1},
        parameter_validation=False,
    )
    found: DynamoDBClient = clients.client("dynamodb", limits=limits)
    return found


def add(whose: str, window: int, requests: int) -> int:
    """Adds requests to a caller's count of a window; returns the sum of all processes.

    Raises botocore's BotoCoreError and ClientError.
    """
    answer = client().update_item(
        TableName=table("request-counts"),
        Key={"counted": {"S": f"{whose}#{window}"}},
        UpdateExpression="ADD #requests :requests SET #ttl = :ttl",
        ExpressionAttributeNames={"#requests": "requests", "#ttl": "ttl"},
        ExpressionAttributeValues={
            ":requests": {"N": str(requests)},
            ":ttl": {"N": str(rules.ends_at(window) + _ROW_KEPT_S)},
        },
        ReturnValues="UPDATED_NEW",
    )
    return int(answer["Attributes"]["requests"]["N"])


class Tally:
    """The counts of one process, of accounts or of addresses; thread-safe. Of those that ask least often it
    forgets the count, so that its memory is bounded."""

    def __init__(self, add: Add = add) -> None:
        self._add = add
        self._lock = threading.Lock()
        self._counts: cache.Memory[str, Count] = cache.Memory(
            lambda: REMEMBERED, lambda: float(KEPT_S)
        )
        self._rests: cache.Memory[str, bool] = cache.Memory(lambda: 1, lambda: float(REST_S))

    def is_over(self, whose: str, limit: Limit, *, now: datetime, requests: int = 1) -> bool:
        """Counts requests; whether their caller has used up the limit in this window."""
        window = rules.window_of(now)
        with self._lock:
            count = self._count(whose, window)
            due = 0
            if not count.is_over(limit):
                count, due = count.with_more(limit, requests)
                self._counts.put(whose, count)
        if due and self._is_reported(whose, window, due):
            count = self._count(whose, window)
        return count.is_over(limit)

    def _count(self, whose: str, window: int) -> Count:
        return (self._counts.get(whose) or Count(window)).at(window)

    def _is_reported(self, whose: str, window: int, requests: int) -> bool:
        """Whether the requests are reported, and the sum is known."""
        if self._rests.get("") is not None:
            return False
        try:
            total = self._add(whose, window, requests)
        except (BotoCoreError, ClientError):
            self._rests.put("", value=True)
            metrics.emit({}, counts={"request_counts_lost": requests})
            return False
        with self._lock:
            count = self._count(whose, window)
            # Another thread's report may have come to more meanwhile.
            total = max(total, count.reported)
            self._counts.put(whose, Count(window, total, count.waiting))
        return True


def retry_after_s(now: datetime) -> int:
    """The seconds until the window ends, at least one."""
    return max(1, rules.ends_at(rules.window_of(now)) - int(now.timestamp()))


class Throttle:
    """The limit of accounts in one process; thread-safe. Created once, at import."""

    def __init__(self, add: Add = add) -> None:
        self._tally = Tally(add)

    def take(self, account_id: int, *, now: datetime) -> None:
        """Counts a request of the account. Raises TooManyRequests."""
        limit = Limit(settings().requests_a_second)
        if self._tally.is_over(str(account_id), limit, now=now):
            metrics.emit({}, counts={"requests_throttled": 1})
            raise TooManyRequests(
                in_request(
                    f"More than {limit.requests_a_second} requests a second came with this key. "
                    "Please try again later."
                ),
                retry_after_s=retry_after_s(now),
            )


throttle = Throttle()
