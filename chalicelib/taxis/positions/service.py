"""Where taxis are and which are near: what the API, the ingest function and the desk ask.

`window` decides what a window of reports changes; this module reads what it needs, writes in the
order that it asks for, and begins again with what others were faster at.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import Struct

from chalicelib.foundation import geo
from chalicelib.foundation.errors import Conflict, Unknown, in_request, in_url
from chalicelib.foundation.geo import Circle
from chalicelib.foundation.jobs.rules import Page
from chalicelib.foundation.observe import metrics, tracing
from chalicelib.foundation.settings import settings
from chalicelib.foundation.store.reads import Item, Want
from chalicelib.foundation.values import replace
from chalicelib.taxis.positions import codec, leaf_map, regions, rules, store, stream, window
from chalicelib.taxis.positions.codec import Entry, Report
from chalicelib.taxis.positions.leaf_map import LeafMap
from chalicelib.taxis.positions.rules import (
    Availability,
    CellContended,
    Found,
    LastPosition,
    Position,
    Register,
)
from chalicelib.taxis.positions.store import Pointer
from chalicelib.taxis.positions.window import Cell, Newcomer, Plan
from chalicelib.taxis.registry.rules import TaxiStatus

# How late a shard may be in following a pointer that it has moved, and a change still finds the taxi
LATE_S = 600

POINTERS_A_PAGE = 500  # of the night

AvailabilityOf = Callable[[Collection[str]], Mapping[str, Availability]]


class TaxiUnknown(Unknown):
    """A position speaks of a taxi whose id is none of ours."""


class MapAnnounced(Conflict):
    """A new leaf map is on its way already."""


class Reporting(NamedTuple):
    """A taxi that reports: what it is doing, where it is, and when it was last seen there.

    `number` is what its id is packed as (`codec.number_of`).
    """

    number: int
    status: TaxiStatus
    lng_e7: int
    lat_e7: int
    seen_at: datetime


class WindowReport(Struct, frozen=True):
    """What became of a window of reports."""

    positions: int = 0
    newest: int = 0  # of one taxi each
    unknown: int = 0  # taxis that the registry does not have
    late: int = 0  # positions too old for a search by the time they came
    superseded: int = 0  # positions that were not newer than what was stored
    cells_written: int = 0
    retries: int = 0  # times that some cells had to be read and written again
    largest_cell: int = 0  # bytes of entries
    lag_ms: int = 0  # age of the oldest position


# --- positions come in --------------------------------------------------------------------------


def accept(positions: Iterable[tuple[str, int, int]], *, now: datetime) -> None:
    """Puts positions (taxi id, lng_e7, lat_e7), received now, into the stream.

    The last one of a taxi counts. Raises TaxiUnknown before anything is sent, and StreamUnavailable
    where the stream did not take all of them.
    """
    positions = list(positions)
    number_of, region_at = codec.number_of, regions.region_at
    newest = {number_of(taxi_id): (lat_e7, lng_e7) for taxi_id, lng_e7, lat_e7 in positions}
    by_region: dict[str, list[tuple[int, int, int]]] = {}
    for taxi, (lat_e7, lng_e7) in newest.items():
        if taxi is None:
            unknown = next(taxi_id for taxi_id, _, _ in positions if number_of(taxi_id) is None)
            raise TaxiUnknown(in_url(f"Taxi {unknown} not found"))
        region = region_at(lng_e7, lat_e7)
        if region not in by_region:
            by_region[region] = []
        by_region[region].append((taxi, lat_e7, lng_e7))
    seen = codec.tick(now)
    size = stream.POSITIONS_A_REPORT
    trace = tracing.current()
    stream.send(
        [
            (region, codec.with_trace(codec.pack_report(seen, inside[start : start + size]), trace))
            for region, inside in by_region.items()
            for start in range(0, len(inside), size)
        ]
    )


def store_window(
    reports: Sequence[Report], *, availability_of: AvailabilityOf, now: datetime
) -> WindowReport:
    """Brings the cells up to date with reports, in any order, some perhaps stored before.

    `availability_of` answers for those of the ids that are taxis. Raises CellContended, StoreBusy or
    an AWS error where the store is in trouble; the same reports may then be stored again.
    """
    waiting = window.newest(reports)
    if not waiting:
        return WindowReport()
    seen = [report.seen for report in reports if report.taxis]
    oldest_shown = _oldest_fresh(now)
    counted = WindowReport(
        positions=sum(len(report.taxis) for report in reports),
        newest=len(waiting),
        late=sum(len(report.taxis) for report in reports if report.seen < oldest_shown),
        lag_ms=(now - codec.moment(min(seen))) // timedelta(milliseconds=1),
    )
    # Measured on the stream's time where it is behind: a backlog then costs what it would have cost
    oldest = _oldest_fresh(min(now, codec.moment(max(seen))))
    also: set[int] = set()
    for attempt in range(store.TRIES):
        if attempt:
            store.pause(attempt)
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
    raise CellContended(f"{len(also)} cells could not be written in {store.TRIES} tries")


class _Round(Struct):
    """One try of a window."""

    unknown: int
    superseded: int
    cells_written: int
    largest_cell: int
    lost: set[int]  # cells that others were faster at
    unsettled: set[int]  # taxis to look at again because of that


def _store_round(
    waiting: dict[int, Position],
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
    pointers = store.read_pointers(strangers)
    cells |= store.read_cells(_cells_of(pointers, now=now) - cells.keys())
    available = _available(strangers, availability_of)
    unknown = strangers - available.keys()
    # A pointer moves before its taxi does: a newer position than these is stored, or soon will be
    overtaken = {
        taxi for taxi in pointers.keys() - unknown if pointers[taxi].since > waiting[taxi][0]
    }
    for taxi in unknown | overtaken:
        del waiting[taxi], leaves[taxi]
    newcomers = {
        taxi: Newcomer(available[taxi], pointers[taxi].square if taxi in pointers else None)
        for taxi in strangers & waiting.keys()
    }
    plan = window.plan(waiting, leaves, cells, newcomers)

    behind = plan.cells_of(_that_would_not_move(plan.pointers, now=now))
    sizes = _write_turn(plan, plan.firsts - behind, set(), oldest=oldest, now=now)
    sizes |= _write_turn(plan, plan.thens - behind, sizes.keys(), oldest=oldest, now=now)
    _confirm(plan.arrivals, availability_of, now=now)
    lost = (plan.firsts | plan.thens) - sizes.keys()
    return _Round(
        unknown=len(unknown),
        superseded=plan.superseded + len(overtaken),
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
    replaced = [one for one in _searched(now) if one.starts_s < using.starts_s]
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


def _that_would_not_move(pointers: Mapping[int, Position], *, now: datetime) -> list[int]:
    """Moves pointers; answers the taxis of which somebody has stored a newer position meanwhile."""
    now_tick = codec.tick(now)
    moved = store.at_once(
        lambda taxi: store.move_pointer(taxi, pointers[taxi], now_tick=now_tick), pointers
    )
    return [taxi for taxi, was_moved in zip(pointers, moved, strict=True) if not was_moved]


def _write_turn(
    plan: Plan, names: Collection[int], written: Collection[int], *, oldest: int, now: datetime
) -> dict[int, int]:
    """Writes cells of a plan of which these are written; answers the size of each that succeeded."""
    packed = {}
    for name in names:
        plan.take_leave(name, written)
        packed[name] = _packed(plan.cells[name], oldest=oldest, now_tick=codec.tick(now))
    lost = _write(packed, plan.cells, now=now)
    return {name: len(taxis) for name, taxis in packed.items() if name not in lost}


def _write(packed: Mapping[int, bytes], cells: Mapping[int, Cell], *, now: datetime) -> set[int]:
    """Writes cells over what was read; answers those that others were faster at."""
    using = leaf_map.for_writers(store.leaf_maps(), now_s=now.timestamp())
    kept = store.at_once(
        lambda name: store.write_cell(
            name,
            cells[name].version,
            packed[name],
            map_version=using.version,
            now_tick=codec.tick(now),
        ),
        packed,
    )
    return {name for name, was_kept in zip(packed, kept, strict=True) if not was_kept}


def _packed(cell: Cell, *, oldest: int, now_tick: int) -> bytes:
    """The cell's bytes without the entries that are too old, which are first kept elsewhere."""
    old = cell.entries.older(oldest)
    store.at_once(
        lambda taxi: store.keep_last(taxi, rules.position(cell.entries[taxi]), now_tick=now_tick),
        old,
    )
    for taxi in old:
        del cell.entries[taxi]
    return cell.entries.packed()


