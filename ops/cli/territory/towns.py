"""Files of towns."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chalicelib.taxis.territory.borders import Shape
from ops.cli.territory.geojson import features, shape
from ops.cli.territory.values import insee_of, member
from ops.reading import Fault, FileRefused

# How public maps call a town's code and its name: ours, geo.api.gouv.fr and france-geojson, IGN.
_CODE = ("insee", "code", "code_insee", "INSEE_COM")
_NAME = ("nom", "nom_officiel", "NOM")

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


def read(path: Path, *, seen: Callable[[int], None]) -> list[DrawnTown]:
    """The towns of a file; `seen` hears the count as it grows. Raises FileRefused."""
    found: dict[str, DrawnTown] = {}
    for line, feature in features(path):
        try:
            given = feature["properties"]
            insee = insee_of(given.get(_called(given, _CODE)))
            if insee in found:
                raise Fault(f"the town {insee} is there already, on line {found[insee].line}")
            name = member(given, _called(given, _NAME))
            found[insee] = DrawnTown(line, insee, name, shape(feature.get("geometry")))
        except Fault as fault:
            raise FileRefused(path, line, str(fault)) from fault
        seen(len(found))
    if not found:
        raise FileRefused(path, 1, "there is no town in it")
    return list(found.values())


def _called(given: Mapping[str, object], names: Sequence[str]) -> str:
    """The first of a property's names that is there, else the one that we ask for."""
    return next((name for name in names if name in given), names[0])


def unknown_towns(members: frozenset[str], towns: Collection[str]) -> list[str]:
    """The codes that are no town's, in their order."""
    return sorted(members - REESTABLISHED - set(towns))
