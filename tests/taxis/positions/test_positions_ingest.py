"""Windows of reports on an in-process DynamoDB."""

from datetime import datetime, timedelta

import pytest

from chalicelib.foundation.aws import clients
from chalicelib.foundation.geo import Circle, LngLat
from chalicelib.taxis.positions import codec, leaf_map, pointers, rules, service
from chalicelib.taxis.positions import store as positions_store
from chalicelib.taxis.positions.rules import LastPosition
from tests.taxis.positions import fleets
from tests.taxis.positions.fleets import (
    FREE,
    NEXT_CELL,
    NEXT_SQUARE,
    NOON,
    OCCUPIED,
    PARIS,
    Crash,
    Registry,
    a_report,
    at,
    e7,
    found,
    searched,
    stored,
    taxi_id,
)


@pytest.mark.usefixtures("split")
def test_a_stored_taxi_is_found() -> None:
    report = stored([a_report((1, PARIS))], now=NOON)

    assert found() == [taxi_id(1)]
    assert (report.positions, report.newest, report.cells_written) == (1, 1, 1)
    assert report.largest_cell == 24


@pytest.mark.usefixtures("split")
def test_a_warm_search_is_one_strong_read() -> None:
    """[positions-index: T4]"""
    stored([a_report((1, PARIS), (2, NEXT_CELL))], now=NOON)
    found()

    with fleets.counted() as calls:
        found()

    assert calls == ["BatchGetItem"]
    assert service.near(Circle(PARIS, 500), now=NOON).consistent


@pytest.mark.usefixtures("split")
def test_a_window_writes_each_cell_once() -> None:
    """[positions-index: T1]"""
    stored([a_report(*((taxi, PARIS) for taxi in range(100)))], now=NOON)

    with fleets.counted() as calls:
        reports = [
            a_report(*((taxi, PARIS) for taxi in range(50)), seen_at=at(5)),
            a_report(*((taxi, PARIS) for taxi in range(50, 100)), seen_at=at(6)),
        ]
        stored(reports, now=at(6))

    assert calls == ["BatchGetItem", "PutItem"]


@pytest.mark.usefixtures("split")
def test_a_moved_taxi_is_found_where_it_is_now_only() -> None:
    """[positions-index: I2]"""
    stored([a_report((1, PARIS))], now=NOON)

    stored([a_report((1, NEXT_CELL), seen_at=at(5))], now=at(5))

    assert found(NEXT_CELL, now=at(5)) == [taxi_id(1)]
    assert found(now=at(5)) == []
    assert len(fleets.entries()[1]) == 1


@pytest.mark.usefixtures("split")
def test_a_cell_that_takes_in_and_loses_keeps_what_it_loses_until_the_next_window() -> None:
    """[positions-index: I7]"""
    stored([a_report((1, PARIS), (2, NEXT_CELL))], now=NOON)

    swap = a_report((1, NEXT_CELL), (2, PARIS), seen_at=at(5))
    assert stored([swap], now=at(5)).cells_written == 2
    assert {taxi: len(copies) for taxi, copies in fleets.entries().items()} == {1: 2, 2: 2}

    stored([a_report((1, NEXT_CELL), (2, PARIS), seen_at=at(10))], now=at(10))
    assert {taxi: len(copies) for taxi, copies in fleets.entries().items()} == {1: 1, 2: 1}


@pytest.mark.parametrize("target", [NEXT_CELL, NEXT_SQUARE])
@pytest.mark.parametrize("others", [[], [2, 3]])
@pytest.mark.usefixtures("split")
def test_a_taxi_that_moves_is_in_some_cell_at_every_moment(
    target: LngLat, others: list[int]
) -> None:
    """After each write, alone and while others move the other way."""
    stored([a_report((1, PARIS), *((one, target) for one in others))], now=NOON)
    held: list[set[int]] = []

    def look(name: str) -> None:
        if name == "PutItem":
            held.append(set(fleets.entries()))

    with fleets.hooked("after-call", look):
        move = a_report((1, target), *((one, PARIS) for one in others), seen_at=at(5))
        stored([move], now=at(5))

    assert len(held) == 2
    assert held[0] == held[1] == {1, *others}


@pytest.mark.usefixtures("split")
def test_a_taxi_stays_in_its_old_cell_while_its_new_one_cannot_be_written() -> None:
    stored([a_report((1, PARIS))], now=NOON)

    with pytest.raises(Crash), fleets.hooked("before-call", fleets.crashing(0, kinds={"PutItem"})):
        stored([a_report((1, NEXT_CELL), seen_at=at(5))], now=at(5))

    assert found(now=at(5)) == [taxi_id(1)]


