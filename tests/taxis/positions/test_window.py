"""What a window of reports changes, decided on values."""

import itertools
from collections.abc import Iterable

from chalicelib.foundation.geo import LngLat
from chalicelib.taxis.positions import codec, leaf_map, rules, window
from chalicelib.taxis.positions.codec import LEAVING, Entry, Report
from chalicelib.taxis.positions.entries import Cell, Entries
from chalicelib.taxis.positions.rules import Pointer, Position, Register
from chalicelib.taxis.positions.window import Newcomer, Plan
from tests.taxis.positions.fleets import NOON, PARIS, an_entry, at, e7

OLD, NEW = 1, 2  # cells
NOT_OLD = 0  # no position is too old for a cell
LATER = LngLat(2.3530, 48.8570)

FREE_SINCE_NOON: Register = rules.register(an_entry())


def a_cell(*entries: Entry) -> Cell:
    return Cell(7, Entries(codec.pack_entries(entries)))


def a_position(point: LngLat = LATER, *, seconds: float = 10) -> Position:
    lng_e7, lat_e7 = e7(point)
    return codec.tick(at(seconds)), lat_e7, lng_e7


def a_pointer(*, since_s: float = 0) -> Pointer:
    return Pointer(leaf_map.square_of(*e7(LATER)), codec.tick(at(since_s)), None, None)


def planned(
    *, old: Iterable[Entry] = (), new: Iterable[Entry] = (), newcomer: Newcomer | None = None
) -> Plan:
    """The plan for a report of taxi 1, ten seconds after noon, in NEW."""
    cells = {OLD: a_cell(*old), NEW: a_cell(*new)}
    return window.plan({1: a_position()}, {1: NEW}, cells, {1: newcomer} if newcomer else {})


def written(plan: Plan, cell: int, *before: int, oldest: int = NOT_OLD) -> dict[int, Entry]:
    """The entries of a cell as it is written once those before it are."""
    rewrite = plan.turn([cell], written=before, oldest=oldest)[cell]
    return {head & codec.ID: (head, *rest) for head, *rest in codec.unpack_entries(rewrite.packed)}  # type: ignore[misc]  # still five


def test_a_report_of_no_taxi_changes_nothing() -> None:
    plan = planned(new=[an_entry(2)], newcomer=Newcomer(None, a_pointer()))

    assert (plan.unknown, plan.superseded) == (1, 0)
    assert (plan.firsts, plan.thens, plan.pointers) == (set(), set(), {})


def test_two_entries_of_what_is_no_taxi_become_one_and_are_not_looked_at_again() -> None:
    plan = planned(old=[an_entry(1)], new=[an_entry(1)], newcomer=Newcomer(None, None))

    assert len(plan.departures) == 1
    assert plan.unsettled({OLD, NEW}) == set()


def test_a_report_that_its_pointer_has_overtaken_changes_nothing() -> None:
    plan = planned(newcomer=Newcomer(FREE_SINCE_NOON, a_pointer(since_s=11)))

    assert (plan.unknown, plan.superseded) == (0, 1)
    assert (plan.firsts, plan.thens, plan.pointers) == (set(), set(), {})


def test_a_taxi_of_no_cell_is_taken_in_first_and_its_pointer_moved() -> None:
    plan = planned(newcomer=Newcomer(FREE_SINCE_NOON, None))

    assert (plan.firsts, plan.thens) == ({NEW}, set())
    assert plan.pointers == {1: a_position()}
    assert plan.arrivals == {1: FREE_SINCE_NOON}
    assert rules.position(written(plan, NEW)[1]) == a_position()


def test_an_entry_leaves_its_cell_once_the_cell_that_it_moves_to_is_written() -> None:
    plan = planned(old=[an_entry(1), an_entry(2)])

    assert (plan.firsts, plan.thens) == ({NEW}, {OLD})
    assert written(plan, NEW).keys() == {1}
    assert written(plan, OLD, NEW).keys() == {2}


def test_until_then_it_stays_and_is_marked() -> None:
    plan = planned(old=[an_entry(1), an_entry(2)])

    kept = written(plan, OLD)

    assert kept[1][0] & LEAVING
    assert not kept[2][0] & LEAVING


def test_the_cells_of_a_pointer_that_would_not_move_wait_for_another_try() -> None:
    plan = planned(old=[an_entry(1), an_entry(2)])

    plan.leave_out([1])

    assert plan.turn([OLD, NEW], oldest=NOT_OLD) == {}
    assert plan.lost(()) == {OLD, NEW}
    assert plan.unsettled({OLD, NEW}) == {1}


def test_what_is_too_old_for_a_cell_is_retired_from_it() -> None:
    gone = an_entry(2, PARIS, seen_at=at(-200))
    plan = planned(new=[an_entry(1), gone])

    rewrite = plan.turn(plan.thens, oldest=codec.tick(NOON))[NEW]

    assert (rewrite.version, rewrite.retired) == (7, {2: rules.position(gone)})
    assert [head & codec.ID for head in codec.heads(rewrite.packed)] == [1]


def test_of_two_positions_of_one_tick_the_more_northern_then_the_more_eastern_counts() -> None:
    places = [(10, 5), (20, 3), (20, 4)]  # latitude, longitude

    for order in itertools.permutations(places):
        reports = [Report(7, [1], [lat_e7], [lng_e7]) for lat_e7, lng_e7 in order]

        assert window.newest(reports) == {1: (7, 20, 4)}


def test_a_newer_position_counts_wherever_it_is_and_whenever_it_comes() -> None:
    older, newer = Report(7, [1, 2], [20, 20], [4, 4]), Report(8, [1], [10], [3])

    for reports in ([older, newer], [newer, older]):
        assert window.newest(reports) == {1: (8, 10, 3), 2: (7, 20, 4)}
