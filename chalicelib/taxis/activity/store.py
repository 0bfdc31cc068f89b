"""The activity log in DynamoDB.

| question         | table    | key                      | order        | cost              | asked by          |
| ---------------- | -------- | ------------------------ | ------------ | ----------------- | ----------------- |
| one more entry   | activity | day, milliseconds#random | none         | 1 write unit; 2   | requests, logins; |
|                  |          |                          |              | in a transaction  | hails, in theirs  |
| the newest there | activity | day                      | newest first | 0.5 unit per 4 KB,| GET               |
| are              |          |                          |              | some 20 entries,  | /activity_logs    |
|                  |          |                          |              | or per empty day  |                   |

An entry goes with the transaction that it tells of, and for good after `activity_days`. A request
reads `LISTED` entries at most (250 units), and as many days as they take.
"""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from pynamodb.attributes import (
    JSONAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.models import Model

from chalicelib.foundation.settings import table
from chalicelib.foundation.store.models import Place
from chalicelib.foundation.values import milliseconds
from chalicelib.taxis.activity.rules import Entry
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import Action, Activity, Resource

LISTED = 10_000  # entries that a request reads at most


class ActivityRow(Model):
    """An entry, among those of its day."""

    class Meta(Place):
        table_name = table("activity")

    day = UnicodeAttribute(hash_key=True)
    entry = UnicodeAttribute(range_key=True)
    at = UTCDateTimeAttribute()
    resource = UnicodeAttribute()
    resource_id = UnicodeAttribute()
    action = UnicodeAttribute()
    extra: Any = JSONAttribute()
    ttl = NumberAttribute()


def row(activity: Activity) -> ActivityRow:
    """A new item of an entry."""
    at = activity.at.astimezone(UTC)
    return ActivityRow(
        at.date().isoformat(),
        f"{milliseconds(at):015}#{secrets.token_hex(4)}",
        at=at,
        resource=activity.resource.value,
        resource_id=activity.resource_id,
        action=activity.action.value,
        extra=dict(activity.extra),
        ttl=int((at + timedelta(days=settings().activity_days)).timestamp()),
    )


def put(activity: Activity) -> None:
    """Writes an entry that belongs to no transaction."""
    row(activity).save()


def newest(now: datetime, *, limit: int = LISTED) -> Iterator[Entry]:
    """The entries of the last `activity_days`, newest first."""
    oldest = now - timedelta(days=settings().activity_days)
    since = ActivityRow.entry >= f"{milliseconds(oldest):015}"
    left = limit
    for days in range(settings().activity_days + 1):
        day = (now.astimezone(UTC) - timedelta(days=days)).date().isoformat()
        for found in ActivityRow.query(day, since, scan_index_forward=False, limit=left):
            left -= 1
            yield _entry(found)
        if not left:
            return


def _entry(row: ActivityRow) -> Entry:
    activity = Activity(
        row.at, Resource(row.resource), row.resource_id, Action(row.action), row.extra
    )
    return Entry(row.entry, activity)