@pytest.mark.usefixtures("split")
def test_the_same_window_again_changes_nothing() -> None:
    """[positions-index: I3]"""
    reports = [a_report((1, PARIS), (2, NEXT_CELL)), a_report((1, NEXT_CELL), seen_at=at(1))]
    stored(reports, now=at(1))
    before = fleets.entries()

    again = stored(reports, now=at(2))

    assert fleets.entries() == before
    assert (again.superseded, again.cells_written) == (2, 0)


@pytest.mark.usefixtures("split")
def test_an_older_report_never_wins() -> None:
    """[positions-index: I3]"""
    stored([a_report((1, PARIS), seen_at=at(5))], now=at(5))

    stored([a_report((1, NEXT_CELL), seen_at=at(1))], now=at(6))

    assert found(now=at(6)) == [taxi_id(1)]
    assert found(NEXT_CELL, now=at(6)) == []


@pytest.mark.usefixtures("split")
def test_a_taxi_that_the_registry_does_not_have_is_counted_and_dropped() -> None:
    report = stored([a_report((1, PARIS), (2000, PARIS))], now=NOON, registry=Registry(taxis=10))

    assert report.unknown == 1
    assert found() == [taxi_id(1)]


@pytest.mark.usefixtures("split")
def test_a_new_taxi_takes_its_status_and_radius_from_the_registry() -> None:
    registry = Registry()
    registry.change(1, OCCUPIED, changed_at=at(-10))
    registry.said[taxi_id(2)] = rules.Availability(FREE, 200, at(-10))

    stored([a_report((1, PARIS), (2, PARIS))], now=NOON, registry=registry)

    assert [(one.taxi_id, one.reach_m) for one in searched(PARIS, now=NOON)] == [(taxi_id(2), 200)]


@pytest.mark.usefixtures("split")
def test_a_taxi_that_stays_in_its_cell_is_not_asked_about() -> None:
    registry = Registry()
    stored([a_report((1, PARIS))], now=NOON, registry=registry)
    asked = registry.asked

    stored([a_report((1, PARIS), seen_at=at(5))], now=at(5), registry=registry)

    assert registry.asked == asked


@pytest.mark.usefixtures("split")
def test_a_taxi_that_comes_back_after_its_entry_grew_old_is_asked_about() -> None:
    registry = Registry()
    stored([a_report((1, PARIS))], now=NOON, registry=registry)
    registry.change(1, OCCUPIED, changed_at=at(1))  # and the cell was never told

    stored([a_report((1, PARIS), seen_at=at(300))], now=at(300), registry=registry)

    assert found(now=at(300)) == []


@pytest.mark.parametrize(("age_s", "is_found"), [(120, True), (120.1, False)])
@pytest.mark.usefixtures("split")
def test_a_stuck_region_empties_after_120_seconds(age_s: float, is_found: object) -> None:
    """Nobody has to clean up [positions-index: I1] [positions-index: I8]."""
    stored([a_report((1, PARIS))], now=NOON)

    assert bool(found(now=at(age_s))) == is_found


@pytest.mark.usefixtures("split")
def test_an_old_entry_becomes_a_last_position_before_it_leaves_its_cell() -> None:
    stored([a_report((1, PARIS), (2, PARIS))], now=NOON)

    with pytest.raises(Crash), fleets.hooked("before-call", fleets.crashing(0, kinds={"PutItem"})):
        stored([a_report((2, PARIS), seen_at=at(200))], now=at(200))
    assert set(fleets.entries()) == {1, 2}
    assert pointers.read([1])[1].last == (codec.tick(NOON), *reversed(e7(PARIS)))

    stored([a_report((2, PARIS), seen_at=at(200))], now=at(200))
    assert set(fleets.entries()) == {2}
    assert service.where_is([taxi_id(1)], now=at(200)) == {taxi_id(1): LastPosition(PARIS, NOON)}


@pytest.mark.usefixtures("split")
def test_a_backlog_is_stored_as_if_it_were_not_late() -> None:
    stored([a_report((1, PARIS), (2, PARIS))], now=NOON)

    with fleets.counted() as calls:
        stored([a_report((1, PARIS), seen_at=at(10))], now=at(3600))

    assert calls == ["BatchGetItem", "PutItem"]
    assert set(fleets.entries()) == {1, 2}


@pytest.mark.usefixtures("split")
def test_a_pointer_is_written_when_a_taxi_leaves_its_square_only() -> None:
    stored([a_report((1, PARIS))], now=NOON)

    with fleets.counted() as inside:
        stored([a_report((1, NEXT_CELL), seen_at=at(5))], now=at(5))
    with fleets.counted() as outside:
        stored([a_report((1, NEXT_SQUARE), seen_at=at(10))], now=at(10))

    assert "UpdateItem" not in inside
    assert outside.count("UpdateItem") == 1
    pointer = pointers.read([1])[1]
    assert pointer.square == leaf_map.square_of(*e7(NEXT_SQUARE))
    assert pointer.before == leaf_map.square_of(*e7(PARIS))


