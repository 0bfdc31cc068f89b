"""Files of towns, and of towns that merged."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from chalicelib.taxis.territory.borders import Shape
from ops.cli.territory.geojson import features, shape
from ops.cli.territory.values import insee_of, member
from ops.reading import Fault, FileRefused, rows

# Towns that are communes again by decree, and that public maps still draw inside the one they had
# been merged into (COG 2026). A zone may list them, though they have no borders yet.
REESTABLISHED = frozenset({"14666", "15031", "15035", "15047", "15171", "85165", "85212"})


@dataclass(frozen=True, slots=True)
class DrawnTown:
    """A town of a file, with its borders; `line` is where it stands."""

    line: int
    insee: str
    name: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Merge:
    """A code that has become another one."""

    line: int
    old: str
    new: str


def read(path: Path, *, seen: Callable[[int], None]) -> list[DrawnTown]:
    """The towns of a file; `seen` hears the count as it grows. Raises FileRefused."""
    found: dict[str, DrawnTown] = {}
    for line, feature in features(path):
        try:
            insee = insee_of(feature["properties"].get("insee"))
            if insee in found:
                raise Fault(f"the town {insee} is there already, on line {found[insee].line}")
            name = member(feature["properties"], "nom")
            found[insee] = DrawnTown(line, insee, name, shape(feature.get("geometry")))
        except Fault as fault:
            raise FileRefused(path, line, str(fault)) from fault
        seen(len(found))
    if not found:
        raise FileRefused(path, 1, "there is no town in it")
    return list(found.values())


def merges(path: Path) -> list[Merge]:
    """The merges of a CSV file with the columns ancien_insee and nouveau_insee. Raises FileRefused."""
    found: dict[str, Merge] = {}
    for line, row in rows(path, ("ancien_insee", "nouveau_insee")):
        try:
            old = insee_of(row["ancien_insee"], named="ancien_insee")
            new = insee_of(row["nouveau_insee"], named="nouveau_insee")
            if old == new:
                raise Fault(f"{old} is merged into itself")
            if old in found and found[old].new != new:
                raise Fault(f"{old} is merged into {found[old].new} on line {found[old].line}")
        except Fault as fault:
            raise FileRefused(path, line, str(fault)) from fault
        found[old] = Merge(line, old, new)
    for merge in found.values():
        if merge.new in found:
            raise FileRefused(
                path, merge.line, f"{merge.new} is itself merged, on line {found[merge.new].line}"
            )
    return list(found.values())


def unknown_towns(members: frozenset[str], towns: Collection[str]) -> list[str]:
    """The codes that are no town's, in their order."""
    return sorted(members - REESTABLISHED - set(towns))
