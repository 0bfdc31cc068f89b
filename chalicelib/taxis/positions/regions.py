"""Regions, the partition keys of the stream of positions, by place: pure.

A region is the partition key of the stream, so that the taxis of a cell are normally written by one
shard, once a window. Nothing but that rests on it. A place belongs to the nearest metropolitan
centre, decided for a whole level-9 cell (about 51 by 39 km), so that no finer cell lies in two.
"""

from functools import lru_cache

from chalicelib.foundation import geo
from chalicelib.foundation.cell_tree import ROOT_LEVEL
from chalicelib.foundation.geo import E7, LngLat

# The chief towns of the largest urban areas, one for each part of the country (INSEE, aires
# d'attraction des villes 2020), and one for each ocean.
CENTRES = {
    "ajaccio": LngLat(8.7386, 41.9192),
    "bordeaux": LngLat(-0.5792, 44.8378),
    "clermont-ferrand": LngLat(3.0870, 45.7772),
    "dijon": LngLat(5.0415, 47.3220),
    "lille": LngLat(3.0573, 50.6292),
    "limoges": LngLat(1.2611, 45.8336),
    "lyon": LngLat(4.8357, 45.7640),
    "marseille": LngLat(5.3698, 43.2965),
    "montpellier": LngLat(3.8767, 43.6108),
    "nantes": LngLat(-1.5536, 47.2184),
    "nice": LngLat(7.2620, 43.7102),
    "paris": LngLat(2.3522, 48.8566),
    "pointe-a-pitre": LngLat(-61.5331, 16.2411),
    "rennes": LngLat(-1.6778, 48.1173),
    "rouen": LngLat(1.0993, 49.4432),
    "saint-denis": LngLat(55.4504, -20.8789),
    "strasbourg": LngLat(7.7521, 48.5734),
    "toulouse": LngLat(1.4442, 43.6047),
    "tours": LngLat(0.6848, 47.3941),
}

_SIDE = 1 << ROOT_LEVEL
_HALF_TURN_E7, _QUARTER_TURN_E7 = 180 * E7, 90 * E7
_COLUMN_E7, _ROW_E7 = 360 * E7 // _SIDE, 180 * E7 // _SIDE  # both are whole


def region_at(lng_e7: int, lat_e7: int) -> str:
    """The region of a point: a key of `CENTRES`."""
    return _region_of(
        (lng_e7 + _HALF_TURN_E7) // _COLUMN_E7, (lat_e7 + _QUARTER_TURN_E7) // _ROW_E7
    )


@lru_cache(maxsize=4096)
def _region_of(column: int, row: int) -> str:
    # The east and north edges of the world belong to its last cells
    column, row = min(column, _SIDE - 1), min(row, _SIDE - 1)
    rectangle = geo.box(geo.cell_at(column, row, ROOT_LEVEL))
    middle = LngLat((rectangle.west + rectangle.east) / 2, (rectangle.south + rectangle.north) / 2)
    return min(CENTRES, key=lambda name: geo.distance_m(middle, CENTRES[name]))
