"""Never more calls of one operator's server at once than it has lanes."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.foundation.settings import settings
from chalicelib.taxis.hails import concurrency

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("store")


def taken(operator_id: int, *, now: datetime = NOW) -> list[concurrency.Lane]:
    """As many lanes as there are."""
    found = []
    while (lane := concurrency.take(operator_id, now=now)) is not None:
        found.append(lane)
    return found


def test_an_operator_has_so_many_lanes_and_no_more() -> None:
    mine = taken(1)

    assert len({lane.name for lane in mine}) == len(mine) == settings().hook_calls_at_once


def test_another_operators_lanes_are_its_own() -> None:
    taken(1)

    assert concurrency.take(2, now=NOW) is not None


def test_a_lane_that_is_given_back_is_lent_again() -> None:
    mine = taken(1)

    concurrency.give_back(mine[3])

    assert [lane.name for lane in taken(1)] == [mine[3].name]


def test_a_lane_of_a_process_that_died_is_lent_again_after_a_while() -> None:
    mine = taken(1)
    after = NOW + timedelta(seconds=settings().hook_within_s + 5)

    assert concurrency.take(1, now=after - timedelta(seconds=1)) is None
    again = taken(1, now=after)

    assert len(again) == len(mine)


def test_whoever_was_too_slow_frees_nobody_elses_lane() -> None:
    mine = taken(1)
    again = taken(1, now=NOW + timedelta(minutes=1))

    for lane in mine:
        concurrency.give_back(lane)

    assert concurrency.take(1, now=NOW + timedelta(minutes=1)) is None
    concurrency.give_back(again[0])
    assert concurrency.take(1, now=NOW + timedelta(minutes=1)) is not None


def test_processes_side_by_side_never_get_the_same_lane() -> None:
    found: list[concurrency.Lane | None] = []
    threads = [
        threading.Thread(target=lambda: found.append(concurrency.take(1, now=NOW)))
        for _ in range(30)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    names = [lane.name for lane in found if lane is not None]
    assert len(names) == len(set(names)) <= settings().hook_calls_at_once
    assert names
