"""JSON and GeoJSON files: their elements with lines, and their polygons."""

import json
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chalicelib.foundation.geo import E7
from chalicelib.taxis.territory import borders
from chalicelib.taxis.territory.borders import Outline, Shape
from ops.reading import Fault, FileRefused, text_of

# NaN and Infinity are no JSON; as nothing at all they are refused where a number must be.
_DECODER = json.JSONDecoder(parse_constant=lambda _: None)


def json_of(path: Path, text: str, *, first_line: int = 1) -> object:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise FileRefused(path, line, f"not JSON: {error.msg}") from error
    except RecursionError as error:
        raise FileRefused(path, first_line, "nested too deeply") from error


_SPACE_AND_COMMAS = re.compile(r"[\s,]*")


def with_lines(
    text: str, member: str | None, elements: Sequence[object]
) -> Iterator[tuple[int, object]]:
    """The elements of a JSON text's array, each with the line that it begins on.

    The array is the member of this name, or the whole text where it is None.
    """
    for found in re.finditer(rf'"{member}"\s*:\s*\[' if member else r"\[", text):
        places = _places_of(elements, text, found.end())
        if places is not None:
            line, counted = 1, 0
            for element, place in zip(elements, places, strict=True):
                line, counted = line + text.count("\n", counted, place), place
                yield line, element
            return
    # The name is written in a way of its own, and who does that must do without lines.
    yield from ((1, element) for element in elements)


def _places_of(elements: Sequence[object], text: str, place: int) -> list[int] | None:
    """Where each element begins, if they are what stands in the text from a place on."""
    places = []
    for element in elements:
        begins = _SPACE_AND_COMMAS.match(text, place)
        assert begins is not None  # noqa: S101  # the expression matches nothing too
        try:
            read, place = _DECODER.raw_decode(text, begins.end())
        except json.JSONDecodeError:
            return None
        if read != element:
            return None
        places.append(begins.end())
    return places


def features(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The elements of a GeoJSON file, each a Feature with properties. Raises FileRefused."""
    for line, feature in elements(path):
        if not isinstance(feature, dict) or feature.get("type") != "Feature":
            raise FileRefused(path, line, "not a GeoJSON Feature")
        if not isinstance(feature.get("properties"), dict):
            raise FileRefused(path, line, "the Feature has no properties")
        yield line, feature


def elements(path: Path) -> Iterator[tuple[int, object]]:
    """What a FeatureCollection holds, or each line of a file of Features, or the one Feature.

    Each with the line that it begins on. Raises FileRefused.
    """
    text = text_of(path)
    lines = text.split("\n")  # not splitlines, which knows other ends of lines than JSON
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise FileRefused(path, 1, "the file is empty")
    if _is_feature(lines[first]):
        found: Iterator[tuple[int, object]] = (
            (number, json_of(path, line, first_line=number))
            for number, line in enumerate(lines, start=1)
            if line.strip()
        )
    else:
        whole = json_of(path, text)
        if not isinstance(whole, dict) or whole.get("type") not in ("Feature", "FeatureCollection"):
            raise FileRefused(path, first + 1, "neither a GeoJSON FeatureCollection nor a Feature")
        if whole["type"] == "Feature":
            found = iter([(first + 1, whole)])
        elif isinstance(whole.get("features"), list):
            found = with_lines(text, "features", whole["features"])
        else:
            raise FileRefused(path, first + 1, "the FeatureCollection has no list of features")
    yield from found


def _is_feature(line: str) -> bool:
    try:
        found = _DECODER.decode(line)
    except (json.JSONDecodeError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("type") == "Feature"


# --- geometry -------------------------------------------------------------------------------------


def shape(geometry: object) -> Shape:
    """The polygons of a GeoJSON geometry, rounded to 1e-7 degree (1.1 cm). Raises Fault.

    A corner that neighbours share is rounded the same way for both.
    """
    if not isinstance(geometry, dict):
        raise Fault("there is no geometry")
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind not in ("Polygon", "MultiPolygon"):
        raise Fault(f"the geometry is a {kind}, not a Polygon or MultiPolygon")
    polygons = [coordinates] if kind == "Polygon" else coordinates
    if not isinstance(polygons, list) or not polygons:
        raise Fault("the geometry has no polygon")
    outlines = []
    for rings in polygons:
        if not isinstance(rings, list) or not rings:
            raise Fault("a polygon has no ring")
        outlines.append(Outline(tuple(_ring(points) for points in rings)))
    return tuple(outlines)


def _ring(points: object) -> borders.Path:
    try:
        # What stands behind longitude and latitude is a height, where there is one (RFC 7946, 3.1.1).
        corners = np.array([point[:2] for point in points])  # type: ignore[attr-defined]
    except (TypeError, ValueError):  # no points at all, or not all have two
        corners = np.array(None)
    if corners.ndim != 2 or corners.shape[1] != 2 or corners.dtype.kind not in "if":
        raise Fault("a ring is not a list of points [longitude, latitude]")
    if len(corners) < 4:
        raise Fault(f"a ring has {len(corners)} points, fewer than four")
    corners = corners.astype(float)
    if not (np.abs(corners) <= (180, 90)).all():  # false for NaN too
        far = corners[~(np.abs(corners) <= (180, 90)).all(axis=1)][0].tolist()
        raise Fault(f"the point {far} is not a longitude within ±180 and a latitude within ±90")
    if (corners[0] != corners[-1]).any():
        raise Fault(
            f"a ring is not closed: it begins at {corners[0].tolist()} and ends at {corners[-1].tolist()}"
        )
    whole = np.rint(corners * E7).astype(np.int32)
    return borders.Path(array("i", whole[:, 0].tobytes()), array("i", whole[:, 1].tobytes()))
