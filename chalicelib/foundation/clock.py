"""The clock. Read once at the entry point (a request, a handler) and passed in from there."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present time, aware, in UTC."""
    return datetime.now(UTC)
