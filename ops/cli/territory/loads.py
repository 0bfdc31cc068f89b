"""Loads of the territory into the registry, once a file is parsed."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import shapely

from chalicelib.foundation.geo import E7, E7Point
from chalicelib.foundation.store import documents
from chalicelib.foundation.store.reads import Item
from chalicelib.foundation.values import replace
from chalicelib.taxis.territory import store
from chalicelib.taxis.territory.borders import Shape
from chalicelib.taxis.territory.rules import Town, Zone, Zones, departement_of
from chalicelib.taxis.territory.store import Edition
from ops.cli.territory import files, writing
from ops.cli.territory import stations as stations_files
from ops.cli.territory.files import DrawnTown, FileFaulty, FileRefused, ListedZone
from ops.cli.territory.progress import Progress
from ops.cli.territory.tiles import Map
from ops.errors import CannotGoOn

# Towns that are communes again by decree, and that public maps still draw inside the one they had
# been merged into (COG 2026). A zone may list them, though they have no borders yet.
REESTABLISHED = frozenset({"14666", "15031", "15035", "15047", "15171", "85165", "85212"})


class LoadGaveWay(CannotGoOn):
    """Another load changed the territory meanwhile."""


@contextmanager
def _alone() -> Iterator[None]:
    """Says so where another load came between. Raises LoadGaveWay."""
    documents.forget()
    try:
        yield
    except (writing.LoadOvertaken, store.GenerationGone) as error:
        raise LoadGaveWay(
            "Another load changed the territory meanwhile; this one changed nothing. Run it again."
        ) from error


# --- towns ----------------------------------------------------------------------------------------


def load_towns(path: Path, *, merges: Path | None = None, quiet: bool = False) -> None:
    """Loads the towns of a GeoJSON file, in place of those with the same codes.

    With `merges`, the old codes of a CSV file give way to the new ones: in the list of towns unless
    the GeoJSON file has them, in zones, and in licences. A merge into a town that is not there is
    left alone. Raises FileRefused, LoadGaveWay.
    """
    progress = Progress(quiet=quiet)
    drawn = files.towns(path, seen=lambda n: progress.step("towns read", n))
    merged = [] if merges is None else files.merges(merges)
    with _alone():
        before = store.edition.current()
        names, shapes = _stored(before)
        towns = {town.insee for town in drawn}
        moves = {merge.old: merge.new for merge in merged if merge.new in towns | names.keys()}
        gone = moves.keys() - towns
        removed = gone & names.keys()
        after = {insee: name for insee, name in names.items() if insee not in gone}
        after |= {town.insee: town.name for town in drawn}
        new = sum(town.insee not in names for town in drawn)
        changed = sum(town.insee in names and not _same(town, names, shapes) for town in drawn)
        zones = _moved(before.zones, moves)
        shapes |= {town.insee: town.shape for town in drawn}
        if new or changed or removed or zones != before.zones:
            listed = [Town(insee, name) for insee, name in sorted(after.items())]
            _publish(before, listed, {insee: shapes[insee] for insee in after}, zones, progress)
        else:
            writing.clear_territory(before, before)
    unchanged = len(drawn) - new - changed
    progress.result(
        f"towns: {new} new, {changed} changed, {unchanged} unchanged, {len(removed)} merged away; "
        f"{len(after)} in all"
    )
    if merged:
        progress.result(
            f"merges: {len(moves)} followed, {len(merged) - len(moves)} into towns that are not there"
        )
        _move_licences(moves, progress)


def _move_licences(moves: Mapping[str, str], progress: Progress) -> None:
    """Moves the licences of merged towns to the new code; the next load repeats it if it is interrupted."""
    # The registry's models take their place from the environment when they are imported.
    from ops.cli.territory import licences

    moved = licences.move_ads(moves)
    progress.result(
        f"licences: {moved.moved} moved to merged towns, with {moved.taxis} taxis; {moved.left} left"
    )


def _stored(edition: Edition) -> tuple[dict[str, str], dict[str, Shape]]:
    """The names and borders of the towns that there are."""
    found = store.names(edition.all_names())
    names = {insee: name for some in found.values() for insee, name in some.items()}
    return names, store.outlines(edition, edition.prefixes)


def _same(town: DrawnTown, names: Mapping[str, str], shapes: Mapping[str, Shape]) -> bool:
    return (names[town.insee], shapes[town.insee]) == (town.name, town.shape)


def _moved(zones: Zones, moves: Mapping[str, str]) -> Zones:
    """The zones with the new codes for the old."""
    return Zones(
        tuple(
            replace(zone, members=frozenset(moves.get(insee, insee) for insee in zone.members))
            for zone in zones.zones
        )
    )


def _publish(
    before: Edition,
    towns: list[Town],
    shapes: Mapping[str, Shape],
    zones: Zones,
    progress: Progress,
) -> None:
    """Writes a whole new generation and makes it current. Raises LoadOvertaken."""
    generation = writing.new_generation()
    cells: set[int] = set()

    def tiles() -> Iterator[Item]:
        borders = Map(shapes)
        roots = borders.roots()
        for done, (root, edges) in enumerate(roots.items()):
            for cell, item in borders.tiles(generation, root, edges):
                cells.add(cell)
                yield item
            progress.step("parts of the map cut", done, len(roots))

    writing.put_all(tiles())
    writing.put_all(
        writing.outlines_items(generation, towns, shapes),
        done=lambda n: progress.step("borders kept for later loads", n),
    )
    writing.put_all(writing.names_items(generation, towns))
    progress.step("departements drawn", 0)
    writing.put_all([writing.points_item(generation, departement_points(shapes))])
    after = Edition(
        version=before.version + 1,
        generation=generation,
        tiles=frozenset(cells),
        prefixes=writing.prefixes(towns),
        zones=zones,
        shapes=_put_zone_shapes(zones, shapes),
    )
    writing.switch_edition(after)
    writing.clear_territory(before, after)


def departement_points(shapes: Mapping[str, Shape]) -> dict[str, E7Point]:
    """A point inside the union of each departement's towns, by its number."""
    parts: dict[str, list[Shape]] = {}
    for insee, shape in sorted(shapes.items()):
        parts.setdefault(departement_of(insee), []).append(shape)
    points = {}
    for numero, some in parts.items():
        ((x, y),) = shapely.get_coordinates(shapely.point_on_surface(_union(some)))
        points[numero] = E7Point(round(x), round(y))
    return points