def _available(taxis: Iterable[int], availability_of: AvailabilityOf) -> dict[int, Register]:
    ids = {codec.id_of(taxi): taxi for taxi in taxis}
    if not ids:
        return {}
    answered = availability_of(ids.keys())
    return {ids[taxi_id]: rules.register_of(said) for taxi_id, said in answered.items()}


def _confirm(
    arrivals: Mapping[int, Register], availability_of: AvailabilityOf, *, now: datetime
) -> None:
    """Asks again about taxis that were in no cell: who changed them meanwhile found nothing to change."""
    changed = {
        taxi: register
        for taxi, register in _available(arrivals, availability_of).items()
        if register > arrivals[taxi]
    }
    _show(changed, now=now)


# --- availability changes -----------------------------------------------------------------------


def show_availability(
    changes: Mapping[str, Availability], *, now: datetime, sighting: "Sighting | None" = None
) -> int:
    """Shows changes in the cells of their taxis, so that the next search sees them.

    Answers how many of the taxis are in a cell; for the others there is nothing to show. Raises
    CellContended, StoreBusy or an AWS error where the store is in trouble; the stream of
    descriptions then repeats the change. A `sighting` of these taxis saves the first reading; it may
    be old, for a cell that has changed since is not written.
    """
    numbers = {taxi_id: codec.number_of(taxi_id) for taxi_id in changes}
    return _show(
        {
            number: rules.register_of(changes[taxi_id])
            for taxi_id, number in numbers.items()
            if number is not None
        },
        now=now,
        sighting=sighting,
    )


