"""Lengths of time on the command line."""

import re
from datetime import timedelta

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def duration(text: str) -> timedelta:
    """A time as it is typed: `30m`, `24h`, `7d`. Raises ValueError."""
    found = re.fullmatch("([0-9]{1,5})([mhd])", text)
    if found is None:
        raise ValueError(text)
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
