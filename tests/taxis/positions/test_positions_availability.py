"""Changes of status and radius, in the cells."""

from datetime import datetime, timedelta

import pytest

from chalicelib.foundation.geo import LngLat
from chalicelib.taxis.positions import rules, service
from chalicelib.taxis.positions.rules import CellContended
from tests.taxis.positions import fleets
from tests.taxis.positions.fleets import (
    FREE,
    NEXT_CELL,
    NEXT_SQUARE,
    NOON,
    OCCUPIED,
    PARIS,
    Registry,
    a_report,
    at,
    found,
    stored,
    taxi_id,
)


@pytest.mark.usefixtures("split")
def test_the_next_search_sees_a_change() -> None:
    registry = Registry()
    stored([a_report((1, PARIS))], now=NOON)
    registry.change(1, OCCUPIED, changed_at=at(1))

    assert registry.show(1, now=at(1)) == 1

    assert found(now=at(1)) == []


@pytest.mark.usefixtures("split")
def test_a_change_outlives_the_reports_that_follow() -> None:
    registry = Registry()
    stored([a_report((1, PARIS))], now=NOON, registry=registry)
    registry.change(1, OCCUPIED, changed_at=at(1))
    registry.show(1, now=at(1))

    stored([a_report((1, NEXT_CELL), seen_at=at(5))], now=at(5), registry=registry)

    assert found(NEXT_CELL, now=at(5)) == []


@pytest.mark.usefixtures("split")
def test_an_older_change_does_not_undo_a_newer_one() -> None:
    registry = Registry()
    stored([a_report((1, PARIS))], now=NOON)
    registry.change(1, OCCUPIED, changed_at=at(2))
    registry.show(1, now=at(2))
    registry.change(1, FREE, changed_at=at(1))

    registry.show(1, now=at(3))

    assert found(now=at(3)) == []


@pytest.mark.usefixtures("split")
def test_a_change_that_is_there_already_writes_nothing() -> None:
    registry = Registry()
    stored([a_report((1, PARIS))], now=NOON)
    registry.change(1, OCCUPIED, changed_at=at(2))
    registry.show(1, now=at(2))

    with fleets.counted() as calls:
        assert registry.show(1, now=at(3)) == 1

    assert calls == ["BatchGetItem", "BatchGetItem"]


@pytest.mark.parametrize("name", [taxi_id(9), "nobody"])
@pytest.mark.usefixtures("split")
def test_a_taxi_that_is_nowhere_has_nothing_to_show(name: str) -> None:
    change = rules.Availability(OCCUPIED, None, NOON)

    assert service.show_availability({name: change}, now=NOON) == 0


@pytest.mark.parametrize("target", [NEXT_CELL, NEXT_SQUARE])
@pytest.mark.parametrize("others", [0, 2])
@pytest.mark.usefixtures("split")
def test_a_change_in_the_middle_of_a_move_is_not_lost(target: LngLat, others: int) -> None:
    """Before every call of the move in turn; `others` swap cells with the taxi, or nobody does."""
    registry = Registry()
    gave_up: list[int] = []
    interrupted = True
    call = 0
    while interrupted:
        taxi, start = 10 * call + 1, at(200 * call)
        rest = [taxi + 1 + other for other in range(others)]
        stored(
            [a_report((taxi, PARIS), *((one, target) for one in rest), seen_at=start)],
            now=start,
            registry=registry,
        )
        now = start + timedelta(seconds=5)
        interrupted = False

        def change(taxi: int = taxi, now: datetime = now) -> None:
            nonlocal interrupted
            interrupted = True
            registry.change(taxi, OCCUPIED, changed_at=now)
            try:
                registry.show(taxi, now=now)
            except CellContended:  # it waited for the very call that it interrupts
                gave_up.append(taxi)

        with fleets.hooked("before-call", fleets.interrupted(call, change)):
            stored(
                [a_report((taxi, target), *((one, PARIS) for one in rest), seen_at=now)],
                now=now,
                registry=registry,
            )

        if taxi in gave_up:  # as the stream of descriptions does
            registry.show(taxi, now=now)
        assert (taxi_id(taxi) in found(target, now=now)) != interrupted, call
        if interrupted:
            assert taxi_id(taxi) not in found(now=now), call
        call += 1
    assert call > 3


@pytest.mark.parametrize("target", [NEXT_CELL, NEXT_SQUARE])
@pytest.mark.usefixtures("split")
def test_a_move_in_the_middle_of_a_change_does_not_hide_it(target: LngLat) -> None:
    registry = Registry()
    interrupted = True
    call = 0
    while interrupted:
        taxi, start = 10 * call + 1, at(200 * call)
        now = start + timedelta(seconds=5)
        stored([a_report((taxi, PARIS), seen_at=start)], now=start, registry=registry)
        registry.change(taxi, OCCUPIED, changed_at=now)
        interrupted = False

        def move(taxi: int = taxi, now: datetime = now) -> None:
            nonlocal interrupted
            interrupted = True
            stored([a_report((taxi, target), seen_at=now)], now=now, registry=Registry())

        with fleets.hooked("before-call", fleets.interrupted(call, move)):
            assert registry.show(taxi, now=now) == 1

        if not interrupted:
            move()
        assert found(target, now=now) == []
        interrupted = call < 4 and interrupted
        call += 1
    assert call > 3


@pytest.mark.usefixtures("split")
def test_a_change_that_met_no_entry_yet_is_confirmed_after_the_entry_is_there() -> None:
    """Before every call that brings a new taxi in."""
    interrupted = True
    call = 0
    while interrupted:
        registry = Registry()
        taxi = call + 1
        interrupted = False

        def change(taxi: int = taxi, registry: Registry = registry) -> None:
            nonlocal interrupted
            interrupted = True
            registry.change(taxi, OCCUPIED, changed_at=at(1))
            registry.show(taxi, now=at(1))

        with fleets.hooked("before-call", fleets.interrupted(call, change)):
            stored([a_report((taxi, PARIS))], now=NOON, registry=registry)

        assert (taxi_id(taxi) in found()) != interrupted, call
        call += 1
    assert call > 3