def _union(shapes: Iterable[Shape]) -> shapely.Geometry:
    """The union of towns, in 1e-7 degree."""
    return shapely.union_all(
        [
            # A border that crosses itself is put right first: a union would stumble over it.
            shapely.make_valid(
                shapely.Polygon(
                    [*zip(outline.paths[0].xs, outline.paths[0].ys, strict=True)],
                    [[*zip(hole.xs, hole.ys, strict=True)] for hole in outline.paths[1:]],
                )
            )
            for shape in shapes
            for outline in shape
        ]
    )


# --- zones ----------------------------------------------------------------------------------------


def load_zones(path: Path, *, merges: Path | None = None, quiet: bool = False) -> None:
    """Loads the zones of a zupc.json file, a zone.yaml or a folder of them, by their ids.

    Zones that the file does not name stay as they are. With `merges`, published codes without a
    present one are moved along that CSV file. Raises FileRefused, LoadGaveWay, CannotGoOn.
    """
    progress = Progress(quiet=quiet)
    moved = {} if merges is None else {merge.old: merge.new for merge in files.merges(merges)}
    listed, left_out = files.zones(path, moved=moved)
    with _alone():
        before = store.edition.current()
        named = store.names(before.all_names())
        towns = {insee for some in named.values() for insee in some}
        _check_members(listed, towns)
        known = {zone.zone_id: zone for zone in before.zones.zones}
        after = dict(known)
        for zone in listed:
            number = known[zone.zone_id].number if zone.zone_id in known else _next_number(after)
            after[zone.zone_id] = Zone(zone.zone_id, number, zone.nom, zone.members)
        zones = Zones(tuple(sorted(after.values(), key=lambda zone: zone.number)))
        if zones != before.zones:
            prefixes = writing.prefixes(
                Town(insee, "") for zone in zones.zones for insee in zone.members & towns
            )
            progress.step("zones drawn", 0, len(after))
            shapes = _put_zone_shapes(zones, store.outlines(before, prefixes))
            edition = replace(before, version=before.version + 1, zones=zones, shapes=shapes)
            writing.switch_edition(edition)
            writing.clear_territory(before, edition)
        else:
            writing.clear_territory(before, before)
    new = len(after) - len(known)
    changed = sum(known.get(zone_id) not in (None, zone) for zone_id, zone in after.items())
    undrawn = {insee for zone in listed for insee in zone.members} - towns
    progress.result(
        f"zones: {new} new, {changed} changed, {len(listed) - new - changed} unchanged, "
        f"{left_out} left out (a special polygon, and no towns); {len(after)} in all"
        + (f"; without borders on the map: {', '.join(sorted(undrawn))}" if undrawn else "")
    )


