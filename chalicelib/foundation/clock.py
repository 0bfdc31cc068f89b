"""The present time. Read once at the edge (a route, a handler) and passed in from there."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present time, aware, in UTC."""
    return datetime.now(UTC)
