"""How many requests the owners of keys make: counted in each process, added up in DynamoDB (`pace.py`).

| question                    | table          | key               | cost               | asked by           |
| --------------------------- | -------------- | ----------------- | ------------------ | ------------------ |
| requests more of an account | request-counts | account id#window | 1 write unit       | a request in 25 of |
| in this window, and the sum |                |                   |                    | an account's       |

The limit is `requests_a_second`; a process reports a twentieth of it at a time. An account at the
default's 500 a second causes 20 writes a second, one that is over its limit soon none: who has
learnt of it refuses without asking. An item that a whole flood is added to takes 1,000 a second.

The count is of the key's owner, whoever the request is made as. Who has no key that is known is not
counted here: such a request costs one read unit, and the gateway's own limit holds for it. Where the
sum cannot be had within `WITHIN_S`, requests are let in, and for `REST_S` this process does not try
again: a table that hangs costs one request in 30 s of a process half a second.
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

ACCOUNTS = 4096  # of which a process knows how much they ask
KEPT_S = 60  # since the last request of one
REST_S = 30
WITHIN_S = 0.5  # to connect, and again to be answered: a write takes some 10 ms
_ROW_KEPT_S = 600

Add = Callable[[int, int, int], int]  # account id, window, requests: their new sum


class TooManyRequests(TooMany):
    """The key is used too often: more than its share of requests in a second."""


@made_once
def client() -> "DynamoDBClient":
    """DynamoDB for a count that no request should wait for: one try, and a short one."""
    limits = Config(
        connect_timeout=WITHIN_S,
        read_timeout=WITHIN_S,
        retries={"mode": "standard", "total_max_attempts": 1},
        parameter_validation=False,
    )
    made: DynamoDBClient = clients.client("dynamodb", limits=limits)
    return made


def add(account_id: int, window: int, requests: int) -> int:
    """Counts requests of an account, and answers all that are counted of the window.

    Raises botocore's BotoCoreError and ClientError.
    """
    answer = client().update_item(
        TableName=table("request-counts"),
        Key={"counted": {"S": f"{account_id}#{window}"}},
        UpdateExpression="ADD #requests :requests SET #ttl = :ttl",
        ExpressionAttributeNames={"#requests": "requests", "#ttl": "ttl"},
        ExpressionAttributeValues={
            ":requests": {"N": str(requests)},
            ":ttl": {"N": str(rules.ends_at(window) + _ROW_KEPT_S)},
        },
        ReturnValues="UPDATED_NEW",
    )
    return int(answer["Attributes"]["requests"]["N"])


class Throttle:
    """One process's counts; threads may share it. Made once, at import."""

    def __init__(self, add: Add = add) -> None:
        self._add = add
        self._lock = threading.Lock()
        self._counts: cache.Memory[int, Count] = cache.Memory(
            lambda: ACCOUNTS, lambda: float(KEPT_S)
        )
        self._rests: cache.Memory[str, bool] = cache.Memory(lambda: 1, lambda: float(REST_S))

    def take(self, account_id: int, *, now: datetime) -> None:
        """Counts a request of the account. Raises TooManyRequests."""
        limit = Limit(settings().requests_a_second)
        window = rules.window_of(now)
        with self._lock:
            count = self._count(account_id, window)
            due = 0
            if not count.is_over(limit):
                count, due = count.with_one_more(limit)
                self._counts.put(account_id, count)
        if due and self._told(account_id, window, due):
            count = self._count(account_id, window)
        if count.is_over(limit):
            metrics.emit({}, counts={"requests_throttled": 1})
            raise TooManyRequests(
                in_request(
                    f"More than {limit.requests_a_second} requests a second came with this key. "
                    "Please try again later."
                ),
                retry_after_s=max(1, rules.ends_at(window) - int(now.timestamp())),
            )

    def _count(self, account_id: int, window: int) -> Count:
        return (self._counts.get(account_id) or Count(window)).at(window)

    def _told(self, account_id: int, window: int, requests: int) -> bool:
        """Whether the requests are reported, and the sum is known."""
        if self._rests.get("") is not None:
            return False
        try:
            told = self._add(account_id, window, requests)
        except (BotoCoreError, ClientError):
            self._rests.put("", value=True)
            metrics.emit({}, counts={"request_counts_lost": requests})
            return False
        with self._lock:
            count = self._count(account_id, window)
            # Another thread's report may have come to more meanwhile.
            told = max(told, count.told)
            self._counts.put(account_id, Count(window, told, count.waiting))
        return True


throttle = Throttle()
