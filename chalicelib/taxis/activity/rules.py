"""Entries of the activity log [contract: Journal of activities]: pure."""

from msgspec import Struct

from chalicelib.taxis.vocabulary import Activity


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
