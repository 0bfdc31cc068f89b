"""Look-up of positions: the taxis near a customer, and a taxi's own last position."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct

from chalicelib.foundation.geo import Circle
from chalicelib.foundation.store import reads
from chalicelib.foundation.store.reads import Read
from chalicelib.taxis.positions import codec, leaf_map, pointers, rules, store
from chalicelib.taxis.positions.entries import Cell
from chalicelib.taxis.positions.leaf_map import LeafMap
from chalicelib.taxis.positions.rules import Found, LastPosition, Pointer, Position
from chalicelib.taxis.settings import settings

# How late a shard may be in following a pointer that it has moved, and a change still finds the taxi
LATE_S = 600


def near(circle: Circle, *, now: datetime) -> Read[list[Found]]:
    """The free taxis inside the circle seen within `freshness_s`, nearest first.

    Those whose own radius does not reach the customer are among them (`distance_m > reach_m`).
    """
    found = partial(
        rules.near,
        circle,
        oldest=oldest_fresh(now),
        default_radius_m=settings().radius_max_m,
    )
    return store.entries(leaf_map.cover(searched_maps(now), circle)).then(found)


class Trail(Struct, frozen=True):
    """The pointers of some taxis, and the cells that may hold them."""

    taxis: frozenset[int]
    pointers: Mapping[int, Pointer]
    cells: frozenset[int]


class Sighting(Struct, frozen=True):
    """A trail with the contents of its cells."""

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
        """When the taxi last reported, as far as is stored; None where it never did."""
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


def trail(taxi_ids: Iterable[str], *, now: datetime, back_s: int | None = LATE_S) -> Read[Trail]:
    """The first of the two reads that say where taxis are, or were `back_s` ago (see `cells_of`)."""
    numbers = map(codec.number_of, taxi_ids)
    taxis = frozenset(number for number in numbers if number is not None)

    def followed(found: Mapping[int, Pointer]) -> Trail:
        return Trail(taxis, found, frozenset(cells_of(found, now=now, back_s=back_s)))

    return pointers.of(taxis).then(followed)


def sighting(found: Trail) -> Read[Sighting]:
    """The second of the two."""
    return store.cells(found.cells).then(partial(Sighting, found))


def sight(taxi_ids: Iterable[str], *, now: datetime) -> Sighting:
    """All that tells where these taxis are, in two round trips."""
    return reads.one(sighting(reads.one(trail(taxi_ids, now=now, back_s=None))))


def where_is(taxi_ids: Iterable[str], *, now: datetime) -> Mapping[str, LastPosition]:
    """The last position of each taxi that has ever sent one, however old (see `rules.shown`)."""
    wanted = list(taxi_ids)
    seen = sight(wanted, now=now)
    return {taxi_id: last for taxi_id in wanted if (last := seen.last(taxi_id, now=now))}


# --- what the other modules look up, too --------------------------------------------------------


def oldest_fresh(now: datetime) -> int:
    """The tick from which on a search shows what was reported."""
    return codec.first_tick_from(now - timedelta(seconds=settings().freshness_s))


def searched_maps(now: datetime) -> Sequence[LeafMap]:
    """The leaf maps that may have placed a fresh position."""
    return leaf_map.for_searches(
        store.leaf_maps(), now_s=now.timestamp(), freshness_s=settings().freshness_s
    )


def cells_of(found: Mapping[int, Pointer], *, now: datetime, back_s: int | None = None) -> set[int]:
    """Every cell that may hold one of these taxis, or held it `back_s` ago (or while still fresh)."""
    moved_since = codec.tick(now - timedelta(seconds=back_s or settings().freshness_s))
    squares = {pointer.square for pointer in found.values()}
    squares |= {
        pointer.before
        for pointer in found.values()
        if pointer.before is not None and pointer.since >= moved_since
    }
    maps = leaf_map.for_lookups(store.leaf_maps(), now_s=now.timestamp())
    return {leaf for square in squares for leaf in leaf_map.leaves_under(maps, square)}
