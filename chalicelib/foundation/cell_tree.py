"""Binary tree of split grid cells, and the leaf that holds a point: pure.

The leaf map of the positions and the tile map of the towns are both such trees. Above `ROOT_LEVEL`
everything is split, below it only what the tree says; a root that the tree does not name is itself
a leaf. The bytes of a tree hold, for each split root, its number and then one bit a node in
depth-first order, 1 for a split node: some 800 leaves take about 400 bytes.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cached_property

from chalicelib.foundation import geo

ROOT_LEVEL = 9  # about 51 by 39 km in Paris
_ROOT_HALVINGS = 2 * (geo.FINEST_LEVEL - ROOT_LEVEL)


class CellTree:
    """An immutable set of split cells, closed under parents down to the root level."""

    def __init__(self, splits: Iterable[int] = ()) -> None:
        """Raises ValueError for a split outside `ROOT_LEVEL` to 17, halves of that one included."""
        closed: set[int] = set()
        for cell in splits:
            if not 0 < geo.halvings(cell) <= _ROOT_HALVINGS:
                raise ValueError(f"a cell of level {geo.level(cell)} is never split")
            node = cell
            while geo.halvings(node) <= _ROOT_HALVINGS and node not in closed:
                closed.add(node)
                node >>= 1
        self.splits = frozenset(closed)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CellTree) and self.splits == other.splits

    def __hash__(self) -> int:
        return hash(self.splits)

    @cached_property
    def _leaves_by_root(self) -> dict[int, tuple[list[int], list[int]]]:
        """Split root to its leaves in order, beside the first finest cell of each."""
        found: dict[int, tuple[list[int], list[int]]] = {}
        for root in self._roots():
            leaves = list(self.leaves_under(root))
            found[root] = [leaf << geo.halvings(leaf) for leaf in leaves], leaves
        return found

    def _roots(self) -> list[int]:
        """The split cells of `ROOT_LEVEL`, in order."""
        return sorted(cell for cell in self.splits if geo.halvings(cell) == _ROOT_HALVINGS)

    def leaf(self, finest: int) -> int:
        """The leaf that holds a level-18 cell."""
        root = finest >> _ROOT_HALVINGS
        split = self._leaves_by_root.get(root)
        if split is None:
            return root
        starts, leaves = split
        return leaves[bisect_right(starts, finest) - 1]

    def leaves_under(self, cell: int) -> Iterator[int]:
        """The leaves inside a cell of `ROOT_LEVEL` or deeper, in order; the leaf that holds it if it is inside one."""
        while geo.halvings(cell) < _ROOT_HALVINGS and cell >> 1 not in self.splits:
            cell >>= 1
        waiting = [cell]
        while waiting:
            node = waiting.pop()
            if node in self.splits:
                waiting.extend(reversed(geo.halves(node)))
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
                waiting.extend(geo.halves(node))
            else:
                found.append(node)
        return found

    def to_bytes(self) -> bytes:
        """The tree as bytes; `from_bytes` reads it back."""
        packed = bytearray()
        for root in self._roots():
            bits = count = 0
            waiting = [root]
            while waiting:
                node = waiting.pop()
                split = node in self.splits
                bits, count = bits << 1 | split, count + 1
                if split and geo.halvings(node) > 1:
                    waiting.extend(reversed(geo.halves(node)))
            size = count + 7 >> 3
            packed += root.to_bytes(3, "big")
            packed += (bits << 8 * size - count).to_bytes(size, "big")
        return bytes(packed)

    @classmethod
    def from_bytes(cls, packed: bytes, *, in_four: bool = False) -> "CellTree":
        """The tree of `to_bytes`. Raises ValueError where the bytes end in the middle of a root.

        `in_four` reads the bytes of a tree whose splits made four: each is a cell and both its halves.
        """
        splits: list[int] = []
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
                    splits.extend(geo.halves(node) if in_four else [node])
                    parts = geo.children(node) if in_four else geo.halves(node)
                    if geo.halvings(parts[0]) > 0:
                        waiting.extend(reversed(parts))
                bit += 1
            place += bit + 7 >> 3
        return cls(splits)
