"""Limit on login attempts by account and by address: counters in DynamoDB.

| question            | table          | key                    | order    | cost         | asked by       |
| ------------------- | -------------- | ---------------------- | -------- | ------------ | -------------- |
| one attempt more of | login-attempts | kind#whose digest#when | one item | 1 write unit | /internal/auth |
| an address, and of  |                | the window began       |          | each; two    |                |
| an account          |                |                        |          | if it is let |                |
|                     |                |                        |          | in           |                |

An attempt is counted before it is looked at, so that many at once are no way round the limit, and
given back when it succeeds. Windows stand on the clock: a guesser has at most twice the limit in
any quarter of an hour. An address that is over its limit costs the accounts nothing.
"""

import hashlib
from datetime import datetime

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.models import Model

from chalicelib.foundation.errors import TooMany, in_request
from chalicelib.foundation.rate_limit.rules import network_of
from chalicelib.foundation.settings import table
from chalicelib.foundation.store.models import Place

WINDOW_S = 900
OF_ACCOUNT = 10
OF_SOURCE = 30  # an office may share one address


class TooManyAttempts(TooMany):
    """Too many failed attempts for the account or the address in this quarter of an hour."""


class AttemptsRow(Model):
    """The item that counts the attempts of one account or address in one window."""

    class Meta(Place):
        table_name = table("login-attempts")

    whose = UnicodeAttribute(hash_key=True)
    attempts = NumberAttribute()
    ttl = NumberAttribute()


def take(email: str, source: str, *, now: datetime) -> None:
    """Counts an attempt to log in. Raises TooManyAttempts."""
    for row, limit in zip(_rows(email, source, now), (OF_SOURCE, OF_ACCOUNT), strict=True):
        row.update([AttemptsRow.attempts.add(1), AttemptsRow.ttl.set(_ends_at(now) + WINDOW_S)])
        if row.attempts > limit:
            raise TooManyAttempts(
                in_request("Too many attempts to log in. Please try again later."),
                retry_after_s=_ends_at(now) - int(now.timestamp()),
            )


def give_back(email: str, source: str, *, now: datetime) -> None:
    """Uncounts the attempt of the same `now`: the login succeeded."""
    for row in _rows(email, source, now):
        row.update([AttemptsRow.attempts.add(-1)])


def _rows(email: str, source: str, now: datetime) -> tuple[AttemptsRow, AttemptsRow]:
    window = _ends_at(now)
    return (
        AttemptsRow(f"source#{_digest(network_of(source))}#{window}"),
        AttemptsRow(f"account#{_digest(email)}#{window}"),
    )


def _ends_at(now: datetime) -> int:
    """The end of the window that a moment is in, in Unix seconds."""
    return (int(now.timestamp()) // WINDOW_S + 1) * WINDOW_S


def _digest(text: str) -> str:
    """A key of a fixed length; what somebody typed for an e-mail may be their password."""
    return hashlib.sha256(text.encode()).hexdigest()
