"""Hails, the requests that make and change them, and their customers: pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypedDict

from msgspec import Struct

from chalicelib.foundation.errors import Forbidden, Malformed, Unavailable, Unknown
from chalicelib.foundation.values import replace
from chalicelib.taxis.hails.statuses import (
    LATE,
    STEPS,
    TAXI,
    TOWARDS_A_RIDE,
    Party,
    Status,
    Waits,
    deadline,
    taxi_after,
)
from chalicelib.taxis.vocabulary import Account, Role

__all__ = [
    "FIELDS",
    "FIRST_BAN",
    "INCIDENT_CUSTOMER_REASONS",
    "INCIDENT_TAXI_REASONS",
    "LATE",
    "LONGEST_BAN",
    "LONGEST_TEXT",
    "RATING_REASONS",
    "REPORTING_REASONS",
    "STEPS",
    "TAXI",
    "TOWARDS_A_RIDE",
    "Busy",
    "Customer",
    "FieldRefused",
    "Hail",
    "HailChange",
    "HailForbidden",
    "HailRequest",
    "HailUnknown",
    "Party",
    "Status",
    "StepRefused",
    "Transition",
    "Waits",
    "day_of",
    "deadline",
    "is_hail_id",
    "is_visible",
    "knows_taxi",
    "taxi_after",
]

INCIDENT_TAXI_REASONS = (
    *("no_show", "address", "traffic", "breakdown", "traffic_jam", "garbage_truck"),
)
INCIDENT_CUSTOMER_REASONS = ("", "mud_river", "parade", "earthquake", "no_show", "no_specs")
REPORTING_REASONS = (
    *("ko", "payment", "courtesy", "route", "cleanliness", "late", "aggressive", "no_show"),
)
RATING_REASONS = (
    *("ko", "payment", "courtesy", "route", "cleanliness", "late", "no_credit_card"),
    *("bad_itinerary", "dirty_taxi", "automatic_rating"),
)

LONGEST_TEXT = 255  # characters of a customer's id


class HailUnknown(Unknown):
    """There is no such hail, or it is too old for this account."""


class HailForbidden(Forbidden):
    """The account is no party of the hail."""


class Busy(Unavailable):
    """Concurrent changes; the request may be sent again."""


class StepRefused(Malformed):
    """The status cannot follow, or not by this account, or not without a phone number."""


class FieldRefused(Malformed):
    """The field is the other party's to change."""


class Transition(NamedTuple):
    """An entry of a hail's log. `user` is an account's id, None for the registry itself."""

    from_status: Status | None
    to_status: Status
    at: datetime
    user: int | None
    reason: str | None


class Hail(Struct, frozen=True):
    """A customer's call for one taxi.

    `taxi_id` is the taxi's own id, `shown_taxi_id` the one that the moteur knows it by. The moteur
    is the account that created the hail, the operateur the one that created the taxi; each has its
    e-mail beside its id. Vehicle and driver are as they were then. `deadline` is None once it is
    over; `version` rises with each write.
    """

    hail_id: str
    status: Status
    created_at: datetime
    last_status_change: datetime
    last_update_at: datetime
    deadline: datetime | None
    transitions: tuple[Transition, ...]
    session_id: str
    moteur_id: int
    moteur: str
    operateur_id: int
    operateur: str
    customer_id: str
    customer_lon: float
    customer_lat: float
    customer_address: str
    customer_phone_number: str
    taxi_id: str
    shown_taxi_id: str
    description_id: str
    initial_taxi_lon: float
    initial_taxi_lat: float
    licence_plate: str
    color: str
    nb_seats: int | None
    characteristics: tuple[str, ...]
    first_name: str
    last_name: str
    taxi_phone_number: str = ""
    incident_taxi_reason: str | None = None
    incident_customer_reason: str | None = None
    reporting_customer: bool | None = None
    reporting_customer_reason: str | None = None
    rating_ride: int | None = None
    rating_ride_reason: str | None = None
    blurred: bool = False
    version: int = 1

    def is_late(self, now: datetime) -> bool:
        """Whether its deadline has passed and nobody has applied it."""
        return self.deadline is not None and self.deadline <= now

    def concerns(self, account: Account) -> bool:
        """Whether the account is the hail's moteur or its operateur."""
        return account.id in (self.moteur_id, self.operateur_id)


