"""Shapes for the tests, and what shapely says of them."""

from array import array
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import shapely

from chalicelib.foundation import geo
from chalicelib.foundation.geo import E7Point
from chalicelib.taxis.territory import editions, store
from chalicelib.taxis.territory.borders import Outline, Path, Shape
from chalicelib.taxis.territory.rules import Tile
from ops.cli.territory import items
from ops.cli.territory.tiles import Map


def a_path(points: Iterable[tuple[int, int]]) -> Path:
    """A path through points in 1e-7 degree."""
    given = list(points)
    return Path(array("i", [x for x, _ in given]), array("i", [y for _, y in given]))


def a_polygon(*rings: Sequence[tuple[int, int]]) -> Outline:
    """A polygon of open rings, the outer one first."""
    return Outline(tuple(a_path([*ring, ring[0]]) for ring in rings))


def a_rectangle(west: int, south: int, east: int, north: int) -> Outline:
    """A rectangle in 1e-7 degree."""
    return a_polygon([(west, south), (east, south), (east, north), (west, north)])


def corners(shape: Shape) -> list[E7Point]:
    """Every corner of a shape."""
    return [
        E7Point(x, y)
        for outline in shape
        for path in outline.paths
        for x, y in zip(path.xs, path.ys, strict=True)
    ]


def middles(shape: Shape) -> list[E7Point]:
    """The middles of those edges that have one on the lattice."""
    return [
        E7Point((xa + xb) // 2, (ya + yb) // 2)
        for outline in shape
        for path in outline.paths
        for xa, ya, xb, yb in zip(path.xs, path.ys, path.xs[1:], path.ys[1:], strict=False)
        if (xa + xb) % 2 == (ya + yb) % 2 == 0
    ]


def round_about(points: Iterable[E7Point]) -> list[E7Point]:
    """Each point and its eight neighbours, a centimetre away."""
    return [
        E7Point(x + across, y + along)
        for x, y in points
        for across in (-1, 0, 1)
        for along in (-1, 0, 1)
    ]


def drawn(outline: Outline) -> shapely.Polygon:
    """The polygon for shapely, whose predicates are exact on whole numbers of this size."""
    rings = [[*zip(path.xs, path.ys, strict=True)] for path in outline.paths]
    return shapely.Polygon(rings[0], rings[1:])


class Tiles:
    """Towns cut into tiles, without any store."""

    def __init__(self, shapes: Mapping[str, Shape], *, room: int = items.TILE_BYTES) -> None:
        towns = Map(shapes)
        self.items = {
            cell: item
            for root, edges in towns.roots().items()
            for cell, item in towns.tiles("generation", root, edges, room=room)
        }
        self._edition = editions.Edition(generation="generation", tiles=frozenset(self.items))
        self._by_entry = {item["entry"]["S"]: item for item in self.items.values()}
        self._read: dict[str, Tile] = {}

    def towns_at(self, point: E7Point) -> tuple[str, ...]:
        """The towns of a point, as the registry finds them."""
        entry = self._edition.tile(point)
        if entry is None:
            return ()
        if entry not in self._read:
            self._read[entry] = store.tile_of(self._by_entry[entry])
        return self._read[entry].towns_at(point)

    def levels(self) -> set[int]:
        """How deep the tiles are."""
        return {geo.level(cell) for cell in self.items}


def towns_by_shapely(shapes: Mapping[str, Shape], points: Sequence[E7Point]) -> list[set[str]]:
    """For each point the towns that cover it, border included, as shapely finds them."""
    pieces = [(insee, drawn(outline)) for insee in shapes for outline in shapes[insee]]
    tree = shapely.STRtree([polygon for _, polygon in pieces])
    found: list[set[str]] = [set() for _ in points]
    hits = tree.query(shapely.points(np.array(points, dtype=float)), predicate="intersects")
    for point, piece in zip(*hits.tolist(), strict=True):
        found[point].add(pieces[piece][0])
    return found
