"""Leaf maps: versions of the tree of split cells, and which of them applies when. Pure.

A new map is announced before it is used, so that every process has it by then: writers switch when
its time has come; searches read what either map may hold from shortly before until no entry of the
old map is fresh any more.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from msgspec import Struct

from chalicelib.foundation import geo
from chalicelib.foundation.cell_tree import ROOT_LEVEL, CellTree
from chalicelib.foundation.geo import FINEST_LEVEL

CAPACITY = 168  # entries: 4 KB / 24 B, what one read unit reads
NOTICE_S = 120  # from the announcement of a map to its use: twice the age of a config item
CLOCKS_APART_S = 5  # by how much one process's clock may be ahead of another's


class LeafMap(Struct, frozen=True):
    """One version of the tree, used by writers from `starts_s` (seconds since 1970) on."""

    version: int
    starts_s: int
    tree: CellTree


FIRST = LeafMap(0, 0, CellTree())  # as long as none was fitted: every root is a leaf

Maps = Sequence[LeafMap]  # oldest first, at least one, the first one in use


def for_writers(maps: Maps, *, now_s: float) -> LeafMap:
    """The map that new positions are stored by."""
    return next(one for one in reversed(maps) if one.starts_s <= now_s)


def for_searches(maps: Maps, *, now_s: float, freshness_s: int) -> Maps:
    """The maps by which a fresh position may have been stored."""
    return [
        one
        for one, following in zip(maps, [*maps[1:], None], strict=True)
        if one.starts_s <= now_s + CLOCKS_APART_S
        and (following is None or now_s <= following.starts_s + freshness_s + CLOCKS_APART_S)
    ]


def for_lookups(maps: Maps, *, now_s: float) -> Maps:
    """The maps by which a taxi's last position, fresh or not, may have been stored."""
    return [one for one in maps if one.starts_s <= now_s + CLOCKS_APART_S]


def announced(maps: Maps, tree: CellTree, *, now_s: float) -> Maps:
    """The maps with a new one announced; of the earlier ones, the one in use and its predecessor stay."""
    using = maps.index(for_writers(maps, now_s=now_s))
    newest = LeafMap(maps[-1].version + 1, int(now_s) + NOTICE_S, tree)
    return [*maps[max(0, using - 1) : using + 1], newest]


def fitted(finest_cells: Iterable[int]) -> CellTree:
    """The tree whose leaves hold at most `CAPACITY` of these taxis, where the finest level allows.

    Takes the level-18 cell of each taxi. A cell that holds more is halved, not quartered: a quarter
    of what is just too much for one read unit would leave most of that unit empty.
    """
    taxis = sorted(finest_cells)
    splits = []
    waiting = sorted({geo.ancestor(cell, ROOT_LEVEL) for cell in taxis})
    while waiting:
        node = waiting.pop()
        depth = geo.halvings(node)
        if depth == 0:
            continue
        inside = bisect_left(taxis, node + 1 << depth) - bisect_left(taxis, node << depth)
        if inside > CAPACITY:
            splits.append(node)
            waiting.extend(geo.halves(node))
    return CellTree(splits)


def cover(maps: Maps, circle: geo.Circle) -> list[int]:
    """The leaves of any of the maps that the circle may reach into, each once."""
    return list(dict.fromkeys(leaf for one in maps for leaf in one.tree.leaves_touching(circle)))


# --- squares: geohash-5 cells (4.9 by 4.9 km), within which a taxi's pointer need not follow it ---

SQUARE_CHARACTERS = 5
_SQUARE_SHIFT = 2 * FINEST_LEVEL - 5 * SQUARE_CHARACTERS


def square_of(lng_e7: int, lat_e7: int) -> int:
    """The square of a point: a cell of 25 bits, the half of one of level 12."""
    return geo.finest_cell(lng_e7, lat_e7) >> _SQUARE_SHIFT


def leaves_under(maps: Maps, square: int) -> list[int]:
    """The leaves of any of the maps that share ground with a square, each once."""
    return list(dict.fromkeys(leaf for one in maps for leaf in one.tree.leaves_under(square)))


def square_name(square: int) -> str:
    """The square as geohash text."""
    return geo.geohash(square << _SQUARE_SHIFT, SQUARE_CHARACTERS)


def square_from_name(text: str) -> int:
    """The square of a geohash of five characters. Raises ValueError."""
    bits, count = geo.geohash_prefix(text)
    if count != 5 * SQUARE_CHARACTERS:
        raise ValueError(f"{text!r} is not the geohash of a square")
    return 1 << count | bits
