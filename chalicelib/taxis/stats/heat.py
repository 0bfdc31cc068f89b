"""Heat maps: how much there is in cells of geohash 6, some 800 by 600 m: pure."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from chalicelib.foundation import geo

HEAVIEST = 20_000  # cells of a map

# Latitude and longitude of a cell's centre, and its weight.
Points = list[tuple[float, float, int]]


class Cell(Struct, frozen=True):
    """How much there is in a cell."""

    geohash: str
    weight: int


def heaviest(weights: Mapping[str, int]) -> list[Cell]:
    """The `HEAVIEST` cells, heaviest first; equals by name."""
    ordered = sorted(weights.items(), key=lambda cell: (-cell[1], cell[0]))
    return [Cell(*cell) for cell in ordered[:HEAVIEST]]


def points(cells: Iterable[Cell]) -> Points:
    """The cells as their centres, in the same order."""
    centres = ((geo.geohash_centre(cell.geohash), cell.weight) for cell in cells)
    return [(centre.lat, centre.lng, weight) for centre, weight in centres]