def _next_number(zones: Mapping[str, Zone]) -> int:
    return 1 + max((zone.number for zone in zones.values()), default=0)


def _check_members(listed: Iterable[ListedZone], towns: Collection[str]) -> None:
    """Raises FileRefused where a zone lists a code that is no town."""
    for zone in listed:
        unknown = _unknown(zone.members, towns)
        if unknown:
            raise FileRefused(
                zone.path,
                zone.line,
                f"the zone {zone.nom!r} lists unknown towns: {', '.join(unknown)}",
            )


def _unknown(members: frozenset[str], towns: Collection[str]) -> list[str]:
    """The codes that are no town's."""
    return sorted(members - REESTABLISHED - set(towns))


def _put_zone_shapes(zones: Zones, shapes: Mapping[str, Shape]) -> str:
    """Stores each zone's shape, the union of its towns, and returns their generation."""
    generation = writing.new_generation()
    writing.put_all(
        writing.zone_item(generation, zone.zone_id, _drawn(zone, shapes)) for zone in zones.zones
    )
    return generation


def _drawn(zone: Zone, shapes: Mapping[str, Shape]) -> dict[str, object]:
    """A zone as a GeoJSON MultiPolygon."""
    whole = _union(shapes[insee] for insee in sorted(zone.members & shapes.keys()))
    return {
        "type": "MultiPolygon",
        "coordinates": [
            [
                [[round(x) / E7, round(y) / E7] for x, y in ring.coords]
                for ring in (part.exterior, *part.interiors)
            ]
            for part in shapely.get_parts(whole)
            if isinstance(part, shapely.Polygon)
        ],
    }


# --- conurbations ---------------------------------------------------------------------------------


def load_conurbations(path: Path, *, quiet: bool = False) -> None:
    """Loads the conurbations of a JSON file, in place of all there were.

    The one that comes with the registry, conurbations.json, has the five of the reference and the
    licences they declared; its members are the towns of their metropolises (DGCL and INSEE, 2026).
    Raises FileRefused, FileFaulty, LoadGaveWay.
    """
    listed = files.conurbations(path)
    with _alone():
        before = store.conurbations.current()
        named = store.names(store.edition.current().all_names())
        towns = {insee for some in named.values() for insee in some}
        faults = [
            f"line {one.line}: members of {one.conurbation.conurbation_id} "
            f"are unknown towns: {', '.join(unknown)}"
            for one in listed
            if (unknown := _unknown(one.conurbation.members, towns))
        ]
        if faults:
            raise FileFaulty(path, faults)
        known = {one.conurbation_id: one for one in before.conurbations}
        after = {one.conurbation.conurbation_id: one.conurbation for one in listed}
        if after != known:
            ordered = tuple(after[conurbation_id] for conurbation_id in sorted(after))
            writing.switch_conurbations(store.Conurbations(before.version + 1, ordered))
    new = len(after.keys() - known.keys())
    unchanged = sum(known.get(conurbation_id) == one for conurbation_id, one in after.items())
    Progress(quiet=quiet).result(
        f"conurbations: {new} new, {len(after) - new - unchanged} changed, {unchanged} unchanged, "
        f"{len(known.keys() - after.keys())} removed; {len(after)} in all"
    )


