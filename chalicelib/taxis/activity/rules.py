"""Entries of the activity log [contract: Journal of activities]: pure."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field


class Resource(StrEnum):
    """The kind of thing that an action was done to."""

    USER = "user"
    TAXI = "taxi"
    CUSTOMER = "customer"


class Action(StrEnum):
    """The actions that are logged."""

    LOGIN_PASSWORD = "login_password"  # noqa: S105  # an action's name
    LOGIN_APIKEY = "login_apikey"
    AUTH_APIKEY = "auth_apikey"
    AUTH_LOGAS = "auth_logas"
    TAXI_STATUS = "taxi_status"
    CUSTOMER_HAIL = "customer_hail"


class Activity(Struct, frozen=True):
    """One activity of an account. `extra` is JSON."""

    at: datetime
    resource: Resource
    resource_id: str
    action: Action
    extra: Mapping[str, object] = field(default_factory=dict)


class Pending(Struct):
    """An activity that is written by its request's own transaction (`kept`), or else after the request."""

    activity: Activity
    kept: bool = False


class Entry(Struct, frozen=True):
    """A stored activity; of two, the newer has the greater id."""

    id: str
    activity: Activity


class ActivityFilter(Struct, frozen=True):
    """The filter of a list of entries; None filters nothing."""

    resource: str | None = None
    resource_id: str | None = None
    action: str | None = None

    def matches(self, activity: Activity) -> bool:
        """Whether an activity matches the filter."""
        return (
            self.resource in (None, activity.resource)
            and self.resource_id in (None, activity.resource_id)
            and self.action in (None, activity.action)
        )
