"""Callers of scheduled functions: at a steady rate, or at times of the day."""

import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from ops.local.delivery import Handler
from ops.local.part import Part, context
from ops.local.place import REGION
from ops.local.streams import timestamp
from ops.local.times import Times


class Clockwork(Part):
    """Calls a function at a steady rate with EventBridge's scheduled event."""

    def __init__(
        self, function: str, handler: Handler, rate_s: float, stopping: threading.Event
    ) -> None:
        super().__init__(function, stopping)
        self._handler = handler
        self._rate_s = rate_s

    def _run(self) -> None:
        due_s = time.monotonic() + self._rate_s
        while not self._stopping.wait(max(0, due_s - time.monotonic())):
            # A run that takes longer than the rate delays the next one; none is made up for.
            due_s = max(due_s + self._rate_s, time.monotonic())
            self._handler(_scheduled(self._name), context(self._name))


class Alarm(Part):
    """Calls a function at times of the day with EventBridge's scheduled event.

    A time that passed while nobody looked (the machine slept, or the last run still went on) is not
    made up for.
    """

    LOOK_S = 20.0  # between two looks at the clock, which may have been set, or have slept
    LATE = timedelta(minutes=1)

    def __init__(
        self, function: str, handler: Handler, times: Times, stopping: threading.Event
    ) -> None:
        super().__init__(function, stopping)
        self._handler = handler
        self._times = times
        self._due: datetime | None = None

    def look(self, now: datetime) -> float:
        """Calls the function if its time has come; how long to wait until the next look."""
        due, self._due = self._due, self._times.next_after(now)
        if due is not None and due > now:
            self._due = due
        elif due is not None and now - due < self.LATE:
            self._handler(_scheduled(self._name), context(self._name))
        return max(0.0, min(self.LOOK_S, (self._due - now).total_seconds()))

    def _run(self) -> None:
        while not self._stopping.wait(self.look(datetime.now(UTC))):
            pass


def _scheduled(rule: str) -> dict[str, Any]:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": timestamp(datetime.now(UTC)).split(".", maxsplit=1)[0] + "Z",
        "region": REGION,
        "resources": [f"arn:aws:events:{REGION}:000000000000:rule/{rule}"],
        "detail": {},
    }
