"""JSON objects of hails, lists, sessions and customers, by who sees them [contract: What of a hail is shown]: pure.

A viewer of None is the operator's server, which is sent the hail by the registry.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from chalicelib.foundation.geo import LngLat, distance_m
from chalicelib.taxis.hails.lines import Line, SessionHails
from chalicelib.taxis.hails.rules import Customer, Hail, Status, Transition, knows_taxi
from chalicelib.taxis.positions.rules import LastPosition
from chalicelib.taxis.vocabulary import Account, Role

NEUTRAL_OPERATOR = "chauffeur professionnel"
MASKED_PHONE = "0600000000"

# While the two are looking for one another.
_PHONES_SHOWN = frozenset({Status.ACCEPTED_BY_CUSTOMER})
_VEHICLE_SHOWN = frozenset(
    {Status.ACCEPTED_BY_TAXI, Status.ACCEPTED_BY_CUSTOMER, Status.CUSTOMER_ON_BOARD}
)


def naive(at: datetime) -> str:
    """A time as most of the contract has it: UTC without an offset [contract: Times on the wire]."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat()


def _aware(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def phone(number: str, status: Status, viewer: Account | None) -> str:
    """A telephone number, or its mask."""
    shown = status in _PHONES_SHOWN or (viewer is not None and viewer.has(Role.ADMIN))
    return number if shown else MASKED_PHONE


def sees_taxi(status: Status) -> bool:
    """Whether the two parties see where the taxi is."""
    return not status.is_over


def hail_object(
    hail: Hail,
    *,
    viewer: Account | None,
    last: LastPosition | None,
    details: bool = False,
    just_changed: bool = False,
) -> dict[str, object]:
    """The hail of the contract [contract: The hail object].

    `last` is where the taxi was last, `details` adds seats and characteristics, and `just_changed`
    says that this very request changed the status, whose time then has an offset.
    """
    real = knows_taxi(viewer, hail.operateur_id)
    moved_at = hail.last_status_change
    return {
        "id": hail.hail_id,
        "session_id": hail.session_id,
        "operateur": hail.operateur if real else NEUTRAL_OPERATOR,
        "status": hail.status.value,
        "creation_datetime": naive(hail.created_at),
        "last_status_change": _aware(moved_at) if just_changed else naive(moved_at),
        "transitions": [_transition(entry) for entry in hail.transitions],
        "customer_id": hail.customer_id,
        "customer_lon": hail.customer_lon,
        "customer_lat": hail.customer_lat,
        "customer_address": hail.customer_address,
        "customer_phone_number": phone(hail.customer_phone_number, hail.status, viewer),
        "taxi_phone_number": phone(hail.taxi_phone_number, hail.status, viewer),
        "incident_taxi_reason": hail.incident_taxi_reason,
        "incident_customer_reason": hail.incident_customer_reason,
        "reporting_customer": hail.reporting_customer,
        "reporting_customer_reason": hail.reporting_customer_reason,
        "rating_ride": hail.rating_ride,
        "rating_ride_reason": hail.rating_ride_reason,
        "taxi": {
            "id": hail.taxi_id if real else hail.shown_taxi_id,
            **_whereabouts(hail, None if viewer is None else last),
            **_vehicle(hail, details=details),
        },
    }


def _transition(entry: Transition) -> dict[str, object]:
    return {
        "from_status": None if entry.from_status is None else entry.from_status.value,
        "to_status": entry.to_status.value,
        "timestamp": _aware(entry.at),
        "user": entry.user,
        "reason": entry.reason,
    }


def _whereabouts(hail: Hail, last: LastPosition | None) -> dict[str, object]:
    """Where the taxi is, and how many kilometres from the customer."""
    if last is None or not sees_taxi(hail.status):
        nowhere = {"lon": None, "lat": None}
        return {"position": nowhere, "crowfly_distance": None, "last_update": None}
    customer = LngLat(hail.customer_lon, hail.customer_lat)
    return {
        "position": {"lon": last.point.lng, "lat": last.point.lat},
        "crowfly_distance": round(distance_m(last.point, customer) / 1000, 6),
        "last_update": int(last.seen_at.timestamp()),
    }


def _vehicle(hail: Hail, *, details: bool) -> Mapping[str, object]:
    shown = hail.status in _VEHICLE_SHOWN
    more: dict[str, object] = (
        {"nb_seats": hail.nb_seats, "characteristics": list(hail.characteristics)}
        if details
        else {}
    )
    return {
        "vehicle": {
            "licence_plate": hail.licence_plate if shown else "",
            "color": hail.color if shown else "",
            **more,
        },
        "driver": {
            "first_name": hail.first_name if shown else "",
            "last_name": hail.last_name if shown else "",
        },
    }


def line_object(line: Line, viewer: Account) -> dict[str, object]:
    """A hail as GET /hails lists it."""
    real = knows_taxi(viewer, line.operateur_id)
    return {
        "id": line.hail_id,
        "added_by": line.moteur,
        "operateur": line.operateur if real else NEUTRAL_OPERATOR,
        "status": line.status.value,
        "creation_datetime": naive(line.created_at),
        "taxi_id": line.taxi_id_for(viewer),
        "customer_id": line.customer_id,
    }


def support_object(hail: Hail) -> dict[str, object]:
    """A hail as GET /internal/customers shows it, nothing hidden [contract: Customer support]."""
    lasted = hail.last_update_at - hail.created_at
    return {
        "id": hail.hail_id,
        "added_at": naive(hail.created_at),
        "moteur": hail.moteur,
        "operateur": hail.operateur,
        "customer_lon": hail.customer_lon,
        "customer_lat": hail.customer_lat,
        "customer_address": hail.customer_address,
        "customer_phone_number": hail.customer_phone_number,
        "taxi_phone_number": hail.taxi_phone_number,
        "status": hail.status.value,
        # `H:MM:SS`, beyond a day `N days, H:MM:SS`: Python's own text of whole seconds
        "duration": str(timedelta(seconds=lasted // timedelta(seconds=1))),
    }


def customer_object(customer: Customer, echoed: Mapping[str, datetime | None]) -> dict[str, object]:
    """A customer's bans; those that were just sent come back unchanged."""
    return {
        name: None if at is None else at.isoformat() if name in echoed else naive(at)
        for name in ("ban_begin", "ban_end", "reprieve_begin", "reprieve_end")
        for at in (echoed[name] if name in echoed else getattr(customer, name),)
    }


def session_object(
    group: SessionHails, *, viewer: Account, names: Mapping[int, str]
) -> dict[str, object]:
    """A session as GET /sessions shows it; `names` are those of the accounts in it."""
    return {
        "customer_id": group.session.customer_id,
        "session_id": group.session.session_id,
        "added_by_id": str(group.session.moteur_id),
        "added_at": naive(group.session.begun_at),
        "hails": [_session_hail(hail, viewer=viewer, names=names) for hail in group.hails],
    }


def _session_hail(hail: Hail, *, viewer: Account, names: Mapping[int, str]) -> dict[str, object]:
    real = knows_taxi(viewer, hail.operateur_id)
    return {
        "id": hail.hail_id,
        "status": hail.status.value,
        "added_at": naive(hail.created_at),
        "customer_lon": hail.customer_lon,
        "customer_lat": hail.customer_lat,
        "customer_address": hail.customer_address,
        "customer_phone_number": phone(hail.customer_phone_number, hail.status, viewer),
        "taxi_phone_number": phone(hail.taxi_phone_number, hail.status, viewer),
        "initial_taxi_lon": hail.initial_taxi_lon,
        "initial_taxi_lat": hail.initial_taxi_lat,
        "moteur": {
            "id": str(hail.moteur_id),
            "email": hail.moteur,
            "commercial_name": names.get(hail.moteur_id),
        },
        "operateur": {
            "id": str(hail.operateur_id),
            "email": hail.operateur if real else NEUTRAL_OPERATOR,
            "commercial_name": names.get(hail.operateur_id) if real else NEUTRAL_OPERATOR,
        },
        "taxi": {"id": hail.taxi_id if real else hail.shown_taxi_id},
    }


LOGGED = 4096  # characters of a payload or an answer that the request log keeps

_PHONE_IN_TEXT = re.compile(r'("[a-z_]*phone_number"\s*:\s*)"(?:[^"\\]|\\.)*"?')


def log_text(sent: object) -> str:
    """A payload or answer for the request log: phones masked, cut to `LOGGED` characters."""
    text = sent if isinstance(sent, str) else json.dumps(sent, sort_keys=True, default=str)
    return _PHONE_IN_TEXT.sub(rf'\1"{MASKED_PHONE}"', text)[:LOGGED]