def _show(
    changes: Mapping[int, Register], *, now: datetime, sighting: "Sighting | None" = None
) -> int:
    """A taxi that moves while this runs is missed neither in its old cell nor in its new one.

    Its pointer is moved before it is, so who finds it nowhere looks again; who finds it `LEAVING`
    waits for its new entry; and who changes its old entry unseen makes the writer begin again, who
    then carries the change over.
    """
    oldest = _oldest_fresh(now)
    waiting = dict(changes)
    found: set[int] = set()
    missed: set[int] = set()
    for attempt in range(store.TRIES):
        if sighting is not None and changes.keys() <= sighting.trail.taxis and not attempt:
            pointers, cells = sighting.trail.pointers, sighting.cells
        else:
            pointers = store.read_pointers(waiting)
            cells = store.read_cells(_cells_of(pointers, now=now, back_s=LATE_S))
        lost = _write(_with(waiting, cells), cells, now=now)
        newest: dict[int, Entry] = {}
        for cell in cells.values():
            for taxi in cell.entries.keys() & pointers.keys():
                entry = cell.entries[taxi]
                newest[taxi] = max(entry, newest.get(taxi, entry), key=rules.position)
        found |= newest.keys()
        unsure = pointers.keys() - found - missed
        missed |= unsure
        again = {taxi for name in lost for taxi in cells[name].entries}
        again |= {
            taxi
            for taxi, (head, _, _, seen, _) in newest.items()
            if head & codec.LEAVING and seen >= oldest
        }
        waiting = {taxi: waiting[taxi] for taxi in waiting.keys() & (unsure | again)}
        if not waiting:
            return len(found)
        if waiting.keys() & again:
            store.pause(attempt)
    raise CellContended(f"{len(waiting)} taxis could not be shown in {store.TRIES} tries")


def _with(changes: Mapping[int, Register], cells: Mapping[int, Cell]) -> dict[int, bytes]:
    """Puts changes into the entries of cells; answers the cells that are not as they were, packed."""
    packed = {}
    for name, cell in cells.items():
        older = [
            taxi
            for taxi in changes.keys() & cell.entries.keys()
            if rules.register(cell.entries[taxi]) < changes[taxi]
        ]
        for taxi in older:
            entry = cell.entries[taxi]
            renewed = rules.entry(taxi, rules.position(entry), changes[taxi])
            cell.entries[taxi] = (renewed[0] | entry[0] & codec.LEAVING, *renewed[1:])
        if older:
            packed[name] = cell.entries.packed()
    return packed


# --- where taxis are ----------------------------------------------------------------------------


def wants(circle: Circle, *, now: datetime) -> Want:
    """The cells that a search within the circle must read; what comes goes to `near`."""
    return store.cells_wanted(leaf_map.cover(_searched(now), circle))


def near(circle: Circle, items: Iterable[Item], *, now: datetime) -> list[Found]:
    """The free taxis inside the circle seen within `freshness_s`, nearest first.

    Those whose own radius does not reach the customer are among them (`distance_m > reach_m`).
    """
    return rules.near(
        circle,
        [store.packed_taxis(item) for item in items],
        oldest=_oldest_fresh(now),
        default_radius_m=settings().radius_max_m,
    )


