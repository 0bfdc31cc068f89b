"""Times of the local system's schedules: when they are due."""

from datetime import UTC, datetime, timedelta

import pytest

from ops.local.times import NoTimes, Times, times

NIGHT = datetime(2026, 12, 31, 3, 58, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("cron(2 4 * * ? *)", datetime(2026, 12, 31, 4, 2, tzinfo=UTC)),
        ("cron(58 3 * * ? *)", datetime(2027, 1, 1, 3, 58, tzinfo=UTC)),
        ("cron(0 0 * * ? *)", datetime(2027, 1, 1, tzinfo=UTC)),
        ("cron(59 * * * ? *)", datetime(2026, 12, 31, 3, 59, tzinfo=UTC)),
        ("cron(5 * * * ? *)", datetime(2026, 12, 31, 4, 5, tzinfo=UTC)),
    ],
)
def test_the_next_time_is_the_first_one_later_than_now(expression: str, due: datetime) -> None:
    assert times(expression).next_after(NIGHT) == due


def test_the_time_itself_is_not_later_than_itself() -> None:
    at = datetime(2026, 3, 2, 4, 2, tzinfo=UTC)

    assert Times(2, 4).next_after(at) == at + timedelta(days=1)
    assert Times(2, None).next_after(at) == at + timedelta(hours=1)


@pytest.mark.parametrize(
    "expression",
    [
        *("cron(60 4 * * ? *)", "cron(2 24 * * ? *)", "cron(2 4 1 * ? *)", "cron(2 4 * * MON *)"),
        *("cron(*/5 * * * ? *)", "rate(1 day)", "cron(2 4 * * ? *) "),
    ],
)
def test_times_of_another_form_are_refused(expression: str) -> None:
    with pytest.raises(NoTimes, match="knows times of the form cron"):
        times(expression)
