"""Milestones: the same day some months before."""

from datetime import UTC, datetime

import pytest

from chalicelib.taxis.stats.calendar import Milestones, months_before


def at(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 13, 37, 5, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "months", "then"),
    [
        (at(2026, 11, 27), 0, at(2026, 11, 27)),
        (at(2026, 11, 27), 3, at(2026, 8, 27)),
        (at(2026, 11, 27), 12, at(2025, 11, 27)),
        (at(2026, 2, 3), 3, at(2025, 11, 3)),
        (at(2026, 12, 31), 12, at(2025, 12, 31)),
        (at(2026, 1, 15), 12, at(2025, 1, 15)),
        (at(2026, 5, 31), 3, at(2026, 2, 28)),
        (at(2024, 5, 31), 3, at(2024, 2, 29)),
        (at(2024, 2, 29), 12, at(2023, 2, 28)),
    ],
)
def test_months_are_counted_on_the_calendar(now: datetime, months: int, then: datetime) -> None:
    assert months_before(now, months) == then


def test_milestones_are_now_and_three_six_and_twelve_months_before() -> None:
    days: list[datetime] = []

    def measure(moment: datetime) -> int:
        days.append(moment)
        return len(days)

    found = Milestones.at(at(2026, 11, 27), measure)

    assert found == Milestones(1, 2, 3, 4)
    assert days == [at(2026, 11, 27), at(2026, 8, 27), at(2026, 5, 27), at(2025, 11, 27)]


def test_milestones_are_added_one_by_one() -> None:
    assert Milestones.sum([Milestones(4, 3, 2, 1), Milestones(1, 1, 1, 0)]) == Milestones(
        5, 4, 3, 1
    )
    assert Milestones.sum([]) == Milestones(0, 0, 0, 0)
