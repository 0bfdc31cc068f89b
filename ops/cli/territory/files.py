"""Parsing of the territory's public files: each fault with its line."""

import csv
import gzip
import io
import json
import re
import uuid
import zlib
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from chalicelib.foundation.geo import E7
from chalicelib.taxis.territory import borders
from chalicelib.taxis.territory.borders import Outline, Shape
from chalicelib.taxis.territory.rules import Conurbation, Exclusion
from ops.errors import CannotGoOn

INSEE = re.compile(r"[0-9A-Z]{5}")


class FileRefused(CannotGoOn):
    """A file is not what the command reads. It names the line and the reason; nothing has changed."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}, line {line}: {reason}. Nothing was changed.")


_FAULTS_SHOWN = 50


class FileFaulty(CannotGoOn):
    """Elements of a file are not what the command reads. It names every fault, or the first 50."""

    def __init__(self, path: Path, faults: Sequence[str]) -> None:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        more = len(faults) - _FAULTS_SHOWN
        super().__init__(
            "\n".join(
                [
                    f"{path}: {count}. Nothing was changed.",
                    *(f"  {fault}" for fault in faults[:_FAULTS_SHOWN]),
                    *([f"  and {more} more"] if more > 0 else []),
                ]
            )
        )


class Fault(Exception):
    """What is wrong with one element of a file; whoever knows the line makes it a FileRefused."""


@dataclass(frozen=True, slots=True)
class DrawnTown:
    """A town of a file, with its borders; `line` is where it stands."""

    line: int
    insee: str
    name: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class ListedZone:
    """A zone of a file, without a number yet."""

    path: Path
    line: int
    zone_id: str
    nom: str
    members: frozenset[str]


@dataclass(frozen=True, slots=True)
class ListedConurbation:
    """A conurbation of a file; `line` is where it begins."""

    line: int
    conurbation: Conurbation


@dataclass(frozen=True, slots=True)
class Merge:
    """A code that has become another one."""

    line: int
    old: str
    new: str


# --- text and JSON --------------------------------------------------------------------------------


def text_of(path: Path) -> str:
    """The text of a file, packed with gzip or not. Raises FileRefused, CannotGoOn."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CannotGoOn(f"{path} cannot be read: {error.strerror}.") from error
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise FileRefused(path, 1, f"the gzip file is damaged ({error})") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise FileRefused(path, line, "the text is not UTF-8") from error


# NaN and Infinity are no JSON; as nothing at all they are refused where a number must be.
_DECODER = json.JSONDecoder(parse_constant=lambda _: None)


def _json(path: Path, text: str, *, first_line: int = 1) -> object:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise FileRefused(path, line, f"not JSON: {error.msg}") from error
    except RecursionError as error:
        raise FileRefused(path, first_line, "nested too deeply") from error


_SPACE_AND_COMMAS = re.compile(r"[\s,]*")


def _with_lines(
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
            (number, _json(path, line, first_line=number))
            for number, line in enumerate(lines, start=1)
            if line.strip()
        )
    else:
        whole = _json(path, text)
        if not isinstance(whole, dict) or whole.get("type") not in ("Feature", "FeatureCollection"):
            raise FileRefused(path, first + 1, "neither a GeoJSON FeatureCollection nor a Feature")
        if whole["type"] == "Feature":
            found = iter([(first + 1, whole)])
        elif isinstance(whole.get("features"), list):
            found = _with_lines(text, "features", whole["features"])
        else:
            raise FileRefused(path, first + 1, "the FeatureCollection has no list of features")
    yield from found


