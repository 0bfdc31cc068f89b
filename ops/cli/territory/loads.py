"""Loads of the map into the registry, once a file is parsed: towns and their zones."""

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from chalicelib.foundation.store.reads import Item
from chalicelib.foundation.values import replace
from chalicelib.taxis.territory import editions, store
from chalicelib.taxis.territory.borders import Shape
from chalicelib.taxis.territory.editions import Edition
from chalicelib.taxis.territory.rules import Town, Zone, Zones
from ops.cli.territory import drawing, items, mergers, misplaced, switches, writing
from ops.cli.territory import towns as towns_files
from ops.cli.territory import zones as zones_files
from ops.cli.territory.misplaced import FAR, Misplaced
from ops.cli.territory.progress import Progress
from ops.cli.territory.tiles import Map
from ops.cli.territory.towns import DrawnTown, unknown_towns
from ops.cli.territory.zones import ListedZone
from ops.errors import CannotGoOn
from ops.reading import FileRefused

# --- towns ----------------------------------------------------------------------------------------


def load_towns(path: Path, *, merges: Path | None = None, quiet: bool = False) -> None:
    """Loads the towns of a GeoJSON file, in place of those with the same codes.

    With `merges`, the old codes of a CSV file give way to the new ones: in the list of towns unless
    the GeoJSON file has them, in zones, and in licences. A merge into a town that is not there is
    kept until it is there, and all are kept for whatever meets an old code later.
    Raises FileRefused, LoadGaveWay.
    """
    progress = Progress(quiet=quiet)
    drawn = towns_files.read(path, seen=lambda n: progress.step("towns read", n))
    given = {} if merges is None else mergers.read(merges)
    with switches.alone():
        before = editions.edition.current()
        names, shapes = _stored(before)
        towns = {town.insee for town in drawn}
        looks = misplaced.of_towns(
            {town.insee: misplaced.middle(town.shape) for town in drawn},
            {insee: misplaced.middle(shape) for insee, shape in shapes.items()},
        )
        merged = mergers.joined(before.merged, given)
        there = towns | names.keys()
        moves = {old: new for old, new in merged.items() if new in there}
        arrived = {old for old in moves.keys() - given.keys() if moves[old] not in names}
        gone = moves.keys() - towns
        removed = gone & names.keys()
        after = {insee: name for insee, name in names.items() if insee not in gone}
        after |= {town.insee: town.name for town in drawn}
        new = sum(town.insee not in names for town in drawn)
        changed = sum(town.insee in names and not _same(town, names, shapes) for town in drawn)
        zones = _moved(before.zones, moves)
        merged = {old: new for old, new in merged.items() if old not in after}
        shapes |= {town.insee: town.shape for town in drawn}
        if new or changed or removed or (zones, merged) != (before.zones, before.merged):
            listed = [Town(insee, name) for insee, name in sorted(after.items())]
            _publish(
                replace(before, zones=zones, merged=merged),
                listed,
                {insee: shapes[insee] for insee in after},
                progress,
            )
        else:
            writing.clear_territory(before, before)
    unchanged = len(drawn) - new - changed
    progress.result(
        f"towns: {new} new, {changed} changed, {unchanged} unchanged, {len(removed)} merged away; "
        f"{len(after)} in all"
    )
    if given:
        kept = len(given.keys() - moves.keys())
        progress.result(
            f"merges: {len(given) - kept} followed, {kept} into towns that are not there"
        )
    if given or arrived:
        asked = given.keys() | arrived
        _move_licences({old: new for old, new in moves.items() if old in asked}, progress)
    progress.result(
        misplaced.sentence(
            [
                Misplaced(f"line {town.line}", f"{town.insee} {town.name}", looks[town.insee])
                for town in drawn
                if town.insee in looks
            ]
        )
    )


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
    edition: Edition,
    towns: list[Town],
    shapes: Mapping[str, Shape],
    progress: Progress,
) -> None:
    """Writes a whole new generation of an edition and makes it current. Raises LoadOvertaken."""
    generation = items.new_generation()
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
        items.outlines_items(generation, towns, shapes),
        done=lambda n: progress.step("borders kept for later loads", n),
    )
    writing.put_all(items.names_items(generation, towns))
    progress.step("departements drawn", 0)
    writing.put_all([items.points_item(generation, drawing.departement_points(shapes))])
    after = replace(
        edition,
        version=edition.version + 1,
        generation=generation,
        tiles=frozenset(cells),
        prefixes=items.prefixes(towns),
        shapes=_put_zone_shapes(edition.zones, shapes),
    )
    switches.switch_edition(after)
    writing.clear_territory(edition, after)


