"""What the journal of the admins holds (letaxi-api 20.3): pure."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field


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


class Entry(Struct, frozen=True):
    """An activity as it was kept; of two, the newer has the greater id."""

    id: str
    activity: Activity


class Asked(Struct, frozen=True):
    """Which entries are asked for; None asks for nothing in particular."""

    resource: str | None = None
    resource_id: str | None = None
    action: str | None = None

    def matches(self, activity: Activity) -> bool:
        """Whether an activity is one of them."""
        return (
            self.resource in (None, activity.resource)
            and self.resource_id in (None, activity.resource_id)
            and self.action in (None, activity.action)
        )
