"""Times of EventBridge's `cron(...)`, in the forms that the registry uses."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from ops.errors import CannotGoOn


class NoTimes(CannotGoOn):
    """A cron expression of another form."""


@dataclass(frozen=True, slots=True)
class Times:
    """A minute of one hour of every day, or of every hour where `hour` is None; in UTC."""

    minute: int
    hour: int | None

    def next_after(self, now: datetime) -> datetime:
        """The first of these times that is later than `now`."""
        at = now.replace(minute=self.minute, second=0, microsecond=0)
        if self.hour is not None:
            at = at.replace(hour=self.hour)
        if at > now:
            return at
        return at + (timedelta(hours=1) if self.hour is None else timedelta(days=1))


def times(expression: str) -> Times:
    """The times of `cron(2 4 * * ? *)` or `cron(2 * * * ? *)`. Raises NoTimes."""
    found = re.fullmatch(r"cron\((\d{1,2}) (\d{1,2}|\*) \* \* \? \*\)", expression)
    if found is not None:
        minute, hour = int(found[1]), None if found[2] == "*" else int(found[2])
        if minute < 60 and (hour is None or hour < 24):
            return Times(minute, hour)
    raise NoTimes(
        "The local runner knows times of the form cron(MINUTE HOUR * * ? *), with * for every hour, "
        f"not {expression}."
    )