def _is_feature(line: str) -> bool:
    try:
        found = _DECODER.decode(line)
    except (json.JSONDecodeError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("type") == "Feature"


def _member(of: Mapping[str, Any], name: str) -> str:
    """A text that must be there. Raises Fault."""
    value = of.get(name)
    if not isinstance(value, str) or not value.strip():
        raise Fault(f"{name} is missing or not a text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Fault(f"{name} is no text: {error.reason}") from error
    if len(value) > 255:
        raise Fault(f"{name} is longer than 255 characters")
    return value.strip()


def _insee(value: object, *, named: str = "insee") -> str:
    if not isinstance(value, str) or INSEE.fullmatch(value) is None:
        raise Fault(f"{named} {value!r} is not a code of five digits or capitals")
    return value


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
        corners = np.array(points)
    except ValueError:  # not all points are of the same length
        corners = np.array(None)
    if corners.ndim != 2 or corners.shape[1] not in (2, 3) or corners.dtype.kind not in "if":
        raise Fault("a ring is not a list of points [longitude, latitude]")
    if len(corners) < 4:
        raise Fault(f"a ring has {len(corners)} points, fewer than four")
    corners = corners[:, :2].astype(float)  # a third number is a height
    if not (np.abs(corners) <= (180, 90)).all():  # false for NaN too
        far = corners[~(np.abs(corners) <= (180, 90)).all(axis=1)][0].tolist()
        raise Fault(f"the point {far} is not a longitude within ±180 and a latitude within ±90")
    if (corners[0] != corners[-1]).any():
        raise Fault(
            f"a ring is not closed: it begins at {corners[0].tolist()} and ends at {corners[-1].tolist()}"
        )
    whole = np.rint(corners * E7).astype(np.int32)
    return borders.Path(array("i", whole[:, 0].tobytes()), array("i", whole[:, 1].tobytes()))


# --- towns, merges, exclusions --------------------------------------------------------------------


def towns(path: Path, *, seen: Callable[[int], None]) -> list[DrawnTown]:
    """The towns of a file; `seen` hears the count as it grows. Raises FileRefused."""
    found: dict[str, DrawnTown] = {}
    for line, feature in features(path):
        try:
            insee = _insee(feature["properties"].get("insee"))
            if insee in found:
                raise Fault(f"the town {insee} is there already, on line {found[insee].line}")
            name = _member(feature["properties"], "nom")
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
    for line, row in _rows(path, ("ancien_insee", "nouveau_insee")):
        try:
            old = _insee(row["ancien_insee"], named="ancien_insee")
            new = _insee(row["nouveau_insee"], named="nouveau_insee")
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


def exclusion(path: Path) -> Exclusion:
    """The exclusion of a file of one Feature. Raises FileRefused.

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
        exclusion_id = _member({"id": _texted(feature.get("id"))}, "id")
        named = next((key for key in ("name:fr", "name") if properties.get(key)), None)
        name = _member(properties, named) if named else exclusion_id
        return Exclusion(exclusion_id, name, shape(feature.get("geometry")))
    except Fault as fault:
        raise FileRefused(path, line, str(fault)) from fault


def _texted(value: object) -> object:
    """A number that stands for a name, as text."""
    return str(value) if isinstance(value, int) else value


# --- zones ----------------------------------------------------------------------------------------


def zones(path: Path, *, moved: Mapping[str, str]) -> tuple[list[ListedZone], int]:
    """The zones of a file or folder, and how many were left out for having only a special polygon.

    `moved` gives the present code for a published one. Raises FileRefused, CannotGoOn.
    """
    if path.is_dir():
        return _zones_of_folder(path)
    if path.suffix in (".yaml", ".yml"):
        return _unique([_zone_of_yaml(path)]), 0
    return _zones_of_json(path, moved)


def _unique(listed: list[ListedZone]) -> list[ListedZone]:
    seen: dict[str, ListedZone] = {}
    for zone in listed:
        other = seen.setdefault(zone.zone_id, zone)
        if other is not zone:
            raise FileRefused(
                zone.path,
                zone.line,
                f"the zone {zone.zone_id} is there already ({other.path}, line {other.line})",
            )
    return listed


def _zone_id(value: object) -> str:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        raise Fault(f"the zone's id {value!r} is not a UUID") from None


def _zones_of_json(path: Path, moved: Mapping[str, str]) -> tuple[list[ListedZone], int]:
    text = text_of(path)
    whole = _json(path, text)
    if not isinstance(whole, dict) or not isinstance(whole.get("zones"), list):
        raise FileRefused(path, 1, "there is no list of zones in it")
    found = []
    left_out = 0
    for line, zone in _with_lines(text, "zones", whole["zones"]):
        try:
            if not isinstance(zone, dict):
                raise Fault("a zone is not an object")
            members = _codes(zone, moved)
            if not members and zone.get("has_feature") is True:
                left_out += 1
                continue
            if not members:
                raise Fault("the zone has no towns")
            found.append(
                ListedZone(path, line, _zone_id(zone.get("zupc_id")), _member(zone, "nom"), members)
            )
        except Fault as fault:
            raise FileRefused(path, line, str(fault)) from fault
    return _unique(found), left_out


def _codes(zone: Mapping[str, Any], moved: Mapping[str, str]) -> frozenset[str]:
    present = zone.get("insee_2026")
    codes = zone.get("insee_publies") if present is None else present
    if not isinstance(codes, list):
        raise Fault("neither insee_2026 nor insee_publies is a list of codes")
    checked = [_insee(code) for code in codes]
    return frozenset(
        checked if present is not None else (moved.get(code, code) for code in checked)
    )


# What a zone.yaml may hold that is no list of towns [contract: Zone files].
_SPECIAL = ("feature", "include", "exclude")


def _zones_of_folder(folder: Path) -> tuple[list[ListedZone], int]:
    """Every zone.yaml; airports and stations with a special polygon are left out, a ZUPC with one is refused."""
    paths = sorted(folder.rglob("zone.yaml"))
    if not paths:
        raise CannotGoOn(f"There is no zone.yaml in {folder}.")
    taken = [
        path
        for path in paths
        if "ZUPC" in path.parent.name or path.parent == folder or not _special(_mapping(path))
    ]
    return _unique([_zone_of_yaml(path) for path in taken]), len(paths) - len(taken)


def _mapping(path: Path) -> dict[str, tuple[int, yaml.Node]]:
    """The file's top members and their lines.

    The nodes are read, not the values, since YAML 1.1 takes 01004 for an octal number.
    """
    try:
        root = yaml.compose(text_of(path), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise FileRefused(path, line, f"not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise FileRefused(path, 1, f"not YAML: {error}") from error
    if not isinstance(root, yaml.MappingNode):
        raise FileRefused(path, 1, "not a mapping with id, name and allowed")
    return {str(key.value): (key.start_mark.line + 1, value) for key, value in root.value}


def _special(members: Mapping[str, object]) -> str | None:
    return next((name for name in _SPECIAL if name in members), None)


def _zone_of_yaml(path: Path) -> ListedZone:
    members = _mapping(path)
    special = _special(members)
    if special is not None:
        raise FileRefused(path, members[special][0], f"{special} is not supported")
    line = 1
    try:
        texts = {}
        for name in ("id", "name"):
            line, node = members.get(name, (1, yaml.ScalarNode("", "")))
            texts[name] = _member({name: node.value}, name)
        line, allowed = members.get("allowed", (1, yaml.ScalarNode("", "")))
        if not isinstance(allowed, yaml.MappingNode) or not allowed.value:
            raise Fault("allowed is not a mapping of codes to names")
        codes = set()
        for key, _ in allowed.value:
            line = key.start_mark.line + 1
            codes.add(_insee(key.value))
        line = members["id"][0]
        return ListedZone(path, line, _zone_id(texts["id"]), texts["name"], frozenset(codes))
    except Fault as fault:
        raise FileRefused(path, line, str(fault)) from fault


# --- conurbations ---------------------------------------------------------------------------------

_CONURBATION = ("conurbation_id", "name", "declared_ads", "members")


def conurbations(path: Path) -> list[ListedConurbation]:
    """The conurbations of a JSON list. Raises FileRefused, FileFaulty."""
    text = text_of(path)
    whole = _json(path, text)
    if not isinstance(whole, list):
        raise FileRefused(path, 1, "not a list of conurbations")
    found: dict[str, ListedConurbation] = {}
    faults = []
    for line, element in _with_lines(text, None, whole):
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
    strange = sorted(element.keys() - set(_CONURBATION))
    if strange:
        raise Fault(f"{strange[0]} is not one of {', '.join(_CONURBATION)}")
    declared = element.get("declared_ads")
    if declared is not None and (type(declared) is not int or declared < 1):
        raise Fault(f"declared_ads {declared!r} is not a number of licences")
    members = element.get("members")
    if not isinstance(members, list) or not members:
        raise Fault("members is not a list of codes")
    return Conurbation(
        _member(element, "conurbation_id"),
        _member(element, "name"),
        declared,
        frozenset(_insee(code, named="members") for code in members),
    )


# --- tables ---------------------------------------------------------------------------------------


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The rows of a CSV file that has these columns, each with the line that it begins on."""
    names, rows = table(path)
    missing = [column for column in columns if column not in names]
    if missing:
        raise FileRefused(path, 1, f"the column {missing[0]} is missing")
    for line, row in rows:
        if len(row) != len(names):
            raise FileRefused(path, line, f"{len(row)} values for {len(names)} columns")
        yield line, dict(zip(names, row, strict=True))


def table(path: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The columns of a CSV file, between commas or semicolons, and its rows with their lines.

    A row may have more or fewer values than there are columns. Raises FileRefused, at a row too.
    """
    text = text_of(path)
    head = text.partition("\n")[0]
    separator = ";" if head.count(";") > head.count(",") else ","
    rows = _lines_of_csv(path, text, separator)
    return next(rows, (1, []))[1], ((line, row) for line, row in rows if row)


def _lines_of_csv(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        line = 1
        for row in reader:
            yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise FileRefused(path, reader.line_num, f"not CSV: {error}") from error
