"""Towns, zones and exclusions of a point, and the lists of towns, zones and stations."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from chalicelib.foundation import departements
from chalicelib.foundation.cache import Memory
from chalicelib.foundation.geo import E7, LngLat, to_e7
from chalicelib.foundation.store import documents, reads
from chalicelib.foundation.store.reads import Read
from chalicelib.foundation.values import replace
from chalicelib.taxis.settings import settings
from chalicelib.taxis.territory import editions, interior, rules, store
from chalicelib.taxis.territory.editions import Edition
from chalicelib.taxis.territory.rules import (
    NOWHERE,
    Conurbation,
    Gazetteer,
    Place,
    Station,
    Tile,
    Town,
    Zone,
)

T = TypeVar("T")

# What belongs to a generation never changes, and each entry names its generation: what is old is
# only pushed out.
_A_DAY_S = 86_400.0
_tiles: Memory[str, Tile] = Memory(lambda: settings().territory_cache_tiles, lambda: _A_DAY_S)
_names: Memory[str, dict[str, str]] = Memory(lambda: 512, lambda: _A_DAY_S)
_interiors: Memory[str, LngLat] = Memory(lambda: 40_000, lambda: _A_DAY_S)
_points: Memory[str, Mapping[str, LngLat]] = Memory(lambda: 1, lambda: _A_DAY_S)
_gazetteer: Memory[str, Gazetteer] = Memory(lambda: 1, lambda: _A_DAY_S)
_stations: Memory[str, Sequence[Station]] = Memory(lambda: 1, lambda: _A_DAY_S)
_shapes: Memory[str, Mapping[str, Mapping[str, object]]] = Memory(lambda: 1, lambda: _A_DAY_S)


def _in_edition(ask: Callable[[Edition], T]) -> T:
    """What the current edition says; asked once more where another has just taken its place.

    Raises GenerationGone where the edition is broken.
    """
    try:
        return ask(editions.edition.current())
    except store.GenerationGone:
        documents.forget()
        return ask(editions.edition.current())


def place(point: LngLat) -> Read[Place]:
    """The towns of a point: at most two units, none where the tile is at hand.

    Where a load comes between asking and understanding, it reads once more.
    """
    entry = editions.edition.current().tile(to_e7(point))
    missing = [] if entry is None or _tiles.get(entry) is not None else [entry]

    def understood(tiles: Mapping[str, Tile]) -> Place:
        _tiles.put_many(tiles)
        return _in_edition(lambda edition: _place(edition, point))

    return store.tiles(missing).then(understood)


def _place(edition: Edition, point: LngLat) -> Place:
    where = to_e7(point)
    entry = edition.tile(where)
    if entry is None:
        return NOWHERE
    tile = _tiles.get(entry)
    if tile is None:
        tile = store.tile(entry)
        _tiles.put(entry, tile)
    towns = tile.towns_at(where)
    return Place(towns, edition.zones.allowed_in(towns[0])) if towns else NOWHERE


def place_of(point: LngLat) -> Place:
    """The same, read alone."""
    return reads.one(place(point))


def excluded(point: LngLat) -> bool:
    """Whether nobody may pick up at a point: the exclusions' exact shapes, borders included."""
    return rules.is_excluded(to_e7(point), editions.exclusions.current().exclusions.values())


def zones_of(towns: Collection[str]) -> list[Zone]:
    """The zones that hold any of the towns, by number."""
    return editions.edition.current().zones.of(towns)


def zones() -> tuple[Zone, ...]:
    """All zones, by number."""
    return editions.edition.current().zones.zones


def conurbations() -> tuple[Conurbation, ...]:
    """All conurbations, by id, with the present codes of their members; from documents at hand."""
    present = editions.edition.current().present
    return tuple(
        replace(one, members=frozenset(map(present, one.members)))
        for one in editions.conurbations.current().conurbations
    )


def drawn_zones() -> list[tuple[Zone, Mapping[str, object]]]:
    """All zones by number, each with its shape: the union of its towns as a GeoJSON geometry."""

    def ask(edition: Edition) -> list[tuple[Zone, Mapping[str, object]]]:
        shapes = _shapes.get(edition.shapes)
        if shapes is None:
            shapes = store.zone_shapes(edition)
            _shapes.put(edition.shapes, shapes)
        return [(zone, shapes[zone.zone_id]) for zone in edition.zones.zones]

    return _in_edition(ask)


def _of_entries(entries: Sequence[str]) -> dict[str, str]:
    """Codes and names of all towns of these entries."""
    at_hand = _names.completed(entries, store.names)
    return {insee: name for some in at_hand.values() for insee, name in some.items()}


def town_names(insees: Collection[str]) -> Mapping[str, str]:
    """The names of those of the towns that there are; of a merged one, that of the new town."""

    def ask(edition: Edition) -> Mapping[str, str]:
        present = {insee: edition.present(insee) for insee in insees}
        entries = {entry for one in present.values() if (entry := edition.names(one)) is not None}
        known = _of_entries(sorted(entries))
        return {insee: known[one] for insee, one in present.items() if one in known}

    return _in_edition(ask)


def present_code(insee: str) -> str:
    """The code that a town has now: the new one where it has merged; from a document at hand."""
    return editions.edition.current().present(insee)


def town_exists(insee: str) -> bool:
    """Whether a town has this code, or had it before it merged."""
    return insee in town_names([insee])


def interior_point(insee: str) -> LngLat | None:
    """A point well inside a town, the same for as long as its borders are; None for no town of ours."""

    def ask(edition: Edition) -> LngLat | None:
        if edition.names(insee) is None:
            return None
        name = f"{edition.generation}/{insee}"
        found = _interiors.get(name)
        if found is None:
            shape = store.outlines(edition, [insee[:3]]).get(insee, ())
            inside = interior.interior_point(shape)
            if inside is None:
                return None
            found = LngLat(inside.lng_e7 / E7, inside.lat_e7 / E7)
            _interiors.put(name, found)
        return found

    return _in_edition(ask)


def departement_names() -> Mapping[str, str]:
    """The departements' names, by number."""
    return departements.NAMES


def departement_points() -> Mapping[str, LngLat]:
    """A point inside the union of each departement's towns, by its number (three characters overseas).

    Only for departements that have towns here. One read of one unit, none where they are at hand.
    """

    def ask(edition: Edition) -> Mapping[str, LngLat]:
        found = _points.get(edition.generation)
        if found is None:
            found = store.points(edition)
            _points.put(edition.generation, found)
        return found

    return _in_edition(ask)


def towns(search: str = "") -> Sequence[Town]:
    """The towns whose names begin with `search` (see `Gazetteer.beginning`), by name."""

    def ask(edition: Edition) -> Gazetteer:
        found = _gazetteer.get(edition.generation)
        if found is None:
            known = _of_entries(edition.all_names())
            found = Gazetteer.of(Town(insee, name) for insee, name in known.items())
            _gazetteer.put(edition.generation, found)
        return found

    return _in_edition(ask).beginning(search)


def stations() -> Sequence[Station]:
    """All stations, by id."""

    def ask() -> Sequence[Station]:
        shelf = editions.shelf.current()
        found = _stations.get(shelf.generation)
        if found is None:
            found = store.stations(shelf)
            _stations.put(shelf.generation, found)
        return found

    try:
        return ask()
    except store.GenerationGone:
        documents.forget()
        return ask()
