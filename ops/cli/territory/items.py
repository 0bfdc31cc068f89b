"""Items of the territory as they are stored.

Which items there are, and who reads them, is the table in `chalicelib/taxis/territory/store.py`.
"""

import json
import secrets
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import astuple

from chalicelib.foundation.geo import E7Point
from chalicelib.foundation.store.reads import Item
from chalicelib.taxis.territory import borders
from chalicelib.taxis.territory.borders import Outline, Shape
from chalicelib.taxis.territory.entries import (
    NAMES_PREFIX,
    OUTLINES_PREFIX,
    entry_name,
    part_entry,
    tile_entry,
)
from chalicelib.taxis.territory.rules import Station, Town
from ops.errors import CannotGoOn

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

TILE_BYTES = 8192  # of a whole item: two units of a strong read
# DynamoDB holds 400 KB in an item; the local one counts packed bytes by the text that they travel as,
# four for three.
ITEM_BYTES = 290 * 1024
_MARGIN = 1024  # for the entry, and for the number of parts


def squeezed(value: object) -> "AttributeValueTypeDef":
    return {"B": zlib.compress(json.dumps(value, separators=(",", ":")).encode(), 9)}


def new_generation() -> str:
    """A name that no generation has had."""
    return secrets.token_hex(6)


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


def divided(item: Item) -> Iterator[Item]:
    """An item as it is stored: packed bytes that one cannot hold go on in `<entry>/1` and so on.

    The first says in `parts` how many there are; whoever reads them puts them together again.
    """
    name = next(name for name, value in item.items() if "B" in value)
    packed, entry = bytes(item[name]["B"]), item["entry"]["S"]
    beside = item_bytes({other: value for other, value in item.items() if other != name})
    room = ITEM_BYTES - _MARGIN - beside
    if room < _MARGIN:
        raise CannotGoOn(f"{entry} has {beside} bytes beside its borders, too many for an item.")
    pieces = [packed[start : start + room] for start in range(0, len(packed), room)]
    if len(pieces) <= 1:
        yield item
        return
    yield {**item, name: {"B": pieces[0]}, "parts": {"N": str(len(pieces))}}
    for number, piece in enumerate(pieces[1:], start=1):
        yield {"entry": {"S": part_entry(entry, number)}, name: {"B": piece}}


def tile_item(generation: str, cell: int, pieces: Sequence[tuple[str, Outline]]) -> Item:
    """A tile as it is stored."""
    return _sheet(tile_entry(generation, cell), pieces)


def _by_prefix(towns: Iterable[Town], length: int) -> dict[str, list[Town]]:
    found: dict[str, list[Town]] = {}
    for town in sorted(towns):
        found.setdefault(town.insee[:length], []).append(town)
    return found


def prefixes(towns: Iterable[Town]) -> tuple[str, ...]:
    """The `Edition.prefixes` of towns."""
    return tuple(_by_prefix(towns, OUTLINES_PREFIX))


def names_items(generation: str, towns: Iterable[Town]) -> list[Item]:
    """The towns' names as they are stored."""
    return [
        {"entry": {"S": entry_name("names", generation, prefix)}, "towns": squeezed(some)}
        for prefix, some in _by_prefix(towns, NAMES_PREFIX).items()
    ]


def points_item(generation: str, points: Mapping[str, E7Point]) -> Item:
    """A point of each departement, by its number, as they are stored."""
    return {
        "entry": {"S": entry_name("points", generation, "departements")},
        "points": squeezed(points),
    }


def outlines_items(
    generation: str, towns: Iterable[Town], shapes: Mapping[str, Shape]
) -> Iterator[Item]:
    """The towns' whole outlines as they are stored, for the loads to come."""
    for prefix, some in _by_prefix(towns, OUTLINES_PREFIX).items():
        yield _sheet(
            entry_name("outlines", generation, prefix),
            [(town.insee, outline) for town in some for outline in shapes[town.insee]],
        )


def zone_item(generation: str, zone_id: str, geojson: Mapping[str, object]) -> Item:
    """A zone's shape as it is stored."""
    return {
        "entry": {"S": entry_name("zone", generation, zone_id)},
        "geojson": squeezed(geojson),
    }


_STATIONS_A_PART = 100  # read side by side; a part of large ones is divided as any item is


def stations_items(generation: str, stations: Sequence[Station]) -> list[Item]:
    """The stations as they are stored; as many items as `Shelf.parts` must say."""
    return [
        {
            "entry": {"S": entry_name("stations", generation, str(part))},
            "stations": squeezed(
                [_station_row(one) for one in stations[start : start + _STATIONS_A_PART]]
            ),
        }
        for part, start in enumerate(range(0, len(stations), _STATIONS_A_PART))
    ]


def _station_row(one: Station) -> list[object]:
    polygons = [
        [[list(path.xs), list(path.ys)] for path in outline.paths] for outline in one.polygons
    ]
    *values, _ = astuple(one)
    return [*values, polygons]
