"""Scheduled functions at a desk: called when their time has come, and what happens when nobody looks."""

from datetime import UTC, datetime
from threading import Event
from typing import Any

import pytest

from ops.local.runner import Runner
from ops.local.schedules import Alarm
from ops.local.times import Times
from tests.eventually import eventually

from .conftest import MiniStack

SOON_S = 30.0


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


@pytest.mark.local_stack
def test_a_schedule_goes_on_after_a_run_that_failed(services: MiniStack) -> None:
    events: list[dict[str, Any]] = []

    def fail(event: dict[str, Any], _: object) -> None:
        events.append(event)
        raise ValueError

    runner = Runner(services.clients)
    runner.feed_schedule("each-minute", fail, rate_s=0.05)

    runner.start()
    eventually(lambda: len(events) >= 3)
    assert runner.stop(timeout_s=SOON_S)

    assert (events[0]["source"], events[0]["detail-type"]) == ("aws.events", "Scheduled Event")
    assert len({event["id"] for event in events}) == len(events)