# --- exclusions and stations ----------------------------------------------------------------------


def load_exclusion(path: Path, *, quiet: bool = False) -> None:
    """Loads an exclusion, in place of the one with the same id. Raises FileRefused, LoadGaveWay."""
    exclusion = files.exclusion(path)
    with _alone():
        before = store.exclusions.current()
        known = before.exclusions.get(exclusion.exclusion_id)
        if exclusion != known:
            writing.switch_exclusions(
                store.Exclusions(
                    before.version + 1,
                    {**before.exclusions, exclusion.exclusion_id: exclusion},
                )
            )
    counts = [known is None, known not in (None, exclusion), known == exclusion]
    total = len(before.exclusions) + counts[0]
    Progress(quiet=quiet).result(
        "exclusions: {:d} new, {:d} changed, {:d} unchanged; {} in all".format(*counts, total)
    )


def load_stations(path: Path, *, quiet: bool = False) -> None:
    """Loads stations, in place of those with the same ids.

    Raises FileRefused, FileFaulty, LoadGaveWay.
    """
    stations = stations_files.read(path)
    with _alone():
        before = store.shelf.current()
        known = {station.station_id: station for station in store.stations(before)}
        after = known | {station.station_id: station for station in stations}
        shelf = before
        if after != known:
            generation = writing.new_generation()
            parts = writing.put_all(writing.stations_items(generation, list(after.values())))
            shelf = store.Shelf(before.version + 1, generation, parts)
            writing.switch_shelf(shelf)
        writing.clear({"stations"}, but={before.generation, shelf.generation})
        edition = store.edition.current()
        names = store.names(edition.all_names())
    new = len(after) - len(known)
    unchanged = sum(known.get(station.station_id) == station for station in stations)
    towns = {insee for some in names.values() for insee in some}
    strangers = sum(station.insee not in towns for station in stations)
    Progress(quiet=quiet).result(
        f"stations: {new} new, {len(stations) - new - unchanged} changed, {unchanged} unchanged; "
        f"{len(after)} in all; {strangers} in a town that is not loaded"
    )


# --- taking away ----------------------------------------------------------------------------------


def remove_exclusion(exclusion_id: str, *, quiet: bool = False) -> None:
    """Removes an exclusion. Raises CannotGoOn where there is none, LoadGaveWay."""
    with _alone():
        before = store.exclusions.current()
        if exclusion_id not in before.exclusions:
            known = ", ".join(before.exclusions) or "none"
            raise CannotGoOn(f"There is no exclusion {exclusion_id}; there are: {known}.")
        rest = {key: one for key, one in before.exclusions.items() if key != exclusion_id}
        writing.switch_exclusions(store.Exclusions(before.version + 1, rest))
    Progress(quiet=quiet).result(f"exclusions: 1 removed; {len(rest)} in all")


def remove_zone(zone_id: str, *, quiet: bool = False) -> None:
    """Removes a zone. Raises CannotGoOn where there is none, LoadGaveWay."""
    with _alone():
        before = store.edition.current()
        rest = tuple(zone for zone in before.zones.zones if zone.zone_id != zone_id.lower())
        if len(rest) == len(before.zones.zones):
            raise CannotGoOn(f"There is no zone {zone_id}.")
        writing.switch_edition(replace(before, version=before.version + 1, zones=Zones(rest)))
    Progress(quiet=quiet).result(f"zones: 1 removed; {len(rest)} in all")
