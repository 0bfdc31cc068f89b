"""Accepted findings of the audit: `infra/audit.yaml`, where nothing is skipped without a reason."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from ops.errors import CannotGoOn

ROOT = Path(__file__).resolve().parents[3]
DECISIONS = ROOT / "infra" / "audit.yaml"

# The names of an entry's fields, by section: what is skipped, and where.
_FIELDS = {
    "template": ("checks", "resources"),
    "secrets": ("secrets", "files"),
    "dependencies": ("advisories", "distributions"),
}


class Undecided(CannotGoOn):
    """An entry of `infra/audit.yaml` that decides nothing: it lacks a field, or its reason."""


@dataclass(frozen=True, slots=True)
class Found:
    """A finding: what of (a check, a secret's digest, an advisory), where, and in words."""

    what: str
    where: str
    words: str


@dataclass(frozen=True, slots=True)
class Skip:
    """Findings that are not heeded. `where` are patterns of the shell's."""

    what: tuple[str, ...]
    where: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Decisions:
    """All of `infra/audit.yaml`."""

    skips: Mapping[str, tuple[Skip, ...]]  # by section
    licences: Mapping[str, str]  # SPDX identifier to why it may be shipped
    spelled: Mapping[str, str]  # what a distribution says of itself, to SPDX


def read(text: str) -> Decisions:
    """The decisions of a document. Raises Undecided, naming the entry and its field."""
    document: dict[str, Any] = yaml.safe_load(text)
    if strangers := document.keys() - _FIELDS.keys() - {"licences"}:
        raise Undecided(f"No check reads {', '.join(sorted(strangers))}.")
    licences = document["licences"]
    return Decisions(
        skips={
            section: tuple(
                _skip(f"{section}[{at}]", entry, fields)
                for at, entry in enumerate(document.get(section) or ())
            )
            for section, fields in _FIELDS.items()
        },
        licences={
            licence: _words(f"licences.allowed.{licence}", reason)
            for licence, reason in licences["allowed"].items()
        },
        spelled=licences["spelled"],
    )


def _skip(name: str, entry: Mapping[str, Any], fields: tuple[str, str]) -> Skip:
    expected = {*fields, "reason"}
    if entry.keys() != expected:
        odd = ", ".join(sorted(entry.keys() ^ expected))
        raise Undecided(f"{name}: missing or unknown: {odd}.")
    what, where = (_names(f"{name}.{field}", entry[field]) for field in fields)
    return Skip(what, where, _words(f"{name}.reason", entry["reason"]))


def _names(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise Undecided(f"{name} must be a list with something in it.")
    return tuple(_words(name, one) for one in value)


def _words(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Undecided(f"{name} must be words.")
    return value.strip()


def sift(found: Iterable[Found], skips: Iterable[Skip], *, complete: bool = True) -> list[str]:
    """The findings that nobody decided of, then the parts of decisions that skip nothing, in words.

    Of what was looked at in part only (`complete`), nobody can say what it no longer has.
    """
    kept: list[str] = []
    used: set[tuple[Skip, str]] = set()
    skips = tuple(skips)
    for one in found:
        reasons = [
            (skip, where)
            for skip in skips
            if one.what in skip.what
            for where in skip.where
            if fnmatchcase(one.where, where)
        ]
        if not reasons:
            kept.append(one.words)
        used.update((skip, part) for skip, where in reasons for part in (one.what, where))
    idle = [
        f"{DECISIONS.name} skips {part}, which is no longer found ({skip.reason})"
        for skip in skips
        for part in (*skip.what, *skip.where)
        if complete and (skip, part) not in used
    ]
    return [*sorted(set(kept)), *idle]
