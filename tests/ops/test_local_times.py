"""Schedules of the small hours at a desk: when they are due, and what happens when nobody looks."""

from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest

from ops.local.runner import Alarm
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


class Rung:
    """An alarm of two past four, and the events that it has sent."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.alarm = Alarm("blur_hails", self._ring, Times(2, 4), Event())

    def _ring(self, event: Any, _: object) -> None:
        self.events.append(event)

    def at(self, *times: tuple[int, int, int]) -> list[int]:
        """How often it has rung after each look, at these times of one day."""
        counts = []
        for hour, minute, second in times:
            self.alarm.look(datetime(2026, 3, 2, hour, minute, second, tzinfo=UTC))
            counts.append(len(self.events))
        return counts


def test_it_rings_once_when_its_time_has_come() -> None:
    rung = Rung()

    assert rung.at((4, 1, 40), (4, 2, 0), (4, 2, 1), (4, 2, 20)) == [0, 1, 1, 1]
    assert (rung.events[0]["source"], rung.events[0]["detail-type"]) == (
        *("aws.events", "Scheduled Event"),
    )


def test_it_rings_again_the_next_day() -> None:
    rung = Rung()
    rung.at((4, 1, 40), (4, 2, 0))

    for hour, minute in ((3, 0), (4, 2)):
        rung.alarm.look(datetime(2026, 3, 3, hour, minute, tzinfo=UTC))

    assert len(rung.events) == 2


def test_a_time_that_passed_before_it_was_started_is_not_made_up_for() -> None:
    assert Rung().at((4, 2, 1), (4, 2, 20), (9, 0, 0)) == [0, 0, 0]


def test_a_time_that_passed_while_the_machine_slept_is_not_made_up_for() -> None:
    assert Rung().at((4, 1, 40), (9, 0, 0), (9, 0, 20)) == [0, 0, 0]


def test_it_looks_again_when_it_is_time_and_every_while_before() -> None:
    rung = Rung()

    assert rung.alarm.look(datetime(2026, 3, 2, 3, 0, tzinfo=UTC)) == 20
    assert rung.alarm.look(datetime(2026, 3, 2, 4, 1, 55, tzinfo=UTC)) == 5


def test_a_run_that_failed_is_not_run_again_the_same_night() -> None:
    looked: list[Any] = []

    def fail(event: Any, _: object) -> None:
        looked.append(event)
        raise ValueError

    alarm = Alarm("blur_hails", fail, Times(2, 4), Event())
    alarm.look(datetime(2026, 3, 2, 4, 1, tzinfo=UTC))
    with pytest.raises(ValueError):  # noqa: PT011  # the function's own
        alarm.look(datetime(2026, 3, 2, 4, 2, tzinfo=UTC))

    alarm.look(datetime(2026, 3, 2, 4, 2, 20, tzinfo=UTC))

    assert len(looked) == 1
