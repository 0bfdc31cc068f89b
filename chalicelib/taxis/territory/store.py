"""Towns, zones, conurbations, exclusions and stations in DynamoDB.

| question                 | table     | key                               | cost               | asked by           |
| ------------------------ | --------- | --------------------------------- | ------------------ | ------------------ |
| where everything is, and | config    | territory                         | 2 units, strong,   | any request        |
| the zones' members       |           |                                   | each 30 s          |                    |
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

A tile is read strongly, and so limited to 8 KB. Twice that could be read eventually for the same
two units, but a tile that a replica has not got yet would be taken for the open sea.
"""

import json
import random
import secrets
import time
import zlib
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import astuple

from chalicelib.foundation import geo
from chalicelib.foundation.aws import clients
from chalicelib.foundation.cell_tree import ROOT_LEVEL, CellTree
from chalicelib.foundation.geo import E7, E7Point, LngLat
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import documents, reads
from chalicelib.foundation.store.reads import Item
from chalicelib.foundation.values import replace
from chalicelib.taxis.territory import borders
from chalicelib.taxis.territory.borders import Outline, Shape
from chalicelib.taxis.territory.rules import (
    NO_ZONES,
    Conurbation,
    Exclusion,
    Station,
    Tile,
    Town,
    Zone,
    Zones,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

TILE_BYTES = 8192  # of a whole item: two units of a strong read

_NAMES_PREFIX, _OUTLINES_PREFIX = 2, 3


class GenerationGone(Exception):
    """An item that the edition names is not there: another edition has taken its place."""


class LoadOvertaken(Exception):
    """Another load has changed the same documents since this one began."""


# --- small documents ------------------------------------------------------------------------------


class Edition(Struct, frozen=True, dict=True):
    """Where everything is: what the document `territory` says. `version` rises with each change."""

    version: int = 0
    generation: str = ""  # of tiles, names and outlines
    tiles: frozenset[int] = frozenset()  # the cells that have one
    prefixes: tuple[str, ...] = ()  # of the codes: three letters
    zones: Zones = NO_ZONES
    shapes: str = ""  # the generation of the zones' shapes

    @cached_property
    def _tree(self) -> CellTree:
        return CellTree(tile >> 1 for tile in self.tiles if geo.level(tile) > ROOT_LEVEL)

    def tile(self, point: E7Point) -> str | None:
        """The entry of the tile that holds a point; None at sea and abroad."""
        leaf = self._tree.leaf(geo.finest_cell(*point))
        return _tile_entry(self.generation, leaf) if leaf in self.tiles else None

    def names(self, insee: str) -> str | None:
        """The entry that holds a town's name if there is such a town; None where there cannot be."""
        known = insee[:_OUTLINES_PREFIX] in self.prefixes
        return _entry("names", self.generation, insee[:_NAMES_PREFIX]) if known else None

    def all_names(self) -> list[str]:
        """The entries of all names."""
        begins = sorted({prefix[:_NAMES_PREFIX] for prefix in self.prefixes})
        return [_entry("names", self.generation, prefix) for prefix in begins]


class Shelf(Struct, frozen=True, dict=True):
    """Where the stations are: what the document `stations` says."""

    version: int = 0
    generation: str = ""
    parts: int = 0


class Exclusions(Struct, frozen=True, dict=True):
    """What the document `exclusions` says, by id."""

    version: int = 0
    exclusions: Mapping[str, Exclusion] = field(default_factory=dict)


class Conurbations(Struct, frozen=True, dict=True):
    """What the document `conurbations` says, by id."""

    version: int = 0
    conurbations: tuple[Conurbation, ...] = ()


def _squeezed(value: object) -> "AttributeValueTypeDef":
    return {"B": zlib.compress(json.dumps(value, separators=(",", ":")).encode(), 9)}


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


def switch_edition(to: Edition) -> None:
    """Makes an edition the current one. Its version is one more than that of the edition it replaces.

    Raises LoadOvertaken.
    """
    _switch(
        edition.name,
        to.version,
        {
            "generation": {"S": to.generation},
            "tiles": {"B": zlib.compress(" ".join(map(geo.key, sorted(to.tiles))).encode(), 9)},
            "prefixes": {"S": " ".join(to.prefixes)},
            "zones": _squeezed(
                [
                    [zone.zone_id, zone.number, zone.nom, sorted(zone.members)]
                    for zone in to.zones.zones
                ]
            ),
            "shapes": {"S": to.shapes},
        },
    )


def switch_exclusions(to: Exclusions) -> None:
    """Makes these exclusions the current ones. Raises LoadOvertaken."""
    _switch(
        exclusions.name,
        to.version,
        {
            "exclusions": {
                "L": [
                    {
                        "M": {
                            "id": {"S": one.exclusion_id},
                            "name": {"S": one.name},
                            "shape": {"B": borders.pack(one.shape)},
                        }
                    }
                    for one in to.exclusions.values()
                ]
            }
        },
    )


def switch_conurbations(to: Conurbations) -> None:
    """Makes these conurbations the current ones. Raises LoadOvertaken."""
    rows = [
        [one.conurbation_id, one.name, one.declared_ads, sorted(one.members)]
        for one in to.conurbations
    ]
    _switch(conurbations.name, to.version, {"conurbations": _squeezed(rows)})


def switch_shelf(to: Shelf) -> None:
    """Makes these stations the current ones. Raises LoadOvertaken."""
    _switch(
        shelf.name,
        to.version,
        {"generation": {"S": to.generation}, "parts": {"N": str(to.parts)}},
    )


def _switch(name: str, version: int, attributes: "Mapping[str, AttributeValueTypeDef]") -> None:
    condition = "attribute_not_exists(#name)" if version == 1 else "version = :before"
    try:
        clients.dynamodb().put_item(
            TableName=table("config"),
            Item={"name": {"S": name}, "version": {"N": str(version)}, **attributes},
            ConditionExpression=condition,
            **(
                {"ExpressionAttributeNames": {"#name": "name"}}
                if version == 1
                else {"ExpressionAttributeValues": {":before": {"N": str(version - 1)}}}
            ),
        )
    except clients.dynamodb().exceptions.ConditionalCheckFailedException as error:
        raise LoadOvertaken(f"the document {name} was changed by another load meanwhile") from error
    documents.forget()


# --- what a generation is made of -----------------------------------------------------------------


def new_generation() -> str:
    """A name that no generation has had."""
    return secrets.token_hex(6)


def _entry(kind: str, generation: str, name: str) -> str:
    return f"{kind}/{generation}/{name}"


def _tile_entry(generation: str, cell: int) -> str:
    return _entry("tile", generation, geo.key(cell))


def want(entries: Iterable[str]) -> reads.Want:
    """Items of the territory, as a read that may ride along with another."""
    return reads.Want(table("territory"), [{"entry": {"S": entry}} for entry in entries])


def entry_of(item: Item) -> str:
    """The entry of an item that was read."""
    return item["entry"]["S"]


def _read(entries: Sequence[str]) -> list[Item]:
    """The items, in the same order. Raises GenerationGone."""
    found: list[Item] = []
    # A page of BatchGetItem ends at 16 MB; these are at most 400 KB each.
    for start in range(0, len(entries), 40):
        found += reads.fetch(want(entries[start : start + 40]))[0]
    if len(found) < len(entries):
        raise GenerationGone(f"{len(entries) - len(found)} items of {entries[0]} are not there")
    return found


def _sheet(entry: str, pieces: Sequence[tuple[str, Outline]]) -> Item:
    """Polygons and their towns: what tiles and stored outlines look like."""
    return {
        "entry": {"S": entry},
        "towns": {"S": " ".join(insee for insee, _ in pieces)},
        "borders": {"B": borders.pack([outline for _, outline in pieces])},
    }


def item_bytes(item: Item) -> int:
    """The size of an item of texts and bytes, as DynamoDB counts it."""
    return sum(
        len(name) + len(value.get("B") or str(value["S"]).encode()) for name, value in item.items()
    )


def tile_item(generation: str, cell: int, pieces: Sequence[tuple[str, Outline]]) -> Item:
    """A tile as it is stored."""
    return _sheet(_tile_entry(generation, cell), pieces)


def tile_of(item: Item) -> Tile:
    """The tile of an item."""
    return Tile(tuple(item["towns"]["S"].split()), borders.unpack(_bytes(item, "borders")))


def tile(entry: str) -> Tile:
    """Reads a tile. Raises GenerationGone."""
    return tile_of(_read([entry])[0])


def _by_prefix(towns: Iterable[Town], length: int) -> dict[str, list[Town]]:
    found: dict[str, list[Town]] = {}
    for town in sorted(towns):
        found.setdefault(town.insee[:length], []).append(town)
    return found


def prefixes(towns: Iterable[Town]) -> tuple[str, ...]:
    """The `Edition.prefixes` of towns."""
    return tuple(_by_prefix(towns, _OUTLINES_PREFIX))


def names_items(generation: str, towns: Iterable[Town]) -> list[Item]:
    """The towns' names as they are stored."""
    return [
        {"entry": {"S": _entry("names", generation, prefix)}, "towns": _squeezed(some)}
        for prefix, some in _by_prefix(towns, _NAMES_PREFIX).items()
    ]


def names(entries: Sequence[str]) -> dict[str, dict[str, str]]:
    """For each entry the names of its towns by their codes. Raises GenerationGone."""
    return {entry_of(item): dict(_opened(item, "towns")) for item in _read(entries)}


def points_item(generation: str, points: Mapping[str, E7Point]) -> Item:
    """A point of each departement, by its number, as they are stored."""
    return {
        "entry": {"S": _entry("points", generation, "departements")},
        "points": _squeezed(points),
    }


def points(current: Edition) -> dict[str, LngLat]:
    """A point of each departement, by its number; none of an edition of before there were points."""
    items = reads.fetch(want([_entry("points", current.generation, "departements")]))[0]
    return {
        numero: LngLat(lng_e7 / E7, lat_e7 / E7)
        for item in items
        for numero, (lng_e7, lat_e7) in _opened(item, "points").items()
    }


def outlines_items(
    generation: str, towns: Iterable[Town], shapes: Mapping[str, Shape]
) -> Iterator[Item]:
    """The towns' whole outlines as they are stored, for the loads to come."""
    for prefix, some in _by_prefix(towns, _OUTLINES_PREFIX).items():
        yield _sheet(
            _entry("outlines", generation, prefix),
            [(town.insee, outline) for town in some for outline in shapes[town.insee]],
        )


def outlines(current: Edition, begins: Iterable[str]) -> dict[str, Shape]:
    """The outlines of the towns whose codes begin with any of some prefixes. Raises GenerationGone."""
    entries = [_entry("outlines", current.generation, prefix) for prefix in begins]
    found: dict[str, list[Outline]] = {}
    for item in _read(entries):
        sheet = tile_of(item)
        for insee, outline in zip(sheet.towns, sheet.outlines, strict=True):
            found.setdefault(insee, []).append(outline)
    return {insee: tuple(polygons) for insee, polygons in found.items()}


def zone_item(generation: str, zone_id: str, geojson: Mapping[str, object]) -> Item:
    """A zone's shape as it is stored."""
    return {
        "entry": {"S": _entry("zone", generation, zone_id)},
        "geojson": _squeezed(geojson),
    }


def zone_shapes(current: Edition) -> dict[str, Mapping[str, object]]:
    """Each zone's shape as a GeoJSON geometry. Raises GenerationGone."""
    entries = {
        _entry("zone", current.shapes, zone.zone_id): zone.zone_id for zone in current.zones.zones
    }
    return {entries[entry_of(item)]: _opened(item, "geojson") for item in _read(list(entries))}


_STATIONS_A_PART = 100  # even if each is drawn with as many corners as the desk allows


def stations_items(generation: str, stations: Sequence[Station]) -> list[Item]:
    """The stations as they are stored; as many items as `Shelf.parts` must say."""
    return [
        {
            "entry": {"S": _entry("stations", generation, str(part))},
            "stations": _squeezed(
                [_station_row(one) for one in stations[start : start + _STATIONS_A_PART]]
            ),
        }
        for part, start in enumerate(range(0, len(stations), _STATIONS_A_PART))
    ]


def stations(current: Shelf) -> list[Station]:
    """The stations, by id. Raises GenerationGone."""
    items = _read([_entry("stations", current.generation, str(n)) for n in range(current.parts)])
    found = [_station_of(row) for item in items for row in _opened(item, "stations")]
    return sorted(found, key=lambda station: station.station_id)


def _station_row(one: Station) -> list[object]:
    polygons = [
        [[list(path.xs), list(path.ys)] for path in outline.paths] for outline in one.polygons
    ]
    *values, _ = astuple(one)
    return [*values, polygons]


def _station_of(row: Sequence[Any]) -> Station:
    *values, polygons = row
    shape = tuple(
        Outline(tuple(borders.Path(array("i", xs), array("i", ys)) for xs, ys in paths))
        for paths in polygons
    )
    return replace(Station(*values), polygons=shape)


# --- writing --------------------------------------------------------------------------------------

_ITEMS_A_CALL = 25  # BatchWriteItem's limit
_TRIES = 8


def put_all(items: Iterable[Item], *, done: Callable[[int], None] = lambda _: None) -> int:
    """Writes items of the territory and returns how many. `done` hears the count as it grows."""
    return _write_all(({"PutRequest": {"Item": item}} for item in items), done)


def _write_all(requests: Iterable[Mapping[str, object]], done: Callable[[int], None]) -> int:
    batch: list[Mapping[str, object]] = []
    written = 0
    with ThreadPoolExecutor(4) as pool:
        waiting = []
        for request in requests:
            batch.append(request)
            if len(batch) == _ITEMS_A_CALL:
                waiting.append(pool.submit(_write, batch))
                batch = []
            # Neither more in memory than the threads can write, nor a thread without work.
            while len(waiting) > 8 or (waiting and waiting[0].done()):
                written += waiting.pop(0).result()
                done(written)
        if batch:
            waiting.append(pool.submit(_write, batch))
        for left in waiting:
            written += left.result()
            done(written)
    return written


def _write(batch: Sequence[Mapping[str, object]]) -> int:
    """One BatchWriteItem, and again for what was left unprocessed. Raises StoreBusy."""
    left: object = list(batch)
    for attempt in range(_TRIES):
        answer = clients.dynamodb().batch_write_item(RequestItems={table("territory"): left})  # type: ignore[dict-item]
        left = answer.get("UnprocessedItems", {}).get(table("territory"))
        if not left:
            return len(batch)
        time.sleep(random.uniform(0.5, 1) * 0.05 * 2**attempt)  # noqa: S311  # jitter, no secret
    raise reads.StoreBusy(f"DynamoDB left writes unprocessed {_TRIES} times")


def clear(kinds: Collection[str], *, but: Collection[str]) -> int:
    """Deletes the items of every generation of some kinds except those named; a scan, for the desk.

    Returns how many they were.
    """
    pages = (
        clients.dynamodb()
        .get_paginator("scan")
        .paginate(TableName=table("territory"), ProjectionExpression="entry", ConsistentRead=True)
    )
    dead = [
        entry
        for page in pages
        for item in page["Items"]
        if (entry := item["entry"]["S"]).split("/")[0] in kinds and entry.split("/")[1] not in but
    ]
    return _write_all(
        ({"DeleteRequest": {"Key": {"entry": {"S": entry}}}} for entry in dead), lambda _: None
    )


def clear_territory(before: Edition, after: Edition) -> int:
    """Deletes what neither edition names: leftovers of loads that were interrupted, and older ones."""
    return clear(
        {"tile", "names", "points", "outlines", "zone"},
        but={before.generation, before.shapes, after.generation, after.shapes},
    )