@pytest.mark.usefixtures("split")
def test_an_older_move_does_not_take_a_pointer_back() -> None:
    stored([a_report((1, NEXT_SQUARE), seen_at=at(10))], now=at(10))

    moved = pointers.move(1, rules.position(fleets.an_entry()), now_tick=0)

    assert not moved
    assert pointers.read([1])[1].square == leaf_map.square_of(*e7(NEXT_SQUARE))


@pytest.mark.usefixtures("split")
def test_a_new_taxi_that_another_function_is_faster_with_leaves_no_copy_behind() -> None:
    """Before every call: a copy that no pointer leads to would keep its status."""
    registry = Registry()
    interrupted = True
    call = 0
    while interrupted:
        taxi = call + 1
        interrupted = False

        def rival(taxi: int = taxi) -> None:
            nonlocal interrupted
            interrupted = True
            stored([a_report((taxi, NEXT_SQUARE), seen_at=at(5))], now=at(5), registry=registry)

        with fleets.hooked("before-call", fleets.interrupted(call, rival)):
            stored([a_report((taxi, PARIS))], now=NOON, registry=registry)
        if not interrupted:
            rival()
            interrupted = False
        registry.change(taxi, OCCUPIED, changed_at=at(6))
        registry.show(taxi, now=at(6))

        assert found(now=at(6)) == found(NEXT_SQUARE, now=at(6)) == [], call
        call += 1
    assert call > 3


@pytest.mark.usefixtures("split")
def test_an_older_report_waits_for_no_newer_one_that_is_announced_only() -> None:
    newer = [a_report((1, NEXT_SQUARE), seen_at=at(5))]
    with pytest.raises(Crash), fleets.hooked("before-call", fleets.crashing(0, kinds={"PutItem"})):
        stored(newer, now=at(5))

    assert stored([a_report((1, PARIS))], now=at(6)).superseded == 1

    stored(newer, now=at(7))
    assert found(NEXT_SQUARE, now=at(7)) == [taxi_id(1)]


@pytest.mark.usefixtures("split")
def test_a_writer_that_was_overtaken_reads_again_and_loses_nothing() -> None:
    """[positions-index: I4]"""
    stored([a_report((1, PARIS))], now=NOON)

    def rival() -> None:
        stored([a_report((2, PARIS), seen_at=at(3))], now=at(3))

    with fleets.hooked("before-call", fleets.interrupted(1, rival)):
        report = stored([a_report((1, PARIS), seen_at=at(5))], now=at(5))

    assert report.retries == 1
    assert sorted(found(now=at(5))) == [taxi_id(1), taxi_id(2)]


@pytest.mark.usefixtures("split")
def test_a_cell_is_never_written_without_the_version_it_was_read_at() -> None:
    """The condition itself, for a cell that is new, that moved on, and that was retired [positions-index: I4]."""
    cell = 5 << 36

    def write(version: int, now: datetime = NOON) -> bool:
        return positions_store.write_cell(
            cell, version, b"", map_version=0, now_tick=codec.tick(now)
        )

    assert write(0)
    assert not write(0)
    first = positions_store.read_cells([cell])[cell].version
    assert write(first)
    assert not write(first)
    assert positions_store.delete_cell(cell, first + 1)
    assert not write(first + 1)
    assert write(0, now=at(60))
    assert positions_store.read_cells([cell])[cell].version > first + 1


@pytest.mark.usefixtures("split")
def test_old_cells_and_positions_have_a_time_to_live() -> None:
    """Three days, and a year [positions-index: I9]."""
    stored([a_report((1, PARIS))], now=NOON)

    [cell] = clients.dynamodb().scan(TableName="maraude-test-cells")["Items"]
    [pointer] = clients.dynamodb().scan(TableName="maraude-test-last-positions")["Items"]

    assert int(cell["ttl"]["N"]) == int((NOON + timedelta(days=3)).timestamp())
    assert int(pointer["ttl"]["N"]) == int((NOON + timedelta(days=365)).timestamp())


@pytest.mark.usefixtures("store")
def test_no_cell_comes_near_the_limit_of_an_item() -> None:
    """The largest is reported; 24 bytes a taxi leave room for 16,000 in one spot [positions-index: I10]."""
    fleet = a_report(*((taxi, PARIS) for taxi in range(150)))

    assert stored([fleet], now=NOON).largest_cell == 150 * 24