class Trail(Struct, frozen=True):
    """The pointers of some taxis, and the cells that may hold them."""

    taxis: frozenset[int]
    pointers: Mapping[int, Pointer]
    cells: frozenset[int]


class Sighting(Struct, frozen=True):
    """A trail, and what its cells held."""

    trail: Trail
    cells: Mapping[int, Cell]

    def last(self, taxi_id: str, *, now: datetime) -> LastPosition | None:
        """The taxi's last position, however old (see `rules.shown`)."""
        taxi = codec.number_of(taxi_id)
        if taxi is None or taxi not in self.trail.pointers:
            return None
        found = self._in_cells(taxi)
        if kept := self.trail.pointers[taxi].last:
            found.append(kept)
        return rules.shown(max(found), now=now) if found else None

    def seen_at(self, taxi_id: str) -> datetime | None:
        """When the taxi last reported, as far as anything still tells; None where it never did."""
        taxi = codec.number_of(taxi_id)
        if taxi is None or taxi not in self.trail.pointers:
            return None
        ticks = [seen for seen, _, _ in self._in_cells(taxi)]
        return codec.moment(max([self.trail.pointers[taxi].seen, *ticks]))

    def _in_cells(self, taxi: int) -> list[Position]:
        return [
            rules.position(cell.entries[taxi])
            for cell in self.cells.values()
            if taxi in cell.entries
        ]


def _numbers(taxi_ids: Iterable[str]) -> frozenset[int]:
    numbers = map(codec.number_of, taxi_ids)
    return frozenset(number for number in numbers if number is not None)


def pointers_wanted(taxi_ids: Iterable[str]) -> Want:
    """The first of the two reads that say where taxis are: it goes to `trail`, and may ride along."""
    return store.pointers_wanted(_numbers(taxi_ids))


def trail(taxi_ids: Iterable[str], items: Iterable[Item], *, now: datetime) -> Trail:
    """What the first read brought."""
    pointers = store.pointers_read(items)
    cells = frozenset(_cells_of(pointers, now=now, back_s=LATE_S))
    return Trail(_numbers(taxi_ids), pointers, cells)


def trail_wanted(found: Trail) -> Want:
    """The second read: it goes to `sighting`, and may ride along."""
    return store.cells_wanted(found.cells)


def sighting(found: Trail, items: Iterable[Item]) -> Sighting:
    """What the second read brought."""
    return Sighting(found, store.cells_read(found.cells, items))


def where_is(taxi_ids: Iterable[str], *, now: datetime) -> Mapping[str, LastPosition]:
    """The last position of each taxi that has ever sent one, however old (see `rules.shown`)."""
    wanted = list(taxi_ids)
    seen = sight(wanted, now=now)
    return {taxi_id: last for taxi_id in wanted if (last := seen.last(taxi_id, now=now))}


def sight(taxi_ids: Iterable[str], *, now: datetime) -> Sighting:
    """All that tells where these taxis are, read strongly."""
    taxis = _numbers(taxi_ids)
    pointers = store.read_pointers(taxis)
    found = Trail(taxis, pointers, frozenset(_cells_of(pointers, now=now)))
    return Sighting(found, store.read_cells(found.cells))


def _oldest_fresh(now: datetime) -> int:
    return codec.first_tick_from(now - timedelta(seconds=settings().freshness_s))


def _searched(now: datetime) -> Sequence[LeafMap]:
    return leaf_map.for_searches(
        store.leaf_maps(), now_s=now.timestamp(), freshness_s=settings().freshness_s
    )


def _cells_of(
    pointers: Mapping[int, Pointer], *, now: datetime, back_s: int | None = None
) -> set[int]:
    """Every cell that may hold one of these taxis, or held it `back_s` ago (or while still fresh)."""
    moved_since = codec.tick(now - timedelta(seconds=back_s or settings().freshness_s))
    squares = {pointer.square for pointer in pointers.values()}
    squares |= {
        pointer.before
        for pointer in pointers.values()
        if pointer.before is not None and pointer.since >= moved_since
    }
    maps = leaf_map.for_lookups(store.leaf_maps(), now_s=now.timestamp())
    return {leaf for square in squares for leaf in leaf_map.leaves_under(maps, square)}


# --- the desk and the night ---------------------------------------------------------------------


