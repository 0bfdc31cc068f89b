"""Files of zones: zupc.json, zone.yaml, folders of these."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ops.cli.territory.geojson import json_of, with_lines
from ops.cli.territory.values import insee_of, member
from ops.errors import CannotGoOn
from ops.reading import Fault, FileRefused, text_of


@dataclass(frozen=True, slots=True)
class ListedZone:
    """A zone of a file, without a number yet."""

    path: Path
    line: int
    zone_id: str
    nom: str
    members: frozenset[str]


def read(path: Path) -> tuple[list[ListedZone], int]:
    """The zones of a file or folder, and how many were left out for having only a special polygon.

    Codes are as they stand there. Raises FileRefused, CannotGoOn.
    """
    if path.is_dir():
        return _zones_of_folder(path)
    if path.suffix in (".yaml", ".yml"):
        return _unique([_zone_of_yaml(path)]), 0
    return _zones_of_json(path)


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


def _zones_of_json(path: Path) -> tuple[list[ListedZone], int]:
    text = text_of(path)
    whole = json_of(path, text)
    if not isinstance(whole, dict) or not isinstance(whole.get("zones"), list):
        raise FileRefused(path, 1, "there is no list of zones in it")
    found = []
    left_out = 0
    for line, zone in with_lines(text, "zones", whole["zones"]):
        try:
            if not isinstance(zone, dict):
                raise Fault("a zone is not an object")
            members = _codes(zone)
            if not members and zone.get("has_feature") is True:
                left_out += 1
                continue
            if not members:
                raise Fault("the zone has no towns")
            found.append(
                ListedZone(path, line, _zone_id(zone.get("zupc_id")), member(zone, "nom"), members)
            )
        except Fault as fault:
            raise FileRefused(path, line, str(fault)) from fault
    return _unique(found), left_out


def _codes(zone: Mapping[str, Any]) -> frozenset[str]:
    present = zone.get("insee_2026")
    codes = zone.get("insee_publies") if present is None else present
    if not isinstance(codes, list):
        raise Fault("neither insee_2026 nor insee_publies is a list of codes")
    return frozenset(map(insee_of, codes))


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
            texts[name] = member({name: node.value}, name)
        line, allowed = members.get("allowed", (1, yaml.ScalarNode("", "")))
        if not isinstance(allowed, yaml.MappingNode) or not allowed.value:
            raise Fault("allowed is not a mapping of codes to names")
        codes = set()
        for key, _ in allowed.value:
            line = key.start_mark.line + 1
            codes.add(insee_of(key.value))
        line = members["id"][0]
        return ListedZone(path, line, _zone_id(texts["id"]), texts["name"], frozenset(codes))
    except Fault as fault:
        raise FileRefused(path, line, str(fault)) from fault
