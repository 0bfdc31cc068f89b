"""Plan of a window: the changes that its reports make to cells. Pure.

An entry leaves its cell only once a copy that is at least as new, in position and in availability,
is stored elsewhere. Cells are therefore written in two turns: first those that take in a taxi, then
those that only update or lose some. A cell that both takes in and loses would have to be written
twice; it keeps what it loses for one window more, marked `LEAVING`, and searches that read both
copies know which is the newer one.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from msgspec import Struct, field

from chalicelib.taxis.positions import leaf_map
from chalicelib.taxis.positions.codec import LEAVING, Entry, Report
from chalicelib.taxis.positions.entries import Cell, Rewrite
from chalicelib.taxis.positions.rules import Pointer, Position, Register, entry, position, register


class Newcomer(NamedTuple):
    """What was read of a taxi that the cells at hand do not know for certain."""

    available: Register | None  # None where it is no taxi
    pointer: Pointer | None


class Plan(Struct):
    """The cells to write, in which turn, and which must be written before an entry may be removed."""

    cells: Mapping[int, Cell]
    firsts: set[int] = field(default_factory=set)  # they take in a taxi
    thens: set[int] = field(default_factory=set)
    # By cell and taxi, the cell that must be written before the entry may go; 0: it is already
    departures: dict[int, dict[int, int]] = field(default_factory=dict)
    homes: dict[int, int] = field(default_factory=dict)  # by taxi, the cell that has it afterwards
    pointers: dict[int, Position] = field(default_factory=dict)  # to be moved to there
    arrivals: dict[int, Register] = field(default_factory=dict)  # taxis that were in no cell at all
    superseded: int = 0  # reports that a newer position had overtaken
    unknown: int = 0  # reports of what is no taxi
    dropped: set[int] = field(default_factory=set)  # taxis whose reports change nothing
    out: set[int] = field(default_factory=set)  # cells that wait for another try

    def leave_out(self, taxis: Iterable[int]) -> None:
        """Leaves the cells that these taxis come from or go to for another try."""
        sought = set(taxis)
        self.out |= {cell for cell, leaving in self.departures.items() if leaving.keys() & sought}
        self.out |= {self.homes[taxi] for taxi in sought}

    def turn(
        self, cells: Collection[int], *, written: Collection[int] = (), oldest: int
    ) -> dict[int, Rewrite]:
        """How to write these cells once `written` are, without the taxis seen before `oldest`."""
        return {
            cell: self._rewritten(cell, written, oldest=oldest)
            for cell in cells
            if cell not in self.out
        }

    def _rewritten(self, cell: int, written: Collection[int], *, oldest: int) -> Rewrite:
        """The cell without the taxis that may go by now; those that must stay a while are marked."""
        entries = self.cells[cell].entries
        for taxi, first in self.departures.get(cell, {}).items():
            if first == 0 or first in written:
                del entries[taxi]
            else:
                head, *rest = entries[taxi]
                entries[taxi] = (head | LEAVING, *rest)  # type: ignore[assignment]  # still five
        return self.cells[cell].rewritten(oldest=oldest)

    def lost(self, written: Collection[int]) -> set[int]:
        """The cells that others were faster at, or that were left out."""
        return (self.firsts | self.thens).difference(written)

    def unsettled(self, lost: Collection[int]) -> set[int]:
        """The taxis that must be looked at again because these cells could not be written."""
        if not lost:
            return set()
        taxis = {taxi for taxi, home in self.homes.items() if home in lost}
        taxis.update(*(self.departures.get(cell, ()) for cell in lost))
        return taxis - self.dropped


def newest(reports: Iterable[Report]) -> dict[int, Position]:
    """The newest position of each taxi."""
    found: dict[int, Position] = {}
    known = found.get
    for seen, taxis, lats_e7, lngs_e7, _ in reports:
        for taxi, lat_e7, lng_e7 in zip(taxis, lats_e7, lngs_e7, strict=True):
            reported = (seen, lat_e7, lng_e7)
            before = known(taxi)
            if before is None or before < reported:
                found[taxi] = reported
    return found


def strangers(
    reported: Mapping[int, Position], cells: Mapping[int, Cell], *, oldest: int
) -> set[int]:
    """The taxis of which no cell at hand knows for certain where they were last, and how."""
    known: set[int] = set()
    for cell in cells.values():
        doubtful = cell.entries.doubtful(oldest)
        known.update(cell.entries.keys() - doubtful if doubtful else cell.entries.keys())
    return reported.keys() - known


def plan(
    reported: Mapping[int, Position],
    leaves: Mapping[int, int],
    cells: Mapping[int, Cell],
    newcomers: Mapping[int, Newcomer],
) -> Plan:
    """Plans the changes that the reports of these taxis make.

    `leaves` has the cell of each reported position, `cells` at least those, and `newcomers` each
    reported taxi that is in none of them for certain. The entries of `cells` are changed.
    """
    unknown = {taxi for taxi, known in newcomers.items() if known.available is None}
    # A pointer moves before its taxi does: a newer position than these is stored, or soon will be
    overtaken = {
        taxi
        for taxi, (_, pointer) in newcomers.items()
        if pointer is not None and pointer.since > reported[taxi][0]
    } - unknown
    dropped = unknown | overtaken
    if dropped:
        reported = {taxi: at for taxi, at in reported.items() if taxi not in dropped}
        leaves = {taxi: leaf for taxi, leaf in leaves.items() if taxi not in dropped}
        newcomers = {taxi: known for taxi, known in newcomers.items() if taxi not in dropped}
    result = Plan(
        cells,
        homes=dict(leaves),
        superseded=len(overtaken),
        unknown=len(unknown),
        dropped=dropped,
    )
    moving = _in_several(cells) | newcomers.keys()
    for leaf, taxis in _by_leaf(leaves).items():
        followers = (
            taxis if moving.isdisjoint(taxis) else [taxi for taxi in taxis if taxi not in moving]
        )
        absent, superseded = cells[leaf].entries.follow(followers, reported)
        moving.update(absent)
        result.superseded += superseded
        if len(absent) + superseded < len(followers):
            result.thens.add(leaf)
    copies: dict[int, dict[int, Entry]] = {taxi: {} for taxi in moving}
    for name, cell in cells.items():
        for taxi in moving & cell.entries.keys():
            copies[taxi][name] = cell.entries[taxi]
    for taxi, its_copies in copies.items():
        _settle(result, taxi, its_copies, reported.get(taxi), newcomers.get(taxi))
    result.thens.update(result.departures)
    result.thens -= result.firsts
    return result


def _settle(
    result: Plan,
    taxi: int,
    copies: Mapping[int, Entry],
    reported_at: Position | None,
    newcomer: Newcomer | None,
) -> None:
    """Decides for a taxi that moves to another cell, is in several, or was in none."""
    at, home = max(
        ((position(copy), cell) for cell, copy in copies.items()),
        # of two cells with the same position, the one that belongs to the map in use
        key=lambda stored: (stored[0], stored[1] == result.homes.get(taxi), stored[1]),
        default=((-1, 0, 0), 0),
    )
    if reported_at is not None:
        if at < reported_at:
            at, home = reported_at, result.homes[taxi]
        else:
            result.superseded += 1
    registers = [register(copy) for copy in copies.values()]
    if newcomer is not None and newcomer.available is not None:
        registers.append(newcomer.available)

    stays = entry(taxi, at, max(registers))
    stored = copies.get(home)
    waits = [cell for cell, copy in copies.items() if not _is_in(copy, stored)]
    if stored != stays:
        result.cells[home].entries[taxi] = stays
        (result.firsts if waits or stored is None else result.thens).add(home)
    result.homes[taxi] = home
    for cell in copies.keys() - {home}:
        result.departures.setdefault(cell, {})[taxi] = home if cell in waits else 0
    if not copies:
        result.arrivals[taxi] = max(registers)

    if reported_at is not None and not _is_pointed_at(at, copies.values(), newcomer):
        result.pointers[taxi] = at


def _is_in(copy: Entry, stored: Entry | None) -> bool:
    """Whether a copy may be removed, because what is stored elsewhere is as new."""
    return (
        stored is not None
        and position(copy) <= position(stored)
        and register(copy) <= register(stored)
    )


def _is_pointed_at(at: Position, copies: Iterable[Entry], newcomer: Newcomer | None) -> bool:
    """Whether the taxi's pointer is right; where it was not read, its newest copy tells.

    It was moved before that copy was written. An older one, `LEAVING`, is where it was before.
    """
    square = leaf_map.square_of(at[2], at[1])
    if newcomer is not None:
        return newcomer.pointer is not None and newcomer.pointer.square == square
    newest = max(copies, key=position)
    return leaf_map.square_of(newest[2], newest[1]) == square


def _by_leaf(leaves: Mapping[int, int]) -> Mapping[int, list[int]]:
    found: defaultdict[int, list[int]] = defaultdict(list)
    for taxi, leaf in leaves.items():
        found[leaf].append(taxi)
    return found


def _in_several(cells: Mapping[int, Cell]) -> set[int]:
    """The taxis that are in more than one of the cells."""
    seen: set[int] = set()
    several: set[int] = set()
    for cell in cells.values():
        taxis = cell.entries.keys()
        if not seen.isdisjoint(taxis):
            several |= seen & taxis
        seen.update(taxis)
    return several
