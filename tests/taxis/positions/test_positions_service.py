"""The positions on an in-process DynamoDB and Kinesis."""

from datetime import datetime, timedelta
from functools import partial

import pytest

from chalicelib.foundation import geo
from chalicelib.foundation.aws import clients
from chalicelib.foundation.cell_tree import CellTree
from chalicelib.foundation.geo import Circle, LngLat
from chalicelib.foundation.jobs.rules import Page
from chalicelib.foundation.store import reads
from chalicelib.taxis.positions import codec, leaf_map, pointers, retention, rules, service
from chalicelib.taxis.positions import store as positions_store
from chalicelib.taxis.positions.accept import TaxiUnknown
from chalicelib.taxis.positions.codec import Report
from chalicelib.taxis.positions.leaf_map import LeafMap
from chalicelib.taxis.positions.rules import CellContended, LastPosition
from chalicelib.taxis.positions.service import MapAnnounced
from tests.emitted import metrics_of
from tests.taxis.positions import fleets
from tests.taxis.positions.fleets import (
    FREE,
    NOON,
    OCCUPIED,
    PARIS,
    Crash,
    Registry,
    a_report,
    at,
    e7,
    searched,
    stored,
    taxi_id,
)

NEXT_CELL = LngLat(2.3650, 48.8566)  # another leaf of `split`, in the same square
NEXT_SQUARE = LngLat(2.4200, 48.8566)


@pytest.fixture
def split(store: None) -> None:  # noqa: ARG001  # a fixture of a fixture
    """Leaves of level 15 (1.2 by 0.6 km) at the places of these tests."""
    splits = {
        half
        for point in (PARIS, NEXT_CELL, NEXT_SQUARE)
        for half in geo.halves(geo.ancestor(geo.finest_cell(*e7(point)), 14))
    }
    positions_store.replace_leaf_maps([LeafMap(1, 0, CellTree(splits))])


retire = partial(service.retire_cells, availability_of=Registry().availability_of)


def found(point: LngLat = PARIS, *, now: datetime = NOON) -> list[str]:
    return [one.taxi_id for one in searched(point, now=now)]


