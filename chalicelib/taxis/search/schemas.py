"""Query and response schemas of the search [contract: Search]."""

from collections.abc import Sequence

from marshmallow import EXCLUDE, Schema, fields, validate

from chalicelib.foundation.geo import MAX_LAT
from chalicelib.foundation.http import json_schema
from chalicelib.foundation.http.json_schema import (
    ANYTHING,
    NUMBER,
    TEXT,
    WHOLE,
    always,
    list_of,
    nullable,
    record,
)
from chalicelib.taxis.search.service import Answer, Candidate
from chalicelib.taxis.settings import Settings
from chalicelib.taxis.vocabulary import CHARACTERISTICS, Account, Role

NEUTRAL_OPERATOR = "chauffeur professionnel"


class Where(Schema):
    """The customer's point; other parameters are ignored."""

    class Meta:
        unknown = EXCLUDE

    lon = fields.Float(required=True, allow_nan=False, validate=validate.Range(-180, 180))
    lat = fields.Float(required=True, allow_nan=False, validate=validate.Range(-MAX_LAT, MAX_LAT))
    debug = fields.Raw(metadata={"description": "Present, with any value: explains the answer."})


# What old clients still read, and nothing fills any more.
_STUB_ADS = {
    "numero": "",
    "insee": "",
    "vehicle_id": 0,
    "owner_name": "",
    "owner_type": "",
    "doublage": None,
    "town": {"name": ""},
    "category": "",
}


FOUND_TAXI = record(
    "FoundTaxi",
    {
        "id": TEXT,
        "operator": TEXT,
        "crowfly_distance": NUMBER,
        "position": record("FoundPosition", {"lon": NUMBER, "lat": NUMBER}),
        "vehicle": record(
            "FoundVehicle",
            {
                "model": nullable(TEXT),
                "constructor": nullable(TEXT),
                "nb_seats": nullable(WHOLE),
                "engine": TEXT,
                "characteristics": list_of(json_schema.one_of(CHARACTERISTICS)),
                "color": always(""),
                "licence_plate": TEXT,
                "type": always("normal"),
                "cpam_conventionne": always(None),
            },
        ),
        "status": always("free"),
        "radius": always(0),
        "rating": always(0),
        "last_update": always(None),
        "added_at": always("1970-01-01T00:00:00"),
        "ads": always(_STUB_ADS),
        "driver": record(
            "FoundDriver",
            {
                "professional_licence": json_schema.one_of(["", "integration"]),
                "departement": always(""),
                "first_name": always(""),
                "last_name": always(""),
            },
        ),
    },
)

STEP = record("SearchStep", {"label": TEXT, "data": ANYTHING})


def found_taxi(
    taxi: Candidate, *, temporary_id: str, viewer: Account, settings: Settings
) -> dict[str, object]:
    """One taxi of the answer. An admin is shown the real id, operator and plate."""
    admin = viewer.has(Role.ADMIN)
    integration = settings.integration_enabled and settings.integration_account_email
    shown = taxi.details
    mark = "integration" if not admin and shown.operator == integration else ""
    real = admin or viewer.email == integration
    return {
        "id": taxi.position.taxi_id if real else temporary_id,
        "operator": shown.operator if admin else NEUTRAL_OPERATOR,
        "crowfly_distance": round(taxi.position.distance_m, 4),
        "position": {"lon": taxi.position.point.lng, "lat": taxi.position.point.lat},
        "vehicle": {
            "model": shown.model or None,
            "constructor": shown.constructor or None,
            "nb_seats": shown.nb_seats,
            "engine": shown.engine,
            "characteristics": list(shown.characteristics),
            "color": "",
            "licence_plate": shown.licence_plate if admin else "",
            "type": "normal",
            "cpam_conventionne": None,
        },
        "status": "free",
        "radius": 0,
        "rating": 0,
        "last_update": None,
        "added_at": "1970-01-01T00:00:00",
        "ads": _STUB_ADS,
        "driver": {
            "professional_licence": mark,
            "departement": "",
            "first_name": "",
            "last_name": "",
        },
    }


# The `debug` list of a point in no known town, where nobody looks any further.
NO_TOWN: Sequence[dict[str, object]] = (
    {"label": "town of the customer: none is known here, so no taxi may pick up", "data": []},
)


def explanation(answer: Answer) -> Sequence[dict[str, object]]:
    """The `debug` list: how many taxis were left after each step."""
    return [
        {"label": "town of the customer", "data": list(answer.place.towns)},
        {"label": "towns whose licences may pick up here", "data": len(answer.place.allowed)},
        {"label": "free and fresh taxis near", "data": answer.near},
        {"label": "with a licence for this place, and visible to you", "data": len(answer.found)},
        {"label": "whose own radius reaches the customer", "data": len(answer.seen)},
    ]
