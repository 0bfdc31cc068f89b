"""Rate limit of an account, and when a process reports its count: pure.

Every process counts for itself, and adds to a sum that all share when it has `Limit.report` requests
to tell of; what it has not told yet when a window ends it tells in the next. So whatever an account's
requests are spread over, a window lets in `Limit.a_window` of them and at most `Limit.report` more for
each process that serves it.
"""

from datetime import datetime

from msgspec import Struct

from chalicelib.foundation.values import replace

WINDOW_S = 10
REPORTS_A_SECOND = 20  # of an account that asks as often as it may


class Limit(Struct, frozen=True):
    """The limit of one account."""

    requests_a_second: int

    @property
    def a_window(self) -> int:
        """Requests in a window, in whichever part of it they come."""
        return self.requests_a_second * WINDOW_S

    @property
    def report(self) -> int:
        """The number of requests after which a process reports them."""
        return max(1, self.requests_a_second // REPORTS_A_SECOND)


class Count(Struct, frozen=True):
    """A process's count of one account's requests in a window.

    `reported` is how many all processes together had reported of the window when this one last reported;
    `waiting` are those that it has seen since, of this window or the one before.
    """

    window: int
    reported: int = 0
    waiting: int = 0

    def at(self, window: int) -> "Count":
        """The count in a window: of a new one nothing is reported yet."""
        return self if window == self.window else Count(window, waiting=self.waiting)

    def is_over(self, limit: Limit) -> bool:
        """Whether the account has used up its limit in this window."""
        return self.reported > limit.a_window

    def with_one_more(self, limit: Limit) -> tuple["Count", int]:
        """The count after another request, and how many are to be reported now: mostly none."""
        waiting = self.waiting + 1
        if waiting < limit.report:
            return replace(self, waiting=waiting), 0
        return replace(self, waiting=0), waiting


def window_of(now: datetime) -> int:
    """The window that a moment is in. Windows are aligned to the clock, the same for all processes."""
    return int(now.timestamp()) // WINDOW_S


def ends_at(window: int) -> int:
    """The end of a window, in Unix seconds."""
    return (window + 1) * WINDOW_S
