"""Query and response schemas of the activity log [contract: Journal of activities]."""

from datetime import UTC
from typing import Any

from marshmallow import Schema, fields, post_load, validate

from chalicelib.foundation.http import json_schema
from chalicelib.foundation.http.json_schema import ANYTHING, MOMENT, TEXT, map_of, record
from chalicelib.taxis.activity.rules import ActivityFilter, Entry
from chalicelib.taxis.envelope import PageNumber
from chalicelib.taxis.vocabulary import Action, Resource


class JournalSchema(Schema):
    """The query of GET /activity_logs; loads an `ActivityFilter`."""

    resource = fields.String(validate=validate.OneOf([*map(str, Resource)]))
    resource_id = fields.String()
    action = fields.String(validate=validate.OneOf([*map(str, Action)]))
    p = PageNumber()

    @post_load
    def _make(self, loaded: dict[str, Any], **_: object) -> ActivityFilter:
        loaded.pop("p", None)
        return ActivityFilter(**loaded)


ENTRY = record(
    "Activity",
    {
        "id": TEXT,
        "time": MOMENT,
        "resource": json_schema.one_of(Resource),
        "resource_id": TEXT,
        "action": json_schema.one_of(Action),
        "extra": map_of(ANYTHING),
    },
)


def entry_object(entry: Entry) -> dict[str, object]:
    """The response object of an entry."""
    activity = entry.activity
    return {
        "id": entry.id,
        "time": activity.at.astimezone(UTC).replace(tzinfo=None).isoformat(),
        "resource": activity.resource.value,
        "resource_id": activity.resource_id,
        "action": activity.action.value,
        "extra": dict(activity.extra),
    }
