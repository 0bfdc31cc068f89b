"""Files of exclusions, their load and their removal."""

from pathlib import Path

from chalicelib.foundation.geo import from_e7
from chalicelib.taxis.territory import editions, interior, service
from chalicelib.taxis.territory.rules import Exclusion
from ops.cli.territory import misplaced, switches
from ops.cli.territory.geojson import features, shape
from ops.cli.territory.misplaced import Misplaced
from ops.cli.territory.progress import Progress
from ops.cli.territory.values import member
from ops.errors import CannotGoOn
from ops.reading import Fault, FileRefused


def read(path: Path) -> tuple[int, Exclusion]:
    """The exclusion of a file of one Feature, and the line that it begins on. Raises FileRefused.

    Its name is the French one, else `name`, else the id [contract: Exclusion files].
    """
    found = list(features(path))
    if len(found) != 1:
        raise FileRefused(
            path, found[1][0] if found else 1, "there must be one Feature in the file"
        )
    line, feature = found[0]
    properties = feature["properties"]
    try:
        exclusion_id = member({"id": _texted(feature.get("id"))}, "id")
        named = next((key for key in ("name:fr", "name") if properties.get(key)), None)
        name = member(properties, named) if named else exclusion_id
        return line, Exclusion(exclusion_id, name, shape(feature.get("geometry")))
    except Fault as fault:
        raise FileRefused(path, line, str(fault)) from fault


def _texted(value: object) -> object:
    """A number that stands for a name, as text."""
    return str(value) if isinstance(value, int) else value


def load_exclusion(path: Path, *, quiet: bool = False) -> None:
    """Loads an exclusion, in place of the one with the same id. Raises FileRefused, LoadGaveWay."""
    line, exclusion = read(path)
    with switches.alone():
        before = editions.exclusions.current()
        known = before.exclusions.get(exclusion.exclusion_id)
        if exclusion != known:
            switches.switch_exclusions(
                editions.Exclusions(
                    before.version + 1,
                    {**before.exclusions, exclusion.exclusion_id: exclusion},
                )
            )
    counts = [known is None, known not in (None, exclusion), known == exclusion]
    total = len(before.exclusions) + counts[0]
    progress = Progress(quiet=quiet)
    progress.result(
        "exclusions: {:d} new, {:d} changed, {:d} unchanged; {} in all".format(*counts, total)
    )
    point = interior.interior_point(exclusion.shape)
    looks = misplaced.of_point(
        misplaced.middle(exclusion.shape) if point is None else from_e7(point),
        lambda at: service.place_of(at).towns,
    )
    progress.result(
        misplaced.sentence(
            [Misplaced(f"line {line}", exclusion.exclusion_id, looks)] if looks else []
        )
    )


def remove_exclusion(exclusion_id: str, *, quiet: bool = False) -> None:
    """Removes an exclusion. Raises CannotGoOn where there is none, LoadGaveWay."""
    with switches.alone():
        before = editions.exclusions.current()
        if exclusion_id not in before.exclusions:
            known = ", ".join(before.exclusions) or "none"
            raise CannotGoOn(f"There is no exclusion {exclusion_id}; there are: {known}.")
        rest = {key: one for key, one in before.exclusions.items() if key != exclusion_id}
        switches.switch_exclusions(editions.Exclusions(before.version + 1, rest))
    Progress(quiet=quiet).result(f"exclusions: 1 removed; {len(rest)} in all")
