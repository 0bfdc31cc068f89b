"""The activity log in DynamoDB: each entry in two series, its action's and its action's on the resource.

| question                | table   | series             | order        | cost               | asked by           |
| ----------------------- | ------- | ------------------ | ------------ | ------------------ | ------------------ |
| some more entries       | journal | both of each       | none         | 2 write units      | requests, logins;  |
|                         |         |                    |              | each, one call; 4  | hails, in their    |
|                         |         |                    |              | in a transaction   | transactions       |
| the newest of an action | journal | action             | newest first | 0.5 unit per 4 KB, | GET /activity_logs |
|                         |         |                    |              | some 16 entries    |                    |
| of an action on one     | journal | action#resource_id | newest first | the same           | GET /activity_logs |
| resource                |         |                    |              |                    | with resource_id   |
| how many older ones     | journal | the same           | none         | the same; no entry | the same           |
| there are               |         |                    |              | leaves DynamoDB    |                    |

A filter without `action` asks each action of its resource, all of them without `resource`: one query a
series, and one more, or one a megabyte, for a series that has more than the page takes. An entry's key
within a series is `milliseconds#random`, which is its id. It goes with the transaction that it tells of,
and for good after `activity_days`. A series takes a thousand entries a second, as a partition does.
"""

import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pynamodb.attributes import (
    JSONAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.models import Model

from chalicelib.foundation.aws import clients
from chalicelib.foundation.settings import table
from chalicelib.foundation.store.models import Place
from chalicelib.foundation.store.reads import Item
from chalicelib.foundation.values import milliseconds
from chalicelib.taxis.activity import rules
from chalicelib.taxis.activity.rules import Entry
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import Action, Activity, Resource

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import QueryOutputTypeDef

LISTED = 10_000  # entries that a request finds at most


class JournalRow(Model):
    """An entry, in one of its two series."""

    class Meta(Place):
        table_name = table("journal")

    series = UnicodeAttribute(hash_key=True)
    entry = UnicodeAttribute(range_key=True)
    at = UTCDateTimeAttribute()
    resource = UnicodeAttribute()
    resource_id = UnicodeAttribute()
    action = UnicodeAttribute()
    extra: Any = JSONAttribute()
    ttl = NumberAttribute()


def rows(activity: Activity) -> Iterator[JournalRow]:
    """The new items of an entry."""
    at = activity.at.astimezone(UTC)
    entry = f"{milliseconds(at):015}#{secrets.token_hex(4)}"
    for resource_id in (None, activity.resource_id):
        yield JournalRow(
            rules.series(activity.action, resource_id),
            entry,
            at=at,
            resource=activity.resource.value,
            resource_id=activity.resource_id,
            action=activity.action.value,
            extra=dict(activity.extra),
            ttl=int((at + timedelta(days=settings().activity_days)).timestamp()),
        )


def put(*activities: Activity) -> None:
    """Writes entries that belong to no transaction, in one call."""
    with JournalRow.batch_write() as batch:
        for activity in activities:
            for row in rows(activity):
                batch.save(row)


def page_of(
    some: Sequence[str], *, first: int, size: int, now: datetime, listed: int = LISTED
) -> tuple[list[Entry], int]:
    """`size` entries of these series together from the `first` on (0 is the newest), and how many they have.

    Those of the last `activity_days`, for older ones expire late. Beyond the newest `listed` none is
    shown or counted.
    """
    last = min(first + size, listed)
    found: list[Item] = []
    total = 0
    for series in some:
        behind = None
        for answer in _answers(series, now=now, most=last if first < listed else 1):
            found += answer["Items"]
            total += answer["Count"]
            behind = answer.get("LastEvaluatedKey")
        if behind:
            older = _answers(series, now=now, most=listed - total, behind=behind, counts=True)
            total += sum(answer["Count"] for answer in older)
    found.sort(key=lambda item: item["entry"]["S"], reverse=True)
    shown = [_entry(JournalRow.from_raw_data(dict(item))) for item in found[first:last]]
    return shown, min(total, listed)


def _answers(
    series: str, *, now: datetime, most: int, behind: Item | None = None, counts: bool = False
) -> Iterator["QueryOutputTypeDef"]:
    """Asks for at most so many entries of a series, newest first, from behind a key on, or counts them."""
    oldest = now - timedelta(days=settings().activity_days)
    asked: Any = {
        "TableName": JournalRow.Meta.table_name,
        "KeyConditionExpression": "series = :series AND entry >= :oldest",
        "ExpressionAttributeValues": {
            ":series": {"S": series},
            ":oldest": {"S": f"{milliseconds(oldest):015}"},
        },
        "ScanIndexForward": False,
        "Select": "COUNT" if counts else "ALL_ATTRIBUTES",
    }
    while most > 0:
        if behind:
            asked["ExclusiveStartKey"] = behind
        answer = clients.dynamodb().query(**asked, Limit=most)
        yield answer
        most -= answer["Count"]
        behind = answer.get("LastEvaluatedKey")
        if not behind:
            return


def _entry(row: JournalRow) -> Entry:
    activity = Activity(
        row.at, Resource(row.resource), row.resource_id, Action(row.action), row.extra
    )
    return Entry(row.entry, activity)
