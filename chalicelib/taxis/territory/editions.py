"""Small documents of the territory in DynamoDB: which generations, exclusions and conurbations are current.

| question                 | table  | key          | cost             | asked by          |
| ------------------------ | ------ | ------------ | ---------------- | ----------------- |
| where everything is, the | config | territory    | 2 units, strong, | any request       |
| zones' members, codes of |        |              | each 30 s        |                   |
| merged towns             |        |              |                  |                   |
| the exclusions           | config | exclusions   | the same call    | GET /taxis        |
| the conurbations         | config | conurbations | the same call    | GET /stats/letaxi |
| where the stations are   | config | stations     | the same call    | GET /stations     |

What they name is in `store.py`.
"""

import zlib
from collections.abc import Mapping
from functools import cached_property

from msgspec import Struct, field

from chalicelib.foundation import geo
from chalicelib.foundation.cell_tree import ROOT_LEVEL, CellTree
from chalicelib.foundation.geo import E7Point
from chalicelib.foundation.store import documents
from chalicelib.foundation.store.reads import Item
from chalicelib.taxis.territory import borders
from chalicelib.taxis.territory.entries import (
    NAMES_PREFIX,
    OUTLINES_PREFIX,
    bytes_of,
    entry_name,
    opened,
    tile_entry,
)
from chalicelib.taxis.territory.rules import NO_ZONES, Conurbation, Exclusion, Zone, Zones


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


def _edition(item: Item | None) -> Edition:
    if item is None:
        return Edition()
    keys = zlib.decompress(bytes_of(item, "tiles")).decode().split()
    return Edition(
        version=int(item["version"]["N"]),
        generation=item["generation"]["S"],
        tiles=frozenset(geo.from_key(key) for key in keys),
        prefixes=tuple(item["prefixes"]["S"].split()),
        zones=Zones(
            tuple(
                Zone(zone_id, number, nom, frozenset(members))
                for zone_id, number, nom, members in opened(item, "zones")
            )
        ),
        shapes=item["shapes"]["S"],
        merged={
            old: new
            for new, olds in (opened(item, "merged").items() if "merged" in item else ())
            for old in olds
        },
    )


def _exclusions(item: Item | None) -> Exclusions:
    if item is None:
        return Exclusions()
    found = [
        Exclusion(
            one["M"]["id"]["S"], one["M"]["name"]["S"], borders.unpack(bytes_of(one["M"], "shape"))
        )
        for one in item["exclusions"]["L"]
    ]
    return Exclusions(int(item["version"]["N"]), {one.exclusion_id: one for one in found})


def _conurbations(item: Item | None) -> Conurbations:
    if item is None:
        return Conurbations()
    found = [
        Conurbation(conurbation_id, name, declared_ads, frozenset(members))
        for conurbation_id, name, declared_ads, members in opened(item, "conurbations")
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
