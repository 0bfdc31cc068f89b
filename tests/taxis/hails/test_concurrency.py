"""Never more calls of one operator's server at once than it has slots."""

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.taxis.hails import concurrency
from chalicelib.taxis.settings import settings
from tests.taxis.registry import races

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("store")


def taken(operator_id: int, *, now: datetime = NOW) -> list[concurrency.Slot]:
    """As many slots as there are."""
    asked = range(settings().hook_calls_at_once + 1)
    found = [concurrency.acquire(operator_id, now=now) for _ in asked]
    assert found[-1] is None, "there is one more than there are"
    return [slot for slot in found if slot is not None]


def test_an_operator_has_so_many_slots_and_no_more() -> None:
    mine = taken(1)

    assert len({slot.name for slot in mine}) == len(mine) == settings().hook_calls_at_once


def test_another_operators_slots_are_its_own() -> None:
    taken(1)

    assert concurrency.acquire(2, now=NOW) is not None


def test_a_slot_that_is_released_is_acquired_again() -> None:
    mine = taken(1)

    concurrency.release(mine[3])

    assert [slot.name for slot in taken(1)] == [mine[3].name]


def test_a_slot_of_a_process_that_died_is_free_again_after_a_while() -> None:
    mine = taken(1)
    after = NOW + timedelta(seconds=settings().hook_within_s + 5)

    assert concurrency.acquire(1, now=after - timedelta(seconds=1)) is None
    again = taken(1, now=after)

    assert len(again) == len(mine)


def test_whoever_was_too_slow_frees_nobody_elses_slot() -> None:
    mine = taken(1)
    again = taken(1, now=NOW + timedelta(minutes=1))

    for slot in mine:
        concurrency.release(slot)

    assert concurrency.acquire(1, now=NOW + timedelta(minutes=1)) is None
    concurrency.release(again[0])
    assert concurrency.acquire(1, now=NOW + timedelta(minutes=1)) is not None


def test_a_slot_that_another_process_takes_meanwhile_is_not_lent_twice() -> None:
    """Each call is overtaken by another one, just before it asks DynamoDB for the slot it has chosen."""
    found: list[concurrency.Slot | None] = []

    def acquire() -> None:
        found.append(concurrency.acquire(1, now=NOW))

    for _ in range(settings().hook_calls_at_once):
        with races.just_before(races.plain(), "UpdateItem", acquire):
            acquire()

    names = [slot.name for slot in found if slot is not None]
    assert len(names) == len(set(names)) == settings().hook_calls_at_once
