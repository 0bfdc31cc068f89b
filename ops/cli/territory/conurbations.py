"""The file of conurbations, and its load."""

from dataclasses import dataclass
from pathlib import Path

from chalicelib.foundation.values import replace
from chalicelib.taxis.territory import editions, store
from chalicelib.taxis.territory.rules import Conurbation, Town
from ops.cli.territory import items, mergers, misplaced, switches
from ops.cli.territory.geojson import json_of, with_lines
from ops.cli.territory.misplaced import FAR, Misplaced
from ops.cli.territory.progress import Progress
from ops.cli.territory.towns import unknown_towns
from ops.cli.territory.values import insee_of, member
from ops.reading import Fault, FileFaulty, FileRefused, text_of

_MEMBERS = ("conurbation_id", "name", "declared_ads", "members")


@dataclass(frozen=True, slots=True)
class ListedConurbation:
    """A conurbation of a file; `line` is where it begins."""

    line: int
    conurbation: Conurbation


def read(path: Path) -> list[ListedConurbation]:
    """The conurbations of a JSON list. Raises FileRefused, FileFaulty."""
    text = text_of(path)
    whole = json_of(path, text)
    if not isinstance(whole, list):
        raise FileRefused(path, 1, "not a list of conurbations")
    found: dict[str, ListedConurbation] = {}
    faults = []
    for line, element in with_lines(text, None, whole):
        try:
            one = _conurbation(element)
            if one.conurbation_id in found:
                raise Fault(
                    f"conurbation_id {one.conurbation_id} is there already, "
                    f"on line {found[one.conurbation_id].line}"
                )
        except Fault as fault:
            faults.append(f"line {line}: {fault}")
        else:
            found[one.conurbation_id] = ListedConurbation(line, one)
    if faults:
        raise FileFaulty(path, faults)
    return list(found.values())


def _conurbation(element: object) -> Conurbation:
    if not isinstance(element, dict):
        raise Fault("a conurbation is not an object")
    strange = sorted(element.keys() - set(_MEMBERS))
    if strange:
        raise Fault(f"{strange[0]} is not one of {', '.join(_MEMBERS)}")
    declared = element.get("declared_ads")
    if declared is not None and (type(declared) is not int or declared < 1):
        raise Fault(f"declared_ads {declared!r} is not a number of licences")
    members = element.get("members")
    if not isinstance(members, list) or not members:
        raise Fault("members is not a list of codes")
    return Conurbation(
        member(element, "conurbation_id"),
        member(element, "name"),
        declared,
        frozenset(insee_of(code, named="members") for code in members),
    )


def load_conurbations(path: Path, *, quiet: bool = False) -> None:
    """Loads the conurbations of a JSON file, in place of all there were.

    The one that comes with the registry, conurbations.json, has the five of the reference and the
    licences they declared; its members are the towns of their metropolises (DGCL and INSEE, 2026).
    Raises FileRefused, FileFaulty, LoadGaveWay.
    """
    published = read(path)
    with switches.alone():
        before = editions.conurbations.current()
        edition = editions.edition.current()
        named = store.names(edition.all_names())
        towns = {insee for some in named.values() for insee in some}
        listed = [
            ListedConurbation(
                one.line,
                replace(
                    one.conurbation,
                    members=mergers.followed(one.conurbation.members, edition.merged, towns),
                ),
            )
            for one in published
        ]
        faults = [
            f"line {one.line}: members of {one.conurbation.conurbation_id} "
            f"are unknown towns: {', '.join(unknown)}"
            for one in listed
            if (unknown := unknown_towns(one.conurbation.members, towns))
        ]
        if faults:
            raise FileFaulty(path, faults)
        known = {one.conurbation_id: one for one in before.conurbations}
        after = {one.conurbation.conurbation_id: one.conurbation for one in listed}
        if after != known:
            ordered = tuple(after[conurbation_id] for conurbation_id in sorted(after))
            switches.switch_conurbations(editions.Conurbations(before.version + 1, ordered))
        members = {insee for one in listed for insee in one.conurbation.members & towns}
        shapes = store.outlines(edition, items.prefixes(Town(insee, "") for insee in members))
    new = len(after.keys() - known.keys())
    unchanged = sum(known.get(conurbation_id) == one for conurbation_id, one in after.items())
    progress = Progress(quiet=quiet)
    progress.result(
        f"conurbations: {new} new, {len(after) - new - unchanged} changed, {unchanged} unchanged, "
        f"{len(known.keys() - after.keys())} removed; {len(after)} in all"
    )
    progress.result(
        misplaced.sentence(
            [
                Misplaced(f"line {one.line}", f"{insee} of {one.conurbation.name}", FAR)
                for one in listed
                for insee in misplaced.strays(one.conurbation.members, shapes)
            ]
        )
    )
