"""Never more calls of one operator's server at once than it has slots."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.foundation.aws import clients
from chalicelib.taxis.hails import concurrency
from chalicelib.taxis.settings import settings

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("store")


def taken(operator_id: int, *, now: datetime = NOW) -> list[concurrency.Slot]:
    """As many slots as there are."""
    found = []
    while (slot := concurrency.acquire(operator_id, now=now)) is not None:
        found.append(slot)
    return found


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


@contextmanager
def overtaken(*, times: int) -> Iterator[list[str]]:
    """So many slots are taken by another process just before they are asked for; their names."""
    client = clients.dynamodb()
    names: list[str] = []
    writes_of_the_other: list[dict[str, Any]] = []

    def overtake(params: dict[str, Any], **_: object) -> None:
        if params in writes_of_the_other or len(names) == times:
            return
        names.append(params["ExpressionAttributeNames"]["#slot"])
        writes_of_the_other.append(params)
        client.update_item(**params)

    event = "before-parameter-build.dynamodb.UpdateItem"
    client.meta.events.register(event, overtake)
    try:
        yield names
    finally:
        client.meta.events.unregister(event, overtake)


def test_of_two_processes_that_want_one_slot_the_slower_gets_another() -> None:
    with overtaken(times=1) as names:
        slot = concurrency.acquire(1, now=NOW)

    assert slot is not None
    assert slot.name not in names
    assert {other.name for other in taken(1)}.isdisjoint({slot.name, *names})


def test_whoever_is_overtaken_again_and_again_gets_none_and_takes_none_away() -> None:
    with overtaken(times=4) as names:
        assert concurrency.acquire(1, now=NOW) is None

    assert len(names) == len(set(names)) == 4
    assert len(taken(1)) == settings().hook_calls_at_once - 4
