"""Changes of status and radius, shown in the cells of their taxis for the very next search."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime

from chalicelib.foundation.retry import Retry
from chalicelib.taxis.positions import codec, lookup, pointers, rules, store
from chalicelib.taxis.positions.codec import Entry
from chalicelib.taxis.positions.entries import Cell, Rewrite
from chalicelib.taxis.positions.lookup import LATE_S, Sighting
from chalicelib.taxis.positions.rules import Availability, CellContended, Register

# What the registry says of those of some taxis that there are, by their ids
AvailabilityOf = Callable[[Collection[str]], Mapping[str, Availability]]

CONTENDED = Retry(tries=8)


def show_availability(
    changes: Mapping[str, Availability], *, now: datetime, sighting: Sighting | None = None
) -> int:
    """Shows changes in the cells of their taxis, so that the next search sees them.

    Answers how many of the taxis are in a cell; for the others there is nothing to show. Raises
    CellContended, StoreBusy or an AWS error where the store is in trouble; the stream of
    descriptions then repeats the change. A `sighting` of these taxis saves the first reading; it may
    be old, for a cell that has changed since is not written.
    """
    numbers = {taxi_id: codec.number_of(taxi_id) for taxi_id in changes}
    return show(
        {
            number: rules.register_of(changes[taxi_id])
            for taxi_id, number in numbers.items()
            if number is not None
        },
        now=now,
        sighting=sighting,
    )


def available(taxis: Iterable[int], availability_of: AvailabilityOf) -> dict[int, Register]:
    """The same that the registry says, as entries hold it."""
    ids = {codec.id_of(taxi): taxi for taxi in taxis}
    if not ids:
        return {}
    return {
        ids[taxi_id]: rules.register_of(availability)
        for taxi_id, availability in availability_of(ids.keys()).items()
    }


def show(
    changes: Mapping[int, Register], *, now: datetime, sighting: Sighting | None = None
) -> int:
    """The same by number. A taxi that moves while this runs is missed in neither of its cells.

    Its pointer is moved before it is, so who finds it nowhere looks again; who finds it `LEAVING`
    waits for its new entry; and who changes its old entry unseen makes the writer begin again, who
    then carries the change over.
    """
    oldest = lookup.oldest_fresh(now)
    waiting = dict(changes)
    found: set[int] = set()
    missed: set[int] = set()
    for attempt in range(CONTENDED.tries):
        if sighting is not None and changes.keys() <= sighting.trail.taxis and not attempt:
            known, cells = sighting.trail.pointers, sighting.cells
        else:
            known = pointers.read(waiting)
            cells = store.read_cells(lookup.cells_of(known, now=now, back_s=LATE_S))
        lost = store.rewrite(_with(waiting, cells), now=now)
        newest: dict[int, Entry] = {}
        for cell in cells.values():
            for taxi in cell.entries.keys() & known.keys():
                entry = cell.entries[taxi]
                newest[taxi] = max(entry, newest.get(taxi, entry), key=rules.position)
        found |= newest.keys()
        unsure = known.keys() - found - missed
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
            CONTENDED.wait(attempt)
    raise CellContended(f"{len(waiting)} taxis could not be shown in {CONTENDED.tries} tries")


def _with(changes: Mapping[int, Register], cells: Mapping[int, Cell]) -> dict[int, Rewrite]:
    """Puts changes into the entries of cells; answers the cells that are not as they were."""
    changed = {}
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
            changed[name] = Rewrite(cell.version, cell.entries.packed())
    return changed
