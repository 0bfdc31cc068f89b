"""Two usual DynamoDB layouts of positions, for comparison, under the same fleet and rules.

`OnePerTaxi`: an item for each taxi under (geohash-6, taxi); a search queries the geohashes that its
circle touches.

`GeoLibrary`: the key scheme of awslabs' dynamodb-geo as written. The hash key is the first six
decimal digits of a 64-bit geohash, the range key the taxi, and a local index orders each partition by
the whole geohash. A search covers its circle with at most eight cells, and queries the index for each
run of them. The library's S2 cells are replaced by cells of our grid, stretched over the same numbers.

Nothing is stored: an item's key, its size and what was there before are all that the rules ask.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from bench.units import item_bytes, read_units, write_units
from chalicelib.foundation import geo
from chalicelib.foundation.cell_tree import ROOT_LEVEL
from chalicelib.foundation.geo import Circle
from chalicelib.taxis.positions import codec

_GEOHASH_6 = 15  # its level
_COVER = 8  # S2RegionCoverer's usual number of cells
_S2_NUMBERS = 6 * 2**61  # ids of the cells of six faces: twenty digits
_A_HASH_KEY = 10**14  # ids: dynamodb-geo takes the first six digits
_TIME = {"N": "1772452800"}


def _attributes(taxi: int) -> dict[str, dict[str, str]]:
    return {
        "taxi": {"S": codec.id_of(taxi)},
        "lon": {"N": "2.3522001"},
        "lat": {"N": "48.8566001"},
        "status": {"S": "free"},
        "seen_at": _TIME,
        "ttl": _TIME,
    }


@dataclass(slots=True)
class OnePerTaxi:
    """An item for each taxi, in the partition of its geohash-6."""

    writes: int = 0
    where: dict[int, int] = field(default_factory=dict)  # by taxi
    cells: dict[int, set[int]] = field(default_factory=dict)
    size: int = item_bytes({"geohash": {"S": "u09tvw"}, **_attributes(1)})

    def store(self, taxi: int, lng_e7: int, lat_e7: int) -> None:
        """A put; and a deletion where the taxi was elsewhere."""
        cell = geo.ancestor(geo.finest_cell(lng_e7, lat_e7), _GEOHASH_6)
        self.writes += write_units(self.size)
        before = self.where.get(taxi)
        if before != cell:
            if before is not None:
                self.writes += write_units(self.size)
                self.cells[before].discard(taxi)
            self.where[taxi] = cell
            self.cells.setdefault(cell, set()).add(taxi)

    def search(self, circle: Circle) -> tuple[float, int]:
        """Read units, eventually consistent, and queries."""
        touched = [
            cell for cell in geo.cells_over(circle.bounds(), _GEOHASH_6) if circle.may_touch(cell)
        ]
        sizes = [self.size * len(self.cells.get(cell, ())) for cell in touched]
        return sum(read_units(size, consistent=False) for size in sizes), len(touched)


@dataclass(slots=True)
class GeoLibrary:
    """The keys of dynamodb-geo: a put writes the table, and its index once or twice."""

    writes: int = 0
    where: dict[int, tuple[int, int, int]] = field(default_factory=dict)  # finest cell and point
    taxis: dict[int, set[int]] = field(default_factory=dict)  # by finest cell
    size: int = item_bytes(
        {
            "hashKey": {"N": "521234"},
            "geohash": {"N": "5212345678901234567"},
            "geoJson": {"S": '{"type":"POINT","coordinates":[2.3522001,48.8566001]}'},
            **_attributes(1),
        }
    )

    def store(self, taxi: int, lng_e7: int, lat_e7: int) -> None:
        """A put; the index's entry is replaced, or removed and put where its key changes."""
        cell = geo.finest_cell(lng_e7, lat_e7)
        unit = write_units(self.size)
        before = self.where.get(taxi)
        self.writes += unit  # the item
        if before is None:
            self.writes += unit
        elif before == (cell, lng_e7, lat_e7):
            self.writes += unit  # the index projects all attributes, the time among them
        else:
            self.writes += 2 * unit
            if _hash_key(before[0]) != _hash_key(cell):
                self.writes += unit  # the item under the old hash key
        if before is not None:
            self.taxis[before[0]].discard(taxi)
        self.where[taxi] = cell, lng_e7, lat_e7
        self.taxis.setdefault(cell, set()).add(taxi)

    def search(self, circle: Circle) -> tuple[float, int]:
        """Read units, eventually consistent as the library asks, and queries."""
        units, queries = 0.0, 0
        for first, last in _split(_runs(_cover(circle))):
            count = sum(len(self.taxis.get(cell, ())) for cell in range(first, last))
            units += read_units(self.size * count, consistent=False)
            queries += 1
        return units, queries


def _hash_key(finest: int) -> int:
    """The first digits of the number that stands for a finest cell."""
    number = (finest ^ 1 << 2 * geo.FINEST_LEVEL) * _S2_NUMBERS >> 2 * geo.FINEST_LEVEL
    return number // _A_HASH_KEY


def _cover(circle: Circle) -> list[int]:
    """The finest cells of one size, at most `_COVER`, that the circle's rectangle touches."""
    best: list[int] = []
    for level in range(ROOT_LEVEL, geo.FINEST_LEVEL + 1):
        cells = list(geo.cells_over(circle.bounds(), level))
        if best and len(cells) > _COVER:
            break
        best = cells
    return best


def _runs(cells: Iterable[int]) -> list[tuple[int, int]]:
    """The cells as runs of finest ones, from the first to before the last."""
    runs: list[tuple[int, int]] = []
    for cell in sorted(cells):
        shift = 2 * (geo.FINEST_LEVEL - geo.level(cell))
        first, last = cell << shift, cell + 1 << shift
        if runs and runs[-1][1] == first:
            runs[-1] = (runs[-1][0], last)
        else:
            runs.append((first, last))
    return runs


def _split(runs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same where each lies under one hash key."""
    split: list[tuple[int, int]] = []
    for first, last in runs:
        while _hash_key(first) != _hash_key(last - 1):
            low, high = first, last - 1
            while high - low > 1:
                middle = (low + high) // 2
                if _hash_key(middle) == _hash_key(first):
                    low = middle
                else:
                    high = middle
            split.append((first, high))
            first = high  # noqa: PLW2901  # what is left of it
        split.append((first, last))
    return split
