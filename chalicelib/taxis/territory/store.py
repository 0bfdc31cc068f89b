"""Borders and names of towns, shapes of zones, and stations in DynamoDB.

| question                 | table     | key                               | cost               | asked by           |
| ------------------------ | --------- | --------------------------------- | ------------------ | ------------------ |
| the borders round a      | territory | tile/<generation>/<cell>          | 2 units at most,   | GET /taxis, /zupc  |
| point                    |           |                                   | strong, cached     |                    |
| names of towns           | territory | names/<generation>/<2 letters>    | 1 or 2 units each, | POST /ads, /taxis; |
|                          |           |                                   | cached; 97 in all  | all: GET /towns    |
| a point in each          | territory | points/<generation>/departements  | 1 unit, cached     | GET /stats/adsmap  |
| departement              |           |                                   |                    |                    |
| the zones' shapes        | territory | zone/<generation>/<zone>          | 1 or 2 units each, | GET /zupc/live     |
|                          |           |                                   | cached             |                    |
| the stations             | territory | stations/<generation>/<number>    | 1 unit per 4 KB,   | GET /stations      |
|                          |           |                                   | cached             |                    |
| towns' whole outlines    | territory | outlines/<generation>/<3 letters> | some 1,000 units   | the desk, at a     |
|                          |           |                                   | for all            | load               |

All is written under a new generation, which nobody reads until one conditional write of
a small document (`editions.py`) names it: a load that is interrupted has changed nothing. The generation that was
current before stays until the next load, for processes that have not yet seen the change.

An item of outlines, names, zones or stations that is too large for one goes on in `<entry>/1` and so on; the
first says in `parts` how many there are, so that what fits in one costs no other reading.

A tile is read strongly, and so limited to 8 KB. Twice that could be read eventually for the same
two units, but a tile that a replica has not got yet would be taken for the open sea.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chalicelib.foundation.geo import E7, LngLat
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import reads
from chalicelib.foundation.store.reads import Item, Read
from chalicelib.foundation.values import replace
from chalicelib.taxis.territory import borders
from chalicelib.taxis.territory.borders import Outline, Shape
from chalicelib.taxis.territory.editions import Edition, Shelf
from chalicelib.taxis.territory.entries import bytes_of, entry_name, opened, part_entry
from chalicelib.taxis.territory.rules import Station, Tile


class GenerationGone(Exception):
    """An item that the edition names is not there: another edition has taken its place."""


def _items(entries: Iterable[str]) -> Read[dict[str, Item]]:
    """Those of the items that there are, by their entries and in their order."""
    keys = reads.keys("entry", entries)
    return Read(table("territory"), keys, lambda items: {one["entry"]["S"]: one for one in items})


def _read(entries: Sequence[str]) -> dict[str, Item]:
    """The items by their entries, in their order, each whole. Raises GenerationGone."""
    found = _parts(entries)
    further = {
        entry: [part_entry(entry, number) for number in range(1, int(item["parts"]["N"]))]
        for entry, item in found.items()
        if "parts" in item
    }
    rest = _parts([part for parts in further.values() for part in parts])
    for entry, parts in further.items():
        name = next(name for name, value in found[entry].items() if "B" in value)
        packed = b"".join(
            bytes_of(item, name) for item in (found[entry], *(rest[part] for part in parts))
        )
        found[entry] = {**found[entry], name: {"B": packed}}
    return found


def _parts(entries: Sequence[str]) -> dict[str, Item]:
    found: dict[str, Item] = {}
    # A page of BatchGetItem ends at 16 MB; these are at most 400 KB each.
    for start in range(0, len(entries), 40):
        some = reads.one(_items(entries[start : start + 40]))
        found |= some
    if len(found) < len(entries):
        raise GenerationGone(f"{len(entries) - len(found)} items of {entries[0]} are not there")
    return found


def tile_of(item: Item) -> Tile:
    """The tile of an item."""
    return Tile(tuple(item["towns"]["S"].split()), borders.unpack(bytes_of(item, "borders")))


def tiles(entries: Iterable[str]) -> Read[dict[str, Tile]]:
    """Those of the tiles that there are, by their entries."""
    return _items(entries).then(
        lambda found: {entry: tile_of(item) for entry, item in found.items()}
    )


def tile(entry: str) -> Tile:
    """Reads a tile. Raises GenerationGone."""
    return tile_of(_read([entry])[entry])


def names(entries: Sequence[str]) -> dict[str, dict[str, str]]:
    """For each entry the names of its towns by their codes. Raises GenerationGone."""
    return {entry: dict(opened(item, "towns")) for entry, item in _read(entries).items()}


def points(current: Edition) -> dict[str, LngLat]:
    """A point of each departement, by its number; none of an edition of before there were points."""
    found = reads.one(_items([entry_name("points", current.generation, "departements")]))
    return {
        numero: LngLat(lng_e7 / E7, lat_e7 / E7)
        for item in found.values()
        for numero, (lng_e7, lat_e7) in opened(item, "points").items()
    }


def outlines(current: Edition, begins: Iterable[str]) -> dict[str, Shape]:
    """The outlines of the towns whose codes begin with any of some prefixes. Raises GenerationGone."""
    entries = [entry_name("outlines", current.generation, prefix) for prefix in begins]
    found: dict[str, list[Outline]] = {}
    for item in _read(entries).values():
        sheet = tile_of(item)
        for insee, outline in zip(sheet.towns, sheet.outlines, strict=True):
            found.setdefault(insee, []).append(outline)
    return {insee: tuple(polygons) for insee, polygons in found.items()}


def zone_shapes(current: Edition) -> dict[str, Mapping[str, object]]:
    """Each zone's shape as a GeoJSON geometry. Raises GenerationGone."""
    entries = {
        entry_name("zone", current.shapes, zone.zone_id): zone.zone_id
        for zone in current.zones.zones
    }
    return {entries[entry]: opened(item, "geojson") for entry, item in _read(list(entries)).items()}


def stations(current: Shelf) -> list[Station]:
    """The stations, by id. Raises GenerationGone."""
    items = _read(
        [entry_name("stations", current.generation, str(n)) for n in range(current.parts)]
    )
    found = [_station_of(row) for item in items.values() for row in opened(item, "stations")]
    return sorted(found, key=lambda station: station.station_id)


def _station_of(row: Sequence[Any]) -> Station:
    *values, polygons = row
    shape = tuple(
        Outline(tuple(borders.Path(array("i", xs), array("i", ys)) for xs, ys in paths))
        for paths in polygons
    )
    return replace(Station(*values), polygons=shape)
