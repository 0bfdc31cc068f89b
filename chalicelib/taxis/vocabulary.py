"""Words of the public contract that several domains use: accounts and roles, taxis, activities: pure."""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field


class Role(StrEnum):
    """What an account may do (letaxi-api 3). `groupement` and `editeur` are labels for statistics."""

    ADMIN = "admin"
    OPERATEUR = "operateur"
    MOTEUR = "moteur"
    GROUPEMENT = "groupement"
    EDITEUR = "editeur"


class Account(Struct, frozen=True):
    """Whoever a request is made as. `email` is its login and its name as an operator; it need not be an address."""

    id: int
    email: str
    roles: frozenset[Role]
    manager_id: int | None = None
    active: bool = True

    def has(self, *roles: str) -> bool:
        """Whether it has at least one of the roles."""
        return not self.roles.isdisjoint(roles)

    @property
    def owner(self) -> str:
        """The account as the owner of records: the first part of their keys."""
        return str(self.id)


class TaxiStatus(StrEnum):
    """What a vehicle description is doing (positions 5); only `free` is found and can be hailed."""

    FREE = "free"
    OCCUPIED = "occupied"
    OFF = "off"
    ANSWERING = "answering"
    ONCOMING = "oncoming"


# In the contract's order (letaxi-api 12.1).
CHARACTERISTICS = (
    "pet_accepted",
    "bike_accepted",
    "baby_seat",
    "wifi",
    "vasp_handicap",
    "amex_accepted",
    "bank_check_accepted",
)


# 57 characters that nobody takes for one another (shortuuid's).
TAXI_ID_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
TAXI_ID_LENGTH = 7
_TAXI_ID = re.compile(f"[{TAXI_ID_ALPHABET}]{{{TAXI_ID_LENGTH}}}")


def is_taxi_id(text: str) -> bool:
    """Whether a taxi could have this id."""
    return _TAXI_ID.fullmatch(text) is not None


class Resource(StrEnum):
    """What an action was done to."""

    USER = "user"
    TAXI = "taxi"
    CUSTOMER = "customer"


class Action(StrEnum):
    """What was done."""

    LOGIN_PASSWORD = "login_password"  # noqa: S105  # an action's name
    LOGIN_APIKEY = "login_apikey"
    AUTH_APIKEY = "auth_apikey"
    AUTH_LOGAS = "auth_logas"
    TAXI_STATUS = "taxi_status"
    CUSTOMER_HAIL = "customer_hail"


class Activity(Struct, frozen=True):
    """One entry. `extra` is JSON."""

    at: datetime
    resource: Resource
    resource_id: str
    action: Action
    extra: Mapping[str, object] = field(default_factory=dict)


class Pending(Struct):
    """An activity that goes with a transaction of its request, `kept` then, or else by itself after it."""

    activity: Activity
    kept: bool = False
