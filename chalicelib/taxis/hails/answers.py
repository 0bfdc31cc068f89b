"""Shapes of the answers about hails, customers and sessions, for the API document [contract: The hail object]."""

from collections.abc import Iterable

from chalicelib.foundation.http import json_schema
from chalicelib.foundation.http.json_schema import (
    CLAIM,
    EITHER_MOMENT,
    MOMENT,
    NUMBER,
    OFFSET_MOMENT,
    TEXT,
    UUID,
    WHOLE,
    list_of,
    nullable,
    record,
)
from chalicelib.taxis.hails import rules
from chalicelib.taxis.hails.rules import Status
from chalicelib.taxis.vocabulary import CHARACTERISTICS

_STATUS = json_schema.one_of(Status)


def _reason(values: Iterable[str]) -> json_schema.Shape:
    return nullable(json_schema.one_of(values))


HAIL = record(
    "Hail",
    {
        "id": TEXT,
        "session_id": UUID,
        "operateur": TEXT,
        "status": _STATUS,
        "creation_datetime": MOMENT,
        "last_status_change": EITHER_MOMENT,
        "transitions": list_of(
            record(
                "Transition",
                {
                    "from_status": nullable(_STATUS),
                    "to_status": _STATUS,
                    "timestamp": OFFSET_MOMENT,
                    "user": nullable(WHOLE),
                    "reason": nullable(TEXT),
                },
            )
        ),
        "customer_id": TEXT,
        "customer_lon": NUMBER,
        "customer_lat": NUMBER,
        "customer_address": TEXT,
        "customer_phone_number": TEXT,
        "taxi_phone_number": TEXT,
        "incident_taxi_reason": _reason(rules.INCIDENT_TAXI_REASONS),
        "incident_customer_reason": _reason(rules.INCIDENT_CUSTOMER_REASONS),
        "reporting_customer": nullable(CLAIM),
        "reporting_customer_reason": _reason(rules.REPORTING_REASONS),
        "rating_ride": nullable(WHOLE),
        "rating_ride_reason": _reason(rules.RATING_REASONS),
        "taxi": record(
            "HailTaxi",
            {
                "id": TEXT,
                "position": record(
                    "HailPosition", {"lon": nullable(NUMBER), "lat": nullable(NUMBER)}
                ),
                "crowfly_distance": nullable(NUMBER),
                "last_update": nullable(WHOLE),
                "vehicle": record(
                    "HailVehicle",
                    {"licence_plate": TEXT, "color": TEXT},
                    optional={
                        "nb_seats": nullable(WHOLE),
                        "characteristics": list_of(json_schema.one_of(CHARACTERISTICS)),
                    },
                ),
                "driver": record("HailDriver", {"first_name": TEXT, "last_name": TEXT}),
            },
        ),
    },
)

LINE = record(
    "HailLine",
    {
        "id": TEXT,
        "added_by": TEXT,
        "operateur": TEXT,
        "status": _STATUS,
        "creation_datetime": MOMENT,
        "taxi_id": TEXT,
        "customer_id": TEXT,
    },
)

CUSTOMER = record(
    "Customer",
    {
        name: nullable(EITHER_MOMENT)
        for name in ("ban_begin", "ban_end", "reprieve_begin", "reprieve_end")
    },
)

_PARTY = {"id": TEXT, "email": TEXT, "commercial_name": nullable(TEXT)}
SESSION = record(
    "Session",
    {
        "customer_id": TEXT,
        "session_id": UUID,
        "added_by_id": TEXT,
        "added_at": MOMENT,
        "hails": list_of(
            record(
                "SessionHail",
                {
                    "id": TEXT,
                    "status": _STATUS,
                    "added_at": MOMENT,
                    "customer_lon": NUMBER,
                    "customer_lat": NUMBER,
                    "customer_address": TEXT,
                    "customer_phone_number": TEXT,
                    "taxi_phone_number": TEXT,
                    "initial_taxi_lon": NUMBER,
                    "initial_taxi_lat": NUMBER,
                    "moteur": record("SessionMoteur", _PARTY),
                    "operateur": record("SessionOperateur", _PARTY),
                    "taxi": record("SessionTaxi", {"id": TEXT}),
                },
            )
        ),
    },
)

SUPPORT_HAIL = record(
    "SupportHail",
    {
        **dict.fromkeys(("id", "moteur", "operateur", "customer_address"), TEXT),
        **dict.fromkeys(("customer_phone_number", "taxi_phone_number"), TEXT),
        **dict.fromkeys(("customer_lon", "customer_lat"), NUMBER),
        "added_at": MOMENT,
        "status": _STATUS,
        "duration": TEXT,
    },
)
