"""Tiling of the map of towns: leaves of the cell tree that each fit two read units."""

from array import array
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from chalicelib.foundation import geo
from chalicelib.foundation.cell_tree import ROOT_LEVEL
from chalicelib.foundation.geo import E7
from chalicelib.foundation.store.reads import Item
from chalicelib.taxis.territory import borders
from chalicelib.taxis.territory.borders import Outline, Shape
from ops.cli.territory import items
from ops.errors import CannotGoOn

Numbers = NDArray[np.int64]


class TileTooFull(CannotGoOn):
    """Even a tile of the finest level does not hold the borders that pass near it."""


def reach(cell: int) -> tuple[int, int, int, int]:
    """West, south, east and north of the points that `geo.finest_cell` puts into a cell, in 1e-7 degree."""
    level = geo.level(cell)
    column, row = geo.column_and_row(cell)
    last = (1 << level) - 1

    def side(place: int, degrees: int) -> int:
        """The first point of a column or row: its border, rounded up."""
        return -(-place * degrees * E7 >> level) - degrees * E7 // 2

    return (
        side(column, 360),
        side(row, 180),
        side(column + 1, 360) - (column < last),
        side(row + 1, 180) - (row < last),
    )


class Map:
    """All edges of all towns, side by side in arrays, in the order of their rings."""

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        self.pieces = [(insee, outline) for insee in sorted(shapes) for outline in shapes[insee]]
        paths = [
            (piece, path)
            for piece, (_, outline) in enumerate(self.pieces)
            for path in outline.paths
        ]
        self.x: Numbers = np.concatenate([np.array(path.xs, dtype=np.int64) for _, path in paths])
        self.y: Numbers = np.concatenate([np.array(path.ys, dtype=np.int64) for _, path in paths])
        sizes = np.array([len(path.xs) for _, path in paths])
        # An edge has the number of its first corner; a ring's last corner has none.
        self.starts = np.ones(len(self.x), dtype=bool)
        self.starts[np.cumsum(sizes) - 1] = False
        self.piece = np.repeat(np.array([piece for piece, _ in paths]), sizes)
        after_x, after_y = np.append(self.x[1:], 0), np.append(self.y[1:], 0)
        self.west, self.east = np.minimum(self.x, after_x), np.maximum(self.x, after_x)
        self.south, self.north = np.minimum(self.y, after_y), np.maximum(self.y, after_y)
        self.after_x, self.after_y = after_x, after_y

    def roots(self) -> dict[int, Numbers]:
        """The coarsest cells that any polygon may touch, and the edges of those polygons."""
        edges = np.flatnonzero(self.starts)
        bounds = np.searchsorted(self.piece[edges], np.arange(len(self.pieces) + 1))
        found: dict[int, list[Numbers]] = {}
        for piece in range(len(self.pieces)):
            own = edges[bounds[piece] : bounds[piece + 1]]
            low, high = (
                geo.column_and_row(geo.ancestor(geo.finest_cell(int(x), int(y)), ROOT_LEVEL))
                for x, y in (
                    (self.west[own].min(), self.south[own].min()),
                    (self.east[own].max(), self.north[own].max()),
                )
            )
            for column in range(low[0], high[0] + 1):
                for row in range(low[1], high[1] + 1):
                    found.setdefault(geo.cell_at(column, row, ROOT_LEVEL), []).append(own)
        return {cell: np.concatenate(parts) for cell, parts in sorted(found.items())}

    def tiles(
        self, generation: str, cell: int, edges: Numbers, *, room: int = items.TILE_BYTES
    ) -> Iterator[tuple[int, Item]]:
        """The tiles in a cell, each of at most `room` bytes, with its own cell.

        `edges` are those of all towns that may touch the cell. Raises TileTooFull.
        """
        west, south, east, north = reach(cell)
        # Both rays of any point of the cell stay between its southern and northern sides.
        slab = edges[(self.north[edges] >= south) & (self.south[edges] <= north)]
        pieces, local = np.unique(self.piece[slab], return_inverse=True)
        meets = (self.east[slab] >= west) & (self.west[slab] <= east)
        touches = _count(local[meets], pieces) > 0
        # A polygon that no edge brings near the cell holds all of it, or nothing: ask for a corner.
        holds = _count(local[self._crossed(slab, west, south)], pieces) % 2 == 1
        near = (touches | holds)[local]
        slab, local, meets = slab[near], local[near], meets[near]
        if not slab.size:
            return
        ahead, behind = self.east[slab] >= west, self.west[slab] <= east
        eastward = _count(local[ahead], pieces) <= _count(local[behind], pieces)
        met = np.where(eastward[local], ahead, behind)
        # An edge along a parallel is never crossed; a point of the cell may only lie on it.
        met &= meets | (self.south[slab] < self.north[slab])
        # No edge takes less than a byte and a half: what has too many need not be packed to be known.
        if np.count_nonzero(met) < room / 1.5:
            outlines = [
                (self.pieces[pieces[one]][0], self._outline(own, eastward=bool(eastward[one])))
                for one, own in _grouped(slab[met], local[met])
            ]
            item = items.tile_item(generation, cell, outlines)
            if items.item_bytes(item) <= room:
                yield cell, item
                return
        if geo.level(cell) == geo.FINEST_LEVEL:
            raise TileTooFull(
                f"Too many borders pass near {geo.box(cell)}: draw them with fewer corners."
            )
        for child in geo.children(cell):
            yield from self.tiles(generation, child, slab, room=room)

    def _crossed(self, edges: Numbers, x: int, y: int) -> NDArray[np.bool_]:
        """Which edges a ray to the east from a point crosses (as `borders` counts them)."""
        xa, ya, xb, yb = self.x[edges], self.y[edges], self.after_x[edges], self.after_y[edges]
        up = yb > y
        turn = (xb - xa) * (y - ya) - (x - xa) * (yb - ya)
        crossed: NDArray[np.bool_] = (up != (ya > y)) & ((turn > 0) == up)
        return crossed

    def _outline(self, edges: Numbers, *, eastward: bool) -> Outline:
        """Edges as paths: those that follow one another share their corners."""
        breaks = np.flatnonzero(np.diff(edges) != 1) + 1
        return Outline(
            tuple(
                borders.Path(
                    _array(self.x[run[0] : run[-1] + 2]), _array(self.y[run[0] : run[-1] + 2])
                )
                for run in np.split(edges, breaks)
            ),
            eastward,
        )


def _array(numbers: Numbers) -> "array[int]":
    return array("i", numbers.astype(np.int32).tobytes())


def _count(local: Numbers, pieces: Numbers) -> Numbers:
    """How often each piece is in a list of places in `pieces`."""
    return np.bincount(local, minlength=len(pieces))


def _grouped(edges: Numbers, local: Numbers) -> Iterator[tuple[int, Numbers]]:
    """The edges of each piece, which stand side by side."""
    firsts = np.flatnonzero(np.diff(local, prepend=-1))
    for first, own in zip(firsts, np.split(edges, firsts[1:]), strict=True):
        yield int(local[first]), own