class HailRequest(Struct, frozen=True):
    """The body of POST /hails; `taxi_id` may be temporary."""

    customer_id: str
    customer_lon: float
    customer_lat: float
    customer_address: str
    customer_phone_number: str
    taxi_id: str
    session_id: str | None = None


class HailChange(TypedDict, total=False):
    """The body of PUT /hails: a key that is absent changes nothing."""

    status: Status
    taxi_phone_number: str
    incident_taxi_reason: str | None
    reporting_customer: bool | None
    reporting_customer_reason: str | None
    customer_lon: float
    customer_lat: float
    customer_address: str
    customer_phone_number: str  # taken, and ignored [contract: The hail object]
    incident_customer_reason: str | None
    rating_ride: int | None
    rating_ride_reason: str | None


FIELDS: Mapping[str, Party] = {
    **dict.fromkeys(
        ("incident_taxi_reason", "reporting_customer", "reporting_customer_reason"), Party.OPERATEUR
    ),
    **dict.fromkeys(("customer_lon", "customer_lat", "customer_address"), Party.MOTEUR),
    **dict.fromkeys(
        ("incident_customer_reason", "rating_ride", "rating_ride_reason"), Party.MOTEUR
    ),
}


_HAIL_ID = re.compile(r"[0-9a-f]{7}")


def is_hail_id(text: str) -> bool:
    """Whether a hail could have this id."""
    return _HAIL_ID.fullmatch(text) is not None


def is_visible(created_at: datetime, viewer: Account, *, now: datetime, kept: timedelta) -> bool:
    """Whether the hail's age lets the account see it: only admins see those older than `kept`."""
    return viewer.has(Role.ADMIN) or created_at > now - kept


def knows_taxi(viewer: Account | None, operateur_id: int) -> bool:
    """Whether the viewer is shown the taxi's own id and its operator.

    A viewer of None is the operator's server, which is sent the hail by the registry.
    """
    return viewer is None or viewer.has(Role.ADMIN) or viewer.id == operateur_id


def day_of(at: datetime) -> str:
    """The day in UTC, as `YYYY-MM-DD`."""
    return at.astimezone(UTC).date().isoformat()


# --- customers -----------------------------------------------------------------------------------

FIRST_BAN = timedelta(hours=24)
LONGEST_BAN = timedelta(days=3650)  # where doubling ends


class Customer(Struct, frozen=True):
    """A customer of one moteur. `changes` counts what was written of the bans.

    `session_id` is the session whose hail moved last, at `session_moved_at`.
    """

    moteur_id: int
    customer_id: str
    ban_begin: datetime | None = None
    ban_end: datetime | None = None
    reprieve_begin: datetime | None = None
    reprieve_end: datetime | None = None
    session_id: str | None = None
    session_moved_at: datetime | None = None
    changes: int = 0

    def is_banned(self, now: datetime) -> bool:
        """Whether a ban has begun and not ended."""
        begun = self.ban_begin is None or self.ban_begin <= now
        return self.ban_end is not None and begun and self.ban_end >= now

    def reported(self, *, now: datetime) -> "Customer":
        """The customer after another report: banned for a day, or for twice as long as before."""
        if self.ban_end is None or not self.is_banned(now):
            return replace(self, ban_begin=now, ban_end=now + FIRST_BAN)
        begin = self.ban_begin or now
        length = min(2 * (self.ban_end - begin), LONGEST_BAN)
        return replace(self, ban_begin=begin, ban_end=max(self.ban_end, begin + length))

    def cleared(self) -> "Customer":
        """The customer without a ban."""
        return replace(self, ban_begin=None, ban_end=None)

    def session(self, *, now: datetime, good_for: timedelta) -> str | None:
        """The session that a new hail continues; None where a new one begins [contract: Sessions]."""
        if self.session_moved_at is None or now - self.session_moved_at >= good_for:
            return None
        return self.session_id
