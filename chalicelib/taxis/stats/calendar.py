"""Milestones of statistics: the dates that figures are compared at [contract: Figures of the statistics]: pure."""

import calendar
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import astuple

# Decree 2021-1688: from then on every taxi must be connected. What is counted "since the threshold"
# is counted from here.
THRESHOLD = datetime(2022, 1, 1, tzinfo=UTC)


def months_before(at: datetime, months: int) -> datetime:
    """The same day and time some months earlier; the month's last day where it has no such day."""
    year, month = divmod(at.year * 12 + at.month - 1 - months, 12)
    day = min(at.day, calendar.monthrange(year, month + 1)[1])
    return at.replace(year=year, month=month + 1, day=day)


class Milestones(Struct, frozen=True):
    """A number at each of the four milestones, in the contract's names."""

    today: int = 0
    three_months_ago: int = 0
    six_months_ago: int = 0
    twelve_months_ago: int = 0

    @classmethod
    def at(cls, now: datetime, measure: Callable[[datetime], int]) -> "Milestones":
        """The milestones of a measure: now, and three, six and twelve months before."""
        return cls(*(measure(months_before(now, months)) for months in (0, 3, 6, 12)))

    @classmethod
    def sum(cls, numbers: "Iterable[Milestones]") -> "Milestones":
        """The sums of the numbers at each milestone."""
        return cls(*map(sum, zip(*map(astuple, numbers), strict=True)))