def stream_records() -> list[tuple[str, Report]]:
    """Everything in the stream: partition key and report."""
    client, name = clients.kinesis(), "maraude-test-positions"
    got: list[tuple[str, Report]] = []
    for shard in client.list_shards(StreamName=name)["Shards"]:
        iterator = client.get_shard_iterator(
            StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        got.extend(
            (record["PartitionKey"], codec.unpack_report(record["Data"]))
            for record in client.get_records(ShardIterator=iterator)["Records"]
        )
    return got


# --- accept -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("store")
def test_fifty_positions_of_a_local_operator_become_one_record() -> None:
    """[positions-index: T5]"""
    service.accept([(taxi_id(taxi), *e7(PARIS)) for taxi in range(50)], now=NOON)

    [(region, report)] = stream_records()
    assert region == "paris"
    assert report.seen == codec.tick(NOON)
    assert list(report.taxis) == list(range(50))


@pytest.mark.usefixtures("store")
def test_each_region_gets_a_record() -> None:
    lyon = LngLat(4.8357, 45.7640)

    service.accept([(taxi_id(1), *e7(PARIS)), (taxi_id(2), *e7(lyon))], now=NOON)

    assert sorted(region for region, _ in stream_records()) == ["lyon", "paris"]


@pytest.mark.usefixtures("store")
def test_the_last_position_of_a_taxi_counts() -> None:
    service.accept([(taxi_id(1), *e7(PARIS)), (taxi_id(1), *e7(NEXT_CELL))], now=NOON)

    [(_, report)] = stream_records()
    assert (report.lngs_e7[0], report.lats_e7[0]) == e7(NEXT_CELL)


@pytest.mark.usefixtures("store")
def test_an_id_that_is_none_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(TaxiUnknown):
        service.accept([(taxi_id(1), *e7(PARIS)), ("nobody?", *e7(PARIS))], now=NOON)

    assert stream_records() == []


# --- store_window and searches --------------------------------------------------------------------


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


# --- availability ---------------------------------------------------------------------------------


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


# --- where taxis are ------------------------------------------------------------------------------


@pytest.mark.usefixtures("split")
def test_a_last_position_is_exact_and_knows_its_time() -> None:
    exact = LngLat(2.3522219, 48.8566141)
    stored([a_report((1, exact), seen_at=at(0.3))], now=at(1))

    last = service.where_is([taxi_id(1), taxi_id(2), "nobody"], now=at(2))

    assert last == {taxi_id(1): LastPosition(exact, at(0.3))}


@pytest.mark.usefixtures("split")
def test_a_taxi_that_came_back_is_where_it_is_now_not_where_it_was_last() -> None:
    stored([a_report((1, PARIS))], now=NOON)
    retire(now=at(200))
    stored([a_report((1, NEXT_SQUARE), seen_at=at(300))], now=at(300))

    last = service.where_is([taxi_id(1)], now=at(301))

    assert last == {taxi_id(1): LastPosition(NEXT_SQUARE, at(300))}


# --- the leaf map ---------------------------------------------------------------------------------


def store_a_map_of_splits_in_four() -> None:
    """What a registry wrote whose splits made four: the root of Paris and four levels below it."""
    clients.dynamodb().put_item(
        TableName="maraude-test-config",
        Item={
            "name": {"S": "leaf_map"},
            "maps": {
                "L": [
                    {
                        "M": {
                            "version": {"N": "7"},
                            "from": {"N": "0"},
                            "tree": {"B": bytes.fromhex(PARIS_IN_FOUR)},
                        }
                    }
                ]
            },
        },
    )


def keys_of_cells() -> set[str]:
    """The keys of all cells there are."""
    return {geo.key(cell) for _, cells in positions_store.every_cell() for cell in cells}


# The bytes are that registry's own, and its leaf of `PARIS`
PARIS_IN_FOUR, PARIS_LEAF_IN_FOUR = "07404ea28800", "31000103213133"


@pytest.mark.usefixtures("store")
def test_a_map_of_splits_in_four_keeps_its_cells() -> None:
    store_a_map_of_splits_in_four()

    stored([a_report((1, PARIS))], now=NOON)

    assert keys_of_cells() == {PARIS_LEAF_IN_FOUR}
    assert found() == [taxi_id(1)]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("in_four", [False, True])
def test_nothing_disappears_from_search_while_the_leaf_map_changes(*, in_four: bool) -> None:
    if in_four:
        store_a_map_of_splits_in_four()
    first = positions_store.leaf_maps()[-1].version
    crowd = [(taxi, LngLat(PARIS.lng + taxi * 1e-5, PARIS.lat)) for taxi in range(200)]
    registry = Registry()
    start = 0.0
    announced = None
    seen_versions = set()
    while start < 420:
        if start == 60:
            announced = service.refit(now=at(start))
        half = crowd[:100] if start % 20 == 0 else crowd[100:]
        stored([a_report(*half, seen_at=at(start))], now=at(start), registry=registry)
        if start >= 10:
            for now_s in (start, start + 9):
                assert len(searched(PARIS, now=at(now_s), radius_m=500)) == 200, now_s
        maps = positions_store.leaf_maps()
        seen_versions.add(leaf_map.for_writers(maps, now_s=at(start).timestamp()).version)
        start += 10
    assert announced is not None
    assert announced.starts_s == at(180).timestamp()
    assert announced.tree.splits
    assert seen_versions == {first, first + 1}
    assert all(len(copies) == 1 for copies in fleets.entries().values())
    retire(now=at(start))
    leaves = {announced.tree.leaf(geo.finest_cell(*e7(point))) for _, point in crowd}
    assert keys_of_cells() == set(map(geo.key, leaves))


@pytest.mark.usefixtures("store")
def test_a_map_is_not_announced_while_another_is_on_its_way() -> None:
    service.refit(now=NOON)

    with pytest.raises(MapAnnounced):
        service.refit(now=at(119))

    assert service.refit(now=at(120)).version == 2


@pytest.mark.usefixtures("store")
def test_a_change_of_status_reaches_a_taxi_that_only_the_replaced_map_placed() -> None:
    registry = Registry()
    stored([a_report(*((taxi, PARIS) for taxi in range(200)))], now=NOON, registry=registry)
    service.refit(now=NOON)
    stored([a_report((1, PARIS), seen_at=at(119))], now=at(119), registry=registry)
    registry.change(1, OCCUPIED, changed_at=at(125))

    registry.show(1, now=at(125))

    assert taxi_id(1) not in found(now=at(126))


# --- the night ------------------------------------------------------------------------------------


def a_change_that_nobody_shows() -> Registry:
    """Two free taxis that go on reporting; the registry says that the first is occupied by now."""
    registry = Registry()
    stored([a_report((1, PARIS), (2, PARIS))], now=NOON, registry=registry)
    registry.change(1, OCCUPIED, changed_at=at(1))
    for second in (5, 65, 125):
        stored(
            [a_report((1, PARIS), (2, PARIS), seen_at=at(second))],
            now=at(second),
            registry=registry,
        )
    return registry


@pytest.mark.usefixtures("split")
def test_a_change_that_its_stream_gave_up_does_not_show_by_itself_and_does_after_retiring() -> None:
    registry = a_change_that_nobody_shows()
    before = found(now=at(126))

    done = service.retire_cells(availability_of=registry.availability_of, now=at(126))

    assert before == [taxi_id(1), taxi_id(2)]
    assert done.done["corrected"] == 1
    assert found(now=at(126)) == [taxi_id(2)]
    again = service.retire_cells(availability_of=registry.availability_of, now=at(126))
    assert again.done["corrected"] == 0


@pytest.mark.usefixtures("split")
def test_retiring_dry_counts_what_it_would_correct_and_corrects_nothing() -> None:
    registry = a_change_that_nobody_shows()

    done = service.retire_cells(availability_of=registry.availability_of, now=at(126), dry_run=True)

    assert done.done["corrected"] == 1
    assert found(now=at(126)) == [taxi_id(1), taxi_id(2)]


@pytest.mark.usefixtures("split")
def test_retiring_keeps_last_positions_and_leaves_no_old_cell() -> None:
    stored(
        [a_report((1, PARIS), (2, NEXT_CELL)), a_report((3, PARIS), seen_at=at(100))], now=at(100)
    )

    done = retire(now=at(150))

    assert done == Page({"cells": 2, "emptied": 1, "kept": 2, "corrected": 0})
    assert set(fleets.entries()) == {3}
    assert set(service.where_is(map(taxi_id, (1, 2, 3)), now=at(150))) == {
        taxi_id(1),
        taxi_id(2),
        taxi_id(3),
    }


@pytest.mark.usefixtures("split")
def test_retiring_twice_is_retiring_once() -> None:
    stored([a_report((1, PARIS))], now=NOON)
    retire(now=at(200))

    assert retire(now=at(201)) == Page({"cells": 0, "emptied": 0, "kept": 0, "corrected": 0})


@pytest.mark.usefixtures("split")
def test_retiring_dry_says_what_it_would_do_and_does_not_do_it() -> None:
    stored(
        [a_report((1, PARIS), (2, NEXT_CELL)), a_report((3, PARIS), seen_at=at(100))], now=at(100)
    )
    before = fleets.entries()

    done = retire(now=at(150), dry_run=True)

    assert done == retire(now=at(150), dry_run=True)
    assert fleets.entries() == before
    assert done == retire(now=at(150))


@pytest.mark.usefixtures("split")
def test_retiring_goes_on_behind_the_cell_where_it_was_broken_off() -> None:
    stored([a_report((1, PARIS), (2, NEXT_CELL))], now=NOON)
    first, _ = [
        item["cell"]["S"]
        for item in clients.dynamodb().scan(TableName="maraude-test-cells")["Items"]
    ]

    done = retire(now=at(200), after=first)

    assert done == Page({"cells": 1, "emptied": 1, "kept": 1, "corrected": 0})
    [left] = clients.dynamodb().scan(TableName="maraude-test-cells")["Items"]
    assert left["cell"]["S"] == first


# --- last positions are blurred -------------------------------------------------------------------

TWO_MONTHS = timedelta(days=60)


def retired(*positions: tuple[int, LngLat]) -> None:
    """Stores where taxis were at noon as their last positions."""
    stored([a_report(*positions)], now=NOON)
    retire(now=at(200))


def last_positions() -> dict[str, tuple[int, int]]:
    """lng_e7 and lat_e7 of each taxi, as they are stored."""
    items = clients.dynamodb().scan(TableName="maraude-test-last-positions")["Items"]
    return {
        item["taxi_id"]["S"]: (int(item["lng_e7"]["N"]), int(item["lat_e7"]["N"])) for item in items
    }


@pytest.mark.usefixtures("split")
def test_after_two_months_a_last_position_says_when_and_no_longer_where() -> None:
    retired((1, PARIS))

    assert service.blur(now=NOON + TWO_MONTHS).done == {"blurred": 0}
    assert last_positions() == {taxi_id(1): e7(PARIS)}
    assert service.blur(now=NOON + TWO_MONTHS + timedelta(seconds=1)).done == {"blurred": 1}
    assert last_positions() == {taxi_id(1): (0, 0)}
    later = NOON + 2 * TWO_MONTHS
    assert service.where_is([taxi_id(1)], now=later) == {
        taxi_id(1): LastPosition(LngLat(0, 0), NOON)
    }
    assert service.blur(now=later).done == {"blurred": 0}


@pytest.mark.usefixtures("split")
def test_blurring_dry_changes_nothing() -> None:
    retired((1, PARIS))

    assert service.blur(now=NOON + 2 * TWO_MONTHS, dry_run=True).done == {"blurred": 1}

    assert last_positions() == {taxi_id(1): e7(PARIS)}


@pytest.mark.usefixtures("split")
@pytest.mark.parametrize("there", [PARIS, NEXT_SQUARE])
def test_a_taxi_that_comes_back_while_it_is_blurred_is_where_it_says(there: LngLat) -> None:
    retired((1, PARIS))
    back = NOON + 2 * TWO_MONTHS

    def report() -> None:
        stored([a_report((1, there), seen_at=back)], now=back)

    with fleets.hooked("before-call", fleets.interrupted(1, report)):
        service.blur(now=back)

    assert found(there, now=back) == [taxi_id(1)]
    assert service.where_is([taxi_id(1)], now=back) == {taxi_id(1): LastPosition(there, back)}


@pytest.mark.usefixtures("split")
def test_blurring_goes_on_where_it_was_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "A_PAGE", 2)
    retired(*((taxi, PARIS) for taxi in range(1, 6)))
    later = NOON + 2 * TWO_MONTHS

    first = service.blur(now=later)
    assert first.done == {"blurred": 2}
    assert sum(point == (0, 0) for point in last_positions().values()) == 2
    after = first.after
    while after is not None:
        after = service.blur(now=later, after=after).after

    assert set(last_positions().values()) == {(0, 0)}


