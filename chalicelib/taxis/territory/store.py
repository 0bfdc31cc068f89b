"""Towns, zones, conurbations, exclusions and stations in DynamoDB.

| question                 | table     | key                               | cost               | asked by           |
| ------------------------ | --------- | --------------------------------- | ------------------ | ------------------ |
| where everything is, the | config    | territory                         | 2 units, strong,   | any request        |
| zones' members, codes of |           |                                   | each 30 s          |                    |
| merged towns             |           |                                   |                    |                    |
| the exclusions           | config    | exclusions                        | the same call      | GET /taxis         |
| the conurbations         | config    | conurbations                      | the same call      | GET /stats/letaxi  |
| the borders round a      | territory | tile/<generation>/<cell>          | 2 units at most,   | GET /taxis, /zupc  |
| point                    |           |                                   | strong, cached     |                    |
| names of towns           | territory | names/<generation>/<2 letters>    | 1 or 2 units each, | POST /ads, /taxis; |
|                          |           |                                   | cached; 97 in all  | all: GET /towns    |
| a point in each          | territory | points/<generation>/departements  | 1 unit, cached     | GET /stats/adsmap  |
| departement              |           |                                   |                    |                    |
| the zones' shapes        | territory | zone/<generation>/<zone>          | 1 or 2 units each, | GET /zupc/live     |
|                          |           |                                   | cached             |                    |
| where the stations are   | config    | stations                          | the same call      | GET /stations      |
| the stations             | territory | stations/<generation>/<number>    | 1 unit per 4 KB,   | GET /stations      |
|                          |           |                                   | cached             |                    |
| towns' whole outlines    | territory | outlines/<generation>/<3 letters> | some 1,000 units   | the desk, at a     |
|                          |           |                                   | for all            | load               |

What is large is written under a new generation, which nobody reads until one conditional write of
a small document names it: a load that is interrupted has changed nothing. The generation that was
current before stays until the next load, for processes that have not yet seen the change.

An item of outlines, names, zones or stations that is too large for one goes on in `<entry>/1` and so on; the
first says in `parts` how many there are, so that what fits in one costs no other reading.

A tile is read strongly, and so limited to 8 KB. Twice that could be read eventually for the same
two units, but a tile that a replica has not got yet would be taken for the open sea.
"""

import json
import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from chalicelib.foundation import geo
from chalicelib.foundation.cell_tree import ROOT_LEVEL, CellTree
from chalicelib.foundation.geo import E7, E7Point, LngLat
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import documents, reads
from chalicelib.foundation.store.reads import Item, Read
from chalicelib.foundation.values import replace
from chalicelib.taxis.territory import borders
from chalicelib.taxis.territory.borders import Outline, Shape
from chalicelib.taxis.territory.rules import (
    NO_ZONES,
    Conurbation,
    Exclusion,
    Station,
    Tile,
    Zone,
    Zones,
)

if TYPE_CHECKING:
    pass


NAMES_PREFIX, OUTLINES_PREFIX = 2, 3


class GenerationGone(Exception):
    """An item that the edition names is not there: another edition has taken its place."""


# --- small documents ------------------------------------------------------------------------------


class Edition(Struct, frozen=True, dict=True):
    """The document `territory`: where all of the territory's items are. `version` rises with each change."""

    version: int = 0
    generation: str = ""  # of tiles, names and outlines
    tiles: frozenset[int] = frozenset()  # the cells that have one
    prefixes: tuple[str, ...] = ()  # of the codes: three letters
    zones: Zones = NO_ZONES
    shapes: str = ""  # the generation of the zones' shapes
    merged: Mapping[str, str] = field(default_factory=dict)  # codes that are no town's, and the new

    @cached_property
    def _tree(self) -> CellTree:
        return CellTree(tile >> 1 for tile in self.tiles if geo.level(tile) > ROOT_LEVEL)

    def tile(self, point: E7Point) -> str | None:
        """The entry of the tile that holds a point; None at sea and abroad."""
        leaf = self._tree.leaf(geo.finest_cell(*point))
        return tile_entry(self.generation, leaf) if leaf in self.tiles else None

    def names(self, insee: str) -> str | None:
        """The entry that holds a town's name if there is such a town; None where there cannot be."""
        known = insee[:OUTLINES_PREFIX] in self.prefixes
        return entry_name("names", self.generation, insee[:NAMES_PREFIX]) if known else None

    def present(self, insee: str) -> str:
        """The code that a town has now: the new one where it has merged [contract: Merged towns]."""
        return self.merged.get(insee, insee)

    def all_names(self) -> list[str]:
        """The entries of all names."""
        begins = sorted({prefix[:NAMES_PREFIX] for prefix in self.prefixes})
        return [entry_name("names", self.generation, prefix) for prefix in begins]