# --- zones ----------------------------------------------------------------------------------------


def load_zones(path: Path, *, merges: Path | None = None, quiet: bool = False) -> None:
    """Loads the zones of a zupc.json file, a zone.yaml or a folder of them, by their ids.

    Zones that the file does not name stay as they are. Codes that are no town's are moved along the
    mergers of earlier loads and those of `merges`, which are kept. Raises FileRefused, LoadGaveWay,
    CannotGoOn.
    """
    progress = Progress(quiet=quiet)
    given = {} if merges is None else mergers.read(merges)
    published, left_out = zones_files.read(path)
    with switches.alone():
        before = editions.edition.current()
        named = store.names(before.all_names())
        towns = {insee for some in named.values() for insee in some}
        merged = mergers.joined(before.merged, given)
        merged = {old: new for old, new in merged.items() if old not in towns}
        listed = [
            dataclasses.replace(zone, members=mergers.followed(zone.members, merged, towns))
            for zone in published
        ]
        _check_members(listed, towns)
        known = {zone.zone_id: zone for zone in before.zones.zones}
        after = dict(known)
        for zone in listed:
            number = known[zone.zone_id].number if zone.zone_id in known else _next_number(after)
            after[zone.zone_id] = Zone(zone.zone_id, number, zone.nom, zone.members)
        zones = Zones(tuple(sorted(after.values(), key=lambda zone: zone.number)))
        outlines = store.outlines(
            before,
            items.prefixes(
                Town(insee, "") for zone in zones.zones for insee in zone.members & towns
            ),
        )
        if (zones, merged) != (before.zones, before.merged):
            progress.step("zones drawn", 0, len(after))
            edition = replace(
                before,
                version=before.version + 1,
                zones=zones,
                shapes=_put_zone_shapes(zones, outlines),
                merged=merged,
            )
            switches.switch_edition(edition)
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
    progress.result(
        misplaced.sentence(
            [
                Misplaced(f"{zone.path.name}, line {zone.line}", f"{insee} of {zone.nom}", FAR)
                for zone in listed
                for insee in misplaced.strays(zone.members, outlines)
            ]
        )
    )


def _next_number(zones: Mapping[str, Zone]) -> int:
    return 1 + max((zone.number for zone in zones.values()), default=0)


def _check_members(listed: Iterable[ListedZone], towns: Collection[str]) -> None:
    """Raises FileRefused where a zone lists a code that is no town."""
    for zone in listed:
        unknown = unknown_towns(zone.members, towns)
        if unknown:
            raise FileRefused(
                zone.path,
                zone.line,
                f"the zone {zone.nom!r} lists unknown towns: {', '.join(unknown)}",
            )


def _put_zone_shapes(zones: Zones, shapes: Mapping[str, Shape]) -> str:
    """Stores each zone's shape, the union of its towns, and returns their generation."""
    generation = items.new_generation()
    writing.put_all(
        items.zone_item(generation, zone.zone_id, drawing.drawn_zone(zone, shapes))
        for zone in zones.zones
    )
    return generation


def remove_zone(zone_id: str, *, quiet: bool = False) -> None:
    """Removes a zone. Raises CannotGoOn where there is none, LoadGaveWay."""
    with switches.alone():
        before = editions.edition.current()
        rest = tuple(zone for zone in before.zones.zones if zone.zone_id != zone_id.lower())
        if len(rest) == len(before.zones.zones):
            raise CannotGoOn(f"There is no zone {zone_id}.")
        switches.switch_edition(replace(before, version=before.version + 1, zones=Zones(rest)))
    Progress(quiet=quiet).result(f"zones: 1 removed; {len(rest)} in all")
