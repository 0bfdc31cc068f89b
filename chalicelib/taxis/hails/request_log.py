"""Request logs of hails in DynamoDB: what was sent for a hail, and what came back.

| question              | table    | key            | cost            | asked by    |
| --------------------- | -------- | -------------- | --------------- | ----------- |
| a hail's request log  | hail-log | hail_id, time# | 1 unit per 4 KB | `hail show` |
| one more entry        | hail-log | hail_id, time# | 1 write unit; 2 | webhook;    |
|                       |          |                | in a transaction| POST, PUT   |

An entry is kept for `hail_log_days`.
"""

import secrets
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from chalicelib.taxis.hails.rows import LogRow
from chalicelib.taxis.settings import settings


class Exchange(Struct, frozen=True):
    """An entry of a hail's request log. `payload` and `answer` are texts with phones masked."""

    at: datetime
    method: str
    payload: str
    user: str | None = None
    code: int | None = None
    answer: str | None = None
    initial_status: str | None = None
    final_status: str | None = None


def row(hail_id: str, exchange: Exchange) -> LogRow:
    """A new item of an entry."""
    return LogRow(
        hail_id,
        f"{exchange.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}#{secrets.token_hex(3)}",
        at=exchange.at,
        method=exchange.method,
        payload=exchange.payload,
        user=exchange.user,
        code=exchange.code,
        answer=exchange.answer,
        initial_status=exchange.initial_status,
        final_status=exchange.final_status,
        ttl=int((exchange.at + timedelta(days=settings().hail_log_days)).timestamp()),
    )


def append(hail_id: str, exchange: Exchange) -> None:
    """Adds to a hail's request log."""
    row(hail_id, exchange).save()


def entries(hail_id: str) -> list[Exchange]:
    """A hail's request log, oldest first."""
    return [
        Exchange(
            row.at.astimezone(UTC),
            row.method,
            row.payload,
            row.user,
            None if row.code is None else int(row.code),
            row.answer,
            row.initial_status,
            row.final_status,
        )
        for row in LogRow.query(hail_id, consistent_read=True)
    ]