class Shelf(Struct, frozen=True, dict=True):
    """The document `stations`: where the stations' items are."""

    version: int = 0
    generation: str = ""
    parts: int = 0


class Exclusions(Struct, frozen=True, dict=True):
    """The document `exclusions`: all exclusions, by id."""

    version: int = 0
    exclusions: Mapping[str, Exclusion] = field(default_factory=dict)


class Conurbations(Struct, frozen=True, dict=True):
    """The document `conurbations`: all conurbations, by id."""

    version: int = 0
    conurbations: tuple[Conurbation, ...] = ()


def _opened(item: Item, name: str) -> Any:  # noqa: ANN401  # JSON of our own writing
    return json.loads(zlib.decompress(_bytes(item, name)))


def _bytes(item: Item, name: str) -> bytes:
    return bytes(item[name]["B"])


def _edition(item: Item | None) -> Edition:
    if item is None:
        return Edition()
    keys = zlib.decompress(_bytes(item, "tiles")).decode().split()
    return Edition(
        version=int(item["version"]["N"]),
        generation=item["generation"]["S"],
        tiles=frozenset(geo.from_key(key) for key in keys),
        prefixes=tuple(item["prefixes"]["S"].split()),
        zones=Zones(
            tuple(
                Zone(zone_id, number, nom, frozenset(members))
                for zone_id, number, nom, members in _opened(item, "zones")
            )
        ),
        shapes=item["shapes"]["S"],
        merged={
            old: new
            for new, olds in (_opened(item, "merged").items() if "merged" in item else ())
            for old in olds
        },
    )


def _exclusions(item: Item | None) -> Exclusions:
    if item is None:
        return Exclusions()
    found = [
        Exclusion(
            one["M"]["id"]["S"], one["M"]["name"]["S"], borders.unpack(_bytes(one["M"], "shape"))
        )
        for one in item["exclusions"]["L"]
    ]
    return Exclusions(int(item["version"]["N"]), {one.exclusion_id: one for one in found})


def _conurbations(item: Item | None) -> Conurbations:
    if item is None:
        return Conurbations()
    found = [
        Conurbation(conurbation_id, name, declared_ads, frozenset(members))
        for conurbation_id, name, declared_ads, members in _opened(item, "conurbations")
    ]
    return Conurbations(int(item["version"]["N"]), tuple(found))


def _shelf(item: Item | None) -> Shelf:
    if item is None:
        return Shelf()
    return Shelf(int(item["version"]["N"]), item["generation"]["S"], int(item["parts"]["N"]))


edition: documents.Document[Edition] = documents.Document("territory", _edition)
exclusions: documents.Document[Exclusions] = documents.Document("exclusions", _exclusions)
conurbations: documents.Document[Conurbations] = documents.Document("conurbations", _conurbations)
shelf: documents.Document[Shelf] = documents.Document("stations", _shelf)


# --- what a generation is made of -----------------------------------------------------------------


def entry_name(kind: str, generation: str, name: str) -> str:
    return f"{kind}/{generation}/{name}"


def part_entry(entry: str, number: int) -> str:
    """Where an item goes on that is too large for one; the first part is the entry itself."""
    return f"{entry}/{number}"


def tile_entry(generation: str, cell: int) -> str:
    return entry_name("tile", generation, geo.key(cell))


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
            _bytes(item, name) for item in (found[entry], *(rest[part] for part in parts))
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
    return Tile(tuple(item["towns"]["S"].split()), borders.unpack(_bytes(item, "borders")))


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
    return {entry: dict(_opened(item, "towns")) for entry, item in _read(entries).items()}


def points(current: Edition) -> dict[str, LngLat]:
    """A point of each departement, by its number; none of an edition of before there were points."""
    found = reads.one(_items([entry_name("points", current.generation, "departements")]))
    return {
        numero: LngLat(lng_e7 / E7, lat_e7 / E7)
        for item in found.values()
        for numero, (lng_e7, lat_e7) in _opened(item, "points").items()
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
    return {
        entries[entry]: _opened(item, "geojson") for entry, item in _read(list(entries)).items()
    }


def stations(current: Shelf) -> list[Station]:
    """The stations, by id. Raises GenerationGone."""
    items = _read(
        [entry_name("stations", current.generation, str(n)) for n in range(current.parts)]
    )
    found = [_station_of(row) for item in items.values() for row in _opened(item, "stations")]
    return sorted(found, key=lambda station: station.station_id)


def _station_of(row: Sequence[Any]) -> Station:
    *values, polygons = row
    shape = tuple(
        Outline(tuple(borders.Path(array("i", xs), array("i", ys)) for xs, ys in paths))
        for paths in polygons
    )
    return replace(Station(*values), polygons=shape)