@pytest.mark.usefixtures("split")
def test_retiring_goes_on_after_a_crash() -> None:
    stored([a_report((1, PARIS), (2, NEXT_CELL))], now=NOON)
    with pytest.raises(Crash), fleets.hooked("before-call", fleets.crashing(2)):
        retire(now=at(200))

    retire(now=at(200))

    assert fleets.entries() == {}
    assert len(service.where_is([taxi_id(1), taxi_id(2)], now=at(200))) == 2


@pytest.mark.usefixtures("split")
def test_a_cell_that_lives_is_not_retired() -> None:
    stored([a_report((1, PARIS))], now=NOON)

    def report() -> None:
        stored([a_report((1, PARIS), seen_at=at(200))], now=at(200))

    with fleets.hooked("before-call", fleets.interrupted(2, report)):
        retire(now=at(200))

    assert found(now=at(200)) == [taxi_id(1)]


@pytest.mark.usefixtures("split")
def test_a_search_needs_one_call_where_a_taxi_stands_on_a_corner_of_four_cells() -> None:
    corner = geo.box(geo.ancestor(geo.finest_cell(*e7(PARIS)), 15))
    point = LngLat(corner.east, corner.north)

    near = service.near(Circle(point, 500), now=NOON)

    assert len(near.keys) >= 4
    assert len(near.keys) <= reads.KEYS_A_CALL


@pytest.mark.usefixtures("store")
def test_a_taxi_with_a_status_that_there_is_not_is_counted_and_the_others_are_reporting(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stored([a_report((1, PARIS), (2, PARIS))], now=NOON)
    ((_, cells),) = positions_store.every_cell()
    ((name, cell),) = cells.items()
    head, *rest = cell.entries[1]
    cell.entries[1] = (head | codec.STATUS << codec.STATUS_SHIFT, *rest)  # type: ignore[assignment]  # still five
    packed = cell.entries.packed()
    positions_store.write_cell(name, cell.version, packed, map_version=1, now_tick=codec.tick(NOON))

    reporting = service.reporting(since=NOON)

    assert list(reporting) == [taxi_id(2)]
    counted = {metric.name: metric.value for metric in metrics_of(capsys.readouterr().out)}
    assert counted["entries_damaged"] == 1
