"""Loads of the territory into DynamoDB: new generations of its items, and the documents that name them.

Which items there are, and who reads them, is the table in `chalicelib/taxis/territory/store.py`.
"""

import json
import secrets
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from msgspec.structs import astuple

from chalicelib.foundation import geo
from chalicelib.foundation.aws import clients
from chalicelib.foundation.geo import E7Point
from chalicelib.foundation.retry import Retry
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import documents, reads
from chalicelib.foundation.store.reads import Item
from chalicelib.taxis.territory import borders, store
from chalicelib.taxis.territory.borders import Outline, Shape
from chalicelib.taxis.territory.rules import (
    Station,
    Town,
)
from chalicelib.taxis.territory.store import (
    NAMES_PREFIX,
    OUTLINES_PREFIX,
    Conurbations,
    Edition,
    Exclusions,
    Shelf,
    entry_name,
    tile_entry,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

TILE_BYTES = 8192  # of a whole item: two units of a strong read


class LoadOvertaken(Exception):
    """Another load has changed the same documents since this one began."""


def _squeezed(value: object) -> "AttributeValueTypeDef":
    return {"B": zlib.compress(json.dumps(value, separators=(",", ":")).encode(), 9)}


def switch_edition(to: Edition) -> None:
    """Makes an edition the current one. Its version is one more than that of the edition it replaces.

    Raises LoadOvertaken.
    """
    _switch(
        store.edition.name,
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
        store.exclusions.name,
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
    _switch(store.conurbations.name, to.version, {"conurbations": _squeezed(rows)})


def switch_shelf(to: Shelf) -> None:
    """Makes these stations the current ones. Raises LoadOvertaken."""
    _switch(
        store.shelf.name,
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
        {"entry": {"S": entry_name("names", generation, prefix)}, "towns": _squeezed(some)}
        for prefix, some in _by_prefix(towns, NAMES_PREFIX).items()
    ]


def points_item(generation: str, points: Mapping[str, E7Point]) -> Item:
    """A point of each departement, by its number, as they are stored."""
    return {
        "entry": {"S": entry_name("points", generation, "departements")},
        "points": _squeezed(points),
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
        "geojson": _squeezed(geojson),
    }


_STATIONS_A_PART = 100  # even if each is drawn with as many corners as the desk allows


def stations_items(generation: str, stations: Sequence[Station]) -> list[Item]:
    """The stations as they are stored; as many items as `Shelf.parts` must say."""
    return [
        {
            "entry": {"S": entry_name("stations", generation, str(part))},
            "stations": _squeezed(
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


_ITEMS_A_CALL = 25  # BatchWriteItem's limit


_UNPROCESSED = Retry(tries=8, pause_s=0.05)  # of what DynamoDB leaves: some 6 s in all


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
    for _ in _UNPROCESSED.attempts():
        answer = clients.dynamodb().batch_write_item(RequestItems={table("territory"): left})  # type: ignore[dict-item]
        left = answer.get("UnprocessedItems", {}).get(table("territory"))
        if not left:
            return len(batch)
    raise reads.StoreBusy(f"DynamoDB left writes unprocessed {_UNPROCESSED.tries} times")


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
