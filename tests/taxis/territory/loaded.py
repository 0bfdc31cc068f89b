"""A small territory, loaded as the desk loads it: the fixtures of the contract [contract: Test territory]."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ops.cli.territory import exclusions, loads

PARIS, CHARENTON, BORDEAUX, MULHOUSE = "75056", "94018", "33063", "68224"
ZONE = "49820f64-544f-461b-9528-6759943390eb"
EXCLUSION = "way/231093392"


def a_ring(west: float, south: float, east: float, north: float) -> list[list[float]]:
    """A rectangle's closed ring."""
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


RINGS = {
    PARIS: ("Paris", a_ring(2.24332732, 48.81222031, 2.42460174, 48.90663603)),
    CHARENTON: ("Charenton-le-Pont", a_ring(2.4, 48.81, 2.43, 48.83)),
    BORDEAUX: ("Bordeaux", a_ring(-0.68673747, 44.78263910, -0.49447673, 44.90094857)),
    MULHOUSE: ("Mulhouse", a_ring(7.28, 47.7, 7.37, 47.78)),
}
EXCLUDED = a_ring(7.5038832, 47.5812375, 7.5462173, 47.6251226)


def a_feature(
    properties: object, coordinates: object, *, kind: str = "Polygon", **others: object
) -> dict[str, Any]:
    """A GeoJSON Feature."""
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "properties": properties, "geometry": geometry, **others}


def a_town(insee: str, name: str, ring: Sequence[Sequence[float]]) -> dict[str, Any]:
    """A town as a GeoJSON Feature."""
    return a_feature({"insee": insee, "nom": name}, [ring])


def a_file(path: Path, features: Iterable[object]) -> Path:
    """A file of one Feature a line."""
    path.write_text("".join(json.dumps(feature) + "\n" for feature in features))
    return path


def towns_file(folder: Path, *insees: str) -> Path:
    """The fixtures' towns, or some of them."""
    chosen = insees or tuple(RINGS)
    return a_file(folder / "towns.geojsonl", [a_town(insee, *RINGS[insee]) for insee in chosen])


def a_zone(*members: str, **changes: object) -> dict[str, object]:
    """A zone of zupc.json."""
    return {
        "zupc_id": ZONE,
        "nom": "ZUPC des taxis parisiens",
        "insee_publies": list(members),
        "insee_2026": list(members),
        "has_feature": False,
        **changes,
    }


def zones_file(folder: Path, *zones: object) -> Path:
    """A zupc.json, indented as the public one: each zone begins on a line of its own."""
    path = folder / "zupc.json"
    path.write_text(json.dumps({"source": "tests", "zones": zones}, indent=1))
    return path


def load_towns(folder: Path, *insees: str) -> None:
    """Loads the fixtures' towns, or some of them."""
    loads.load_towns(towns_file(folder, *insees), quiet=True)


def load_zone(folder: Path, *members: str, **changes: object) -> None:
    """Loads one zone."""
    loads.load_zones(zones_file(folder, a_zone(*members, **changes)), quiet=True)


def load_exclusion(folder: Path, ring: Sequence[Sequence[float]] = EXCLUDED) -> None:
    """Loads the fixtures' exclusion, or another shape under its id."""
    feature = a_feature({"name": "EuroAirport"}, [ring], id=EXCLUSION)
    exclusions.load_exclusion(a_file(folder / "exclusion.geojson", [feature]), quiet=True)


def merges_file(folder: Path, *pairs: tuple[str, str]) -> Path:
    """A list of merges."""
    path = folder / "merges.csv"
    rows = "".join(f"{old},Old,{new},New\n" for old, new in pairs)
    path.write_text("ancien_insee,ancien_nom,nouveau_insee,nouveau_nom\n" + rows)
    return path
