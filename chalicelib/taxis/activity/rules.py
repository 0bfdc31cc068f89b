"""What the journal of the admins holds (letaxi-api 20.3): pure."""

from msgspec import Struct

from chalicelib.taxis.vocabulary import Activity


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
