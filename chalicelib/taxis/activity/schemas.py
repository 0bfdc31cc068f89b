"""The query that comes and the entries that go (letaxi-api 20.3)."""

from datetime import UTC
from typing import Any

from marshmallow import Schema, fields, post_load, validate

from chalicelib.foundation.http import json_schema
from chalicelib.foundation.http.json_schema import ANYTHING, MOMENT, TEXT, map_of, record
from chalicelib.taxis.activity.rules import Asked, Entry
from chalicelib.taxis.envelope import PageNumber
from chalicelib.taxis.vocabulary import Action, Resource


class JournalSchema(Schema):
    """The query of GET /activity_logs; makes an `Asked`."""

    resource = fields.String(validate=validate.OneOf([*map(str, Resource)]))
    resource_id = fields.String()
    action = fields.String(validate=validate.OneOf([*map(str, Action)]))
    p = PageNumber()

    @post_load
    def _make(self, loaded: dict[str, Any], **_: object) -> Asked:
        loaded.pop("p", None)
        return Asked(**loaded)


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
    """An entry as the journal shows it."""
    activity = entry.activity
    return {
        "id": entry.id,
        "time": activity.at.astimezone(UTC).replace(tzinfo=None).isoformat(),
        "resource": activity.resource.value,
        "resource_id": activity.resource_id,
        "action": activity.action.value,
        "extra": dict(activity.extra),
    }