def reporting(*, since: datetime) -> dict[str, Reporting]:
    """The taxis that have reported since then, by id. Reads every cell: for a job.

    A taxi of which an entry is damaged is left out, and counted.
    """
    oldest = codec.first_tick_from(since)
    newest: dict[int, Entry] = {}
    for _, cells in store.every_cell():
        for cell in cells.values():
            for taxi, entry in cell.entries.items():
                if entry[3] >= oldest:
                    newest[taxi] = rules.joined(entry, newest.get(taxi, entry))
    found, damaged = {}, 0
    for taxi, (head, lat_e7, lng_e7, seen, _) in newest.items():
        try:
            status = codec.status_of(head)
        except codec.Unreadable:
            damaged += 1
            continue
        found[codec.id_of(taxi)] = Reporting(taxi, status, lng_e7, lat_e7, codec.moment(seen))
    if damaged:
        metrics.emit({}, counts={"entries_damaged": damaged})
    return found


def refit(*, now: datetime) -> LeafMap:
    """Announces the leaf map that suits the taxis that are now in the cells, and answers it.

    Reads every cell. Writers change to it `leaf_map.NOTICE_S` later. Raises MapAnnounced while
    another one is on its way.
    """
    maps = store.leaf_maps()
    if maps[-1].starts_s > now.timestamp():
        raise MapAnnounced(in_request(f"Leaf map {maps[-1].version} is on its way"))
    oldest = _oldest_fresh(now)
    newest: dict[int, Entry] = {}
    for _, cells in store.every_cell():
        for cell in cells.values():
            for taxi, entry in cell.entries.items():
                if entry[3] >= oldest:
                    newest[taxi] = max(entry, newest.get(taxi, entry), key=rules.position)
    tree = leaf_map.fitted(
        geo.finest_cell(lng_e7, lat_e7) for _, lat_e7, lng_e7, _, _ in newest.values()
    )
    maps = leaf_map.announced(maps, tree, now_s=now.timestamp())
    store.replace_leaf_maps(maps)
    return maps[-1]


def retire_cells(
    *,
    availability_of: AvailabilityOf,
    now: datetime,
    after: str | None = None,
    dry_run: bool = False,
) -> Page:
    """Turns positions that are too old for a cell into last positions, and removes empty cells.

    Then it shows what `availability_of` says of the taxis that are left where a cell says otherwise: a
    change that its stream has given up would else stay unseen for as long as the taxi stays about.
    A page is one of the scan of all cells, and the reading of two small items for each taxi left. May be
    broken off and repeated, from the beginning or from `after`, a cell's key. A cell that changes
    meanwhile is alive and left alone. Raises CellContended.
    """
    oldest = _oldest_fresh(now)
    now_tick = codec.tick(now)
    emptied = kept = 0
    last, cells = next(store.every_cell(after))
    for name, cell in cells.items():
        old = len(cell.entries.older(oldest))
        kept += old
        if dry_run:
            emptied += old == len(cell.entries)
            continue
        packed = _packed(cell, oldest=oldest, now_tick=now_tick)
        if not packed:
            emptied += store.delete_cell(name, cell.version)
        elif old:
            store.write_cell(name, cell.version, packed, map_version=0, now_tick=now_tick)
    outdated = _outdated(cells.values(), availability_of, oldest=oldest)
    if not dry_run:
        _show(outdated, now=now)
    return Page(
        {"cells": len(cells), "emptied": emptied, "kept": kept, "corrected": len(outdated)},
        last or None,
    )


def _outdated(
    cells: Iterable[Cell], availability_of: AvailabilityOf, *, oldest: int
) -> dict[int, Register]:
    """What is said of the taxis of cells, seen in the tick `oldest` or later, that the cells do not have."""
    shown: dict[int, Register] = {}
    for cell in cells:
        for taxi, entry in cell.entries.items():
            if entry[3] >= oldest:
                shown[taxi] = max(rules.register(entry), shown.get(taxi, (0, 0)))
    said = _available(shown, availability_of)
    return {taxi: register for taxi, register in said.items() if register > shown[taxi]}


def blur(*, now: datetime, after: str | None = None, dry_run: bool = False) -> Page:
    """Takes from last positions over two months old where they were; when they were stays.

    A taxi that reports meanwhile keeps what it says. May be broken off and repeated, from the
    beginning or from the last `after`.
    """
    oldest = codec.first_tick_from(now - rules.LAST_POSITION_KEPT)
    pointers, last = store.page_of_pointers(after, size=POINTERS_A_PAGE)
    blurred = sum(
        dry_run or store.blur(taxi, pointer, pointer.last)
        for taxi, pointer in pointers.items()
        if pointer.last is not None and pointer.seen < oldest and pointer.last[1:] != (0, 0)
    )
    return Page({"blurred": blurred}, last)
