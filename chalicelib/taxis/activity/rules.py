"""Entries of the activity log [contract: Journal of activities]: pure."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from chalicelib.taxis.vocabulary import Action, Activity, Resource, TaxiStatus

# What each action is done to
RESOURCES: Mapping[Action, Resource] = {
    Action.LOGIN_PASSWORD: Resource.USER,
    Action.LOGIN_APIKEY: Resource.USER,
    Action.AUTH_APIKEY: Resource.USER,
    Action.AUTH_LOGAS: Resource.USER,
    Action.TAXI_STATUS: Resource.TAXI,
    Action.CUSTOMER_HAIL: Resource.CUSTOMER,
    Action.COMMAND_USER: Resource.USER,
    Action.COMMAND_HAIL: Resource.HAIL,
    Action.COMMAND: Resource.REGISTRY,
}

LONGEST_ID = 255  # of a resource; nothing has a longer one, and a key of DynamoDB has an end, too


class Entry(Struct, frozen=True):
    """A stored activity; of two, the newer has the greater id."""

    id: str
    activity: Activity


class ActivityFilter(Struct, frozen=True):
    """The filter of a list of entries; None filters nothing."""

    resource: str | None = None
    resource_id: str | None = None
    action: str | None = None

    def series(self) -> list[str]:
        """The series that have the entries that match, each of them in one series only."""
        if self.resource_id is not None and len(self.resource_id) > LONGEST_ID:
            return []
        return [
            series(action, self.resource_id)
            for action, resource in RESOURCES.items()
            if self.action in (None, action) and self.resource in (None, resource)
        ]


def series(action: Action, resource_id: str | None = None) -> str:
    """The series of an action's entries, or of those on one resource."""
    return action.value if resource_id is None else f"{action.value}#{resource_id}"


def taxi_status(
    at: datetime, taxi_id: str, *, old: TaxiStatus, new: TaxiStatus, **cause: str
) -> Activity:
    """A change of a taxi's status; `cause` is the hail or the task, where it is no operator's own."""
    extra = {"old_status": old.value, "new_status": new.value, **cause}
    return Activity(at, Resource.TAXI, taxi_id, Action.TAXI_STATUS, extra)
