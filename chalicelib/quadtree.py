"""Which cells of the grid are split, and so which leaf holds a point: pure.

The leaf map of the positions and the tile map of the towns are both such trees. Above `ROOT_LEVEL`
everything is split, below it only what the tree says; a root that the tree does not name is itself
a leaf. The bytes of a tree hold, for each split root, its number and then one bit a node in
depth-first order, 1 for a split node: some 1,000 leaves take about 200 bytes.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cached_property

from chalicelib import geo

ROOT_LEVEL = 9  # about 51 by 39 km in Paris


class Quadtree:
    """An immutable set of split cells, closed under parents down to the root level."""

    def __init__(self, splits: Iterable[int] = ()) -> None:
        """Raises ValueError for a split outside `ROOT_LEVEL` to 17."""
        closed: set[int] = set()
        for cell in splits:
            if not ROOT_LEVEL <= geo.level(cell) < geo.FINEST_LEVEL:
                raise ValueError(f"a cell of level {geo.level(cell)} is never split")
            node = cell
            while geo.level(node) >= ROOT_LEVEL and node not in closed:
                closed.add(node)
                node >>= 2
        self.splits = frozenset(closed)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quadtree) and self.splits == other.splits

    def __hash__(self) -> int:
        return hash(self.splits)

    @cached_property
    def _leaves_by_root(self) -> dict[int, tuple[list[int], list[int]]]:
        """Split root to its leaves in order, beside the first finest cell of each."""
        found: dict[int, tuple[list[int], list[int]]] = {}
        for root in self.splits:
            if geo.level(root) == ROOT_LEVEL:
                leaves = list(self.leaves_under(root))
                found[root] = (
                    [leaf << 2 * (geo.FINEST_LEVEL - geo.level(leaf)) for leaf in leaves],
                    leaves,
                )
        return found

    def leaf(self, finest: int) -> int:
        """The leaf that holds a level-18 cell."""
        root = finest >> 2 * (geo.FINEST_LEVEL - ROOT_LEVEL)
        split = self._leaves_by_root.get(root)
        if split is None:
            return root
        starts, leaves = split
        return leaves[bisect_right(starts, finest) - 1]

    def leaves_under(self, cell: int) -> Iterator[int]:
        """The leaves inside a cell of `ROOT_LEVEL` or deeper, in order; the leaf that holds it if it is inside one."""
        while geo.level(cell) > ROOT_LEVEL and cell >> 2 not in self.splits:
            cell >>= 2
        waiting = [cell]
        while waiting:
            node = waiting.pop()
            if node in self.splits:
                waiting.extend(reversed(geo.children(node)))
            else:
                yield node

    def leaves_touching(self, circle: geo.Circle) -> list[int]:
        """Every leaf that the circle may reach into; none that it reaches is missing."""
        found = []
        waiting = list(geo.cells_over(circle.bounds(), ROOT_LEVEL))
        while waiting:
            node = waiting.pop()
            if not circle.may_touch(node):
                continue
            if node in self.splits:
                waiting.extend(geo.children(node))
            else:
                found.append(node)
        return found

    def to_bytes(self) -> bytes:
        """The tree as bytes; `from_bytes` reads it back."""
        packed = bytearray()
        for root in sorted(cell for cell in self.splits if geo.level(cell) == ROOT_LEVEL):
            bits = count = 0
            waiting = [root]
            while waiting:
                node = waiting.pop()
                split = node in self.splits
                bits, count = bits << 1 | split, count + 1
                if split and geo.level(node) + 1 < geo.FINEST_LEVEL:
                    waiting.extend(reversed(geo.children(node)))
            size = count + 7 >> 3
            packed += root.to_bytes(3, "big")
            packed += (bits << 8 * size - count).to_bytes(size, "big")
        return bytes(packed)

    @classmethod
    def from_bytes(cls, packed: bytes) -> "Quadtree":
        """The tree of `to_bytes`. Raises ValueError where the bytes end in the middle of a root."""
        splits = []
        place = 0
        while place < len(packed):
            waiting = [int.from_bytes(packed[place : place + 3], "big")]
            place += 3
            bit = 0
            while waiting:
                node = waiting.pop()
                byte = place + (bit >> 3)
                if byte >= len(packed):
                    raise ValueError("the bytes of the tree end in the middle of a root")
                if packed[byte] >> 7 - (bit & 7) & 1:
                    splits.append(node)
                    if geo.level(node) + 1 < geo.FINEST_LEVEL:
                        waiting.extend(reversed(geo.children(node)))
                bit += 1
            place += bit + 7 >> 3
        return cls(splits)
