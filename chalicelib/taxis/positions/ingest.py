"""Windows of reports, stored in the cells.

`window` decides what a window changes; this module reads what that decision needs, writes in the
order that it asks for, and begins again with what others were faster at.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from chalicelib.foundation import geo
from chalicelib.foundation.retry import Retry
from chalicelib.foundation.values import replace
from chalicelib.taxis.positions import (
    availability,
    codec,
    leaf_map,
    lookup,
    pointers,
    store,
    window,
)
from chalicelib.taxis.positions.availability import AvailabilityOf
from chalicelib.taxis.positions.codec import Report
from chalicelib.taxis.positions.entries import Cell, Rewrite
from chalicelib.taxis.positions.rules import CellContended, Position, Register
from chalicelib.taxis.positions.window import Newcomer

_CONTENDED = Retry(tries=8, pause_s=0.02)


class WindowReport(Struct, frozen=True):
    """Counts of a window of reports."""

    positions: int = 0
    newest: int = 0  # of one taxi each
    unknown: int = 0  # taxis that the registry does not have
    late: int = 0  # positions too old for a search by the time they came
    superseded: int = 0  # positions that were not newer than what was stored
    cells_written: int = 0
    retries: int = 0  # times that some cells had to be read and written again
    largest_cell: int = 0  # bytes of entries


def store_window(
    reports: Sequence[Report], *, availability_of: AvailabilityOf, now: datetime
) -> WindowReport:
    """Stores reports in the cells, in any order, some perhaps stored before.

    `availability_of` answers for those of the ids that are taxis. Raises CellContended, StoreBusy or
    an AWS error where the store is in trouble; the same reports may then be stored again.
    """
    waiting = window.newest(reports)
    if not waiting:
        return WindowReport()
    seen = [report.seen for report in reports if report.taxis]
    oldest_shown = lookup.oldest_fresh(now)
    counted = WindowReport(
        positions=sum(len(report.taxis) for report in reports),
        newest=len(waiting),
        late=sum(len(report.taxis) for report in reports if report.seen < oldest_shown),
    )
    # Measured on the stream's time where it is behind: a backlog then costs what it would have cost
    oldest = lookup.oldest_fresh(min(now, codec.moment(max(seen))))
    also: set[int] = set()
    for attempt in _CONTENDED.attempts():
        done = _store_round(waiting, also, availability_of=availability_of, oldest=oldest, now=now)
        counted = replace(
            counted,
            unknown=counted.unknown + done.unknown,
            superseded=counted.superseded + (done.superseded if attempt == 0 else 0),
            cells_written=counted.cells_written + done.cells_written,
            largest_cell=max(counted.largest_cell, done.largest_cell),
            retries=attempt,
        )
        if not done.lost:
            return counted
        also = done.lost
        waiting = {taxi: waiting[taxi] for taxi in done.unsettled & waiting.keys()}
    raise CellContended(f"{len(also)} cells could not be written in {_CONTENDED.tries} tries")


class _Round(Struct):
    """One try of a window."""

    unknown: int
    superseded: int
    cells_written: int
    largest_cell: int
    lost: set[int]  # cells that others were faster at
    unsettled: set[int]  # taxis to look at again because of that


def _store_round(
    waiting: Mapping[int, Position],
    also: Collection[int],
    *,
    availability_of: AvailabilityOf,
    oldest: int,
    now: datetime,
) -> _Round:
    """Reads, plans and writes: pointers, then cells that take a taxi in, then those that lose one."""
    leaves, cells = _leaves_and_cells(waiting, also, now=now)
    # Whom others were faster at may be anywhere by now
    strangers = set(waiting) if also else window.strangers(waiting, cells, oldest=oldest)
    known = pointers.read(strangers)
    cells |= store.read_cells(lookup.cells_of(known, now=now) - cells.keys())
    available = availability.available(strangers, availability_of)
    newcomers = {taxi: Newcomer(available.get(taxi), known.get(taxi)) for taxi in strangers}
    plan = window.plan(waiting, leaves, cells, newcomers)
    plan.leave_out(_that_would_not_move(plan.pointers, now=now))
    sizes = _write(plan.turn(plan.firsts, oldest=oldest), now=now)
    sizes |= _write(plan.turn(plan.thens, written=sizes.keys(), oldest=oldest), now=now)
    _confirm(plan.arrivals, availability_of, now=now)
    lost = plan.lost(sizes.keys())
    return _Round(
        unknown=plan.unknown,
        superseded=plan.superseded,
        cells_written=len(sizes),
        largest_cell=max(sizes.values(), default=0),
        lost=lost,
        unsettled=plan.unsettled(lost),
    )


def _leaves_and_cells(
    waiting: Mapping[int, Position], also: Collection[int], *, now: datetime
) -> tuple[dict[int, int], dict[int, Cell]]:
    """The leaf of each position, and these cells, with those of a map that is just being replaced."""
    using = leaf_map.for_writers(store.leaf_maps(), now_s=now.timestamp())
    replaced = [one for one in lookup.searched_maps(now) if one.starts_s < using.starts_s]
    leaf_of, finest_cell = using.tree.leaf, geo.finest_cell
    leaves = {
        taxi: leaf_of(finest_cell(lng_e7, lat_e7)) for taxi, (_, lat_e7, lng_e7) in waiting.items()
    }
    touched = {*also, *leaves.values()}
    for one in replaced:
        touched.update(
            one.tree.leaf(finest_cell(lng_e7, lat_e7)) for _, lat_e7, lng_e7 in waiting.values()
        )
    return leaves, store.read_cells(touched)


def _that_would_not_move(moves: Mapping[int, Position], *, now: datetime) -> list[int]:
    """Moves pointers; returns the taxis of which a newer position was stored meanwhile."""
    now_tick = codec.tick(now)
    moved = store.at_once(lambda taxi: pointers.move(taxi, moves[taxi], now_tick=now_tick), moves)
    return [taxi for taxi, was_moved in zip(moves, moved, strict=True) if not was_moved]


def _write(rewrites: Mapping[int, Rewrite], *, now: datetime) -> dict[int, int]:
    """Writes cells, what is too old for them kept elsewhere first; the size of each that succeeded."""
    pointers.keep(rewrites.values(), now=now)
    lost = store.rewrite(rewrites, now=now)
    return {name: len(one.packed) for name, one in rewrites.items() if name not in lost}


def _confirm(
    arrivals: Mapping[int, Register], availability_of: AvailabilityOf, *, now: datetime
) -> None:
    """Reads the availability of new arrivals again: a change of it meanwhile found no entry."""
    changed = {
        taxi: register
        for taxi, register in availability.available(arrivals, availability_of).items()
        if register > arrivals[taxi]
    }
    availability.show(changed, now=now)
