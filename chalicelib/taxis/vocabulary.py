"""Words of the public contract that several domains use: accounts and roles, taxis, activities: pure."""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field


class Role(StrEnum):
    """Roles of accounts [contract: Roles]. `groupement` and `editeur` are labels for statistics."""

    ADMIN = "admin"
    OPERATEUR = "operateur"
    MOTEUR = "moteur"
    GROUPEMENT = "groupement"
    EDITEUR = "editeur"


class Account(Struct, frozen=True):
    """An account, as which requests are made. `email` is its login and its name as an operator; it need not be an address."""

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
        """The account's id as text, which is the owner in keys of items."""
        return str(self.id)


class TaxiStatus(StrEnum):
    """Status of a taxi [contract: Status of a taxi]; only `free` ones are found and can be hailed."""

    FREE = "free"
    OCCUPIED = "occupied"
    OFF = "off"
    ANSWERING = "answering"
    ONCOMING = "oncoming"


# In the contract's order [contract: The taxi object].
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
    """The kind of thing that an action was done to."""

    USER = "user"
    TAXI = "taxi"
    CUSTOMER = "customer"
    HAIL = "hail"
    REGISTRY = "registry"  # its id is the stage


class Action(StrEnum):
    """The actions that are logged."""

    LOGIN_PASSWORD = "login_password"  # noqa: S105  # an action's name
    LOGIN_APIKEY = "login_apikey"
    AUTH_APIKEY = "auth_apikey"
    AUTH_LOGAS = "auth_logas"
    TAXI_STATUS = "taxi_status"
    CUSTOMER_HAIL = "customer_hail"
    # By the command `maraude`, on an account, on a hail, on all else; `extra` says by whom.
    COMMAND_USER = "command_user"
    COMMAND_HAIL = "command_hail"
    COMMAND = "command"


class Activity(Struct, frozen=True):
    """One activity of an account. `extra` is JSON."""

    at: datetime
    resource: Resource
    resource_id: str
    action: Action
    extra: Mapping[str, object] = field(default_factory=dict)


class Pending(Struct):
    """An activity that is written by its request's own transaction (`kept`), or else after the request.

    `also` are others that are written after the request, with it.
    """

    activity: Activity
    kept: bool = False
    also: list[Activity] = field(default_factory=list)

    def left(self) -> list[Activity]:
        """Those that are to be written after the request."""
        return self.also if self.kept else [self.activity, *self.also]
