"""Audit of licences: of what is shipped to AWS, and of what commands and tests use.

Read from the metadata of the installed distributions. `docs/evidence/licences.md` lists them; what is shipped must
have a licence that `infra/audit.yaml` allows, with a reason.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ops import apps
from ops.errors import CannotGoOn
from ops.release import deployment_zip
from ops.release.audit.decisions import ROOT, Decisions
from ops.release.audit.outcome import Outcome

PAGE = ROOT / "docs" / "evidence" / "licences.md"
UNSTATED = "not said"

# Its runtime goes into the zip without being listed, and without what its command requires.
CHALICE = "chalice"

# Comes with Python itself, in another version on each machine.
OF_PYTHON = frozenset({"pip"})

_LISTED_LICENCE = re.compile(r"License :: (?:OSI Approved :: )?(.+)")


@dataclass(frozen=True, slots=True)
class Licensed:
    """An installed distribution and its licence."""

    name: str
    version: str
    licence: str  # an SPDX expression where it says one, or where we know what it means


def requirements(file: Path) -> Iterator[Requirement]:
    """What a requirements file asks for, without what it includes, and without hashes."""
    for line in file.read_text("utf-8").splitlines():
        requirement = line.split("#")[0].strip().removesuffix("\\").strip()
        if requirement and not requirement.startswith("-"):
            yield Requirement(requirement)


def desk() -> Iterator[Requirement]:
    """What a desk is asked to have, for running the registry and for testing it."""
    for name in ("requirements-desk.txt", "requirements-test.txt"):
        yield from requirements(ROOT / name)


def closure(required: Iterable[Requirement]) -> dict[str, Distribution]:
    """The distributions that are asked for, and what they take, by name. Raises CannotGoOn."""
    found: dict[str, Distribution] = {}
    done: set[tuple[str, str]] = set()
    waiting = [
        (one, extra)
        for one in required
        if one.marker is None or one.marker.evaluate()  # else it is for other machines
        for extra in ("", *one.extras)
    ]
    while waiting:
        one, extra = waiting.pop()
        name = canonicalize_name(one.name)
        if (name, extra) in done:
            continue
        done.add((name, extra))
        try:
            found[name] = distribution(one.name)
        except PackageNotFoundError:
            raise CannotGoOn(
                f"{one.name} is not installed: delete .venv and run make setup."
            ) from None
        for text in found[name].requires or ():
            other = Requirement(text)
            if other.marker is None or other.marker.evaluate({"extra": extra}):
                waiting += [(other, wanted) for wanted in ("", *other.extras)]
    return found


def declared(about: Distribution, spelled: Mapping[str, str]) -> str:
    """Its licence in its own words: the SPDX expression, else the line, else the classifiers.

    Where its metadata says nothing, the title of the text that it comes with may.
    """
    metadata = about.metadata
    for expression in metadata.get_all("License-Expression") or ():
        return str(expression)
    line = "".join(metadata.get_all("License") or ()).strip()
    if line and "\n" not in line:
        return spelled.get(line, line)
    listed = [
        spelled.get(match[1], match[1])
        for one in metadata.get_all("Classifier") or ()
        if (match := _LISTED_LICENCE.fullmatch(one))
    ]
    title = line.split("\n")[0] or _title(about)
    return " AND ".join(listed) or spelled.get(title, UNSTATED)


def _title(about: Distribution) -> str:
    """The first two lines of its licence's text, as one."""
    for name in about.metadata.get_all("License-File") or ():
        lines = (about.read_text(f"licenses/{name}") or "").split("\n")
        return ", ".join([line.strip() for line in lines if line.strip()][:2])
    return ""


def is_allowed(expression: str, allowed: Iterable[str]) -> bool:
    """Whether an SPDX expression can be met with allowed licences alone.

    Brackets are not weighed: where they matter, a licence too many is asked for, never one too few.
    """
    allowed = frozenset(allowed)
    parts = re.sub(r"[()]", "", expression).split(" AND ")
    return all(any(one.strip() in allowed for one in part.split(" OR ")) for part in parts)


def _licensed(found: Mapping[str, Distribution], spelled: Mapping[str, str]) -> list[Licensed]:
    return [
        Licensed(one.metadata["Name"], one.version, declared(one, spelled))
        for _, one in sorted(found.items())
    ]


def shipped(decisions: Decisions) -> list[Licensed]:
    """What travels in the zip of any service, by name."""
    every = (requirements(app.project / "requirements.txt") for app in apps.every().values())
    found = closure(chain.from_iterable(every))
    kept = {
        name: one for name, one in found.items() if deployment_zip.travels(f"{name}/__init__.py")
    }
    return _licensed({**kept, CHALICE: distribution(CHALICE)}, decisions.spelled)


def at_the_desk(decisions: Decisions) -> list[Licensed]:
    """What runs at a desk only, by name."""
    found = closure(desk())
    travels = {canonicalize_name(one.name) for one in shipped(decisions)}
    return _licensed(
        {name: one for name, one in found.items() if name not in travels | OF_PYTHON},
        decisions.spelled,
    )


_SUMMARY = (
    "## Summary",
    "",
    "- Maraude itself is AGPL-3.0-or-later (`LICENSE`): whoever offers it over a network offers its source too.",
    "- The first table is shipped: it is in the package that runs on AWS.",
    "- What is shipped has a licence that `infra/audit.yaml` allows. Under the table is why each is allowed.",
    "- The second table is not shipped: it is at the desk only, for tests and packaging.",
    "- Licences are as each package declares them in its own metadata.",
    "- Every package of either table declares one; a package without one fails the audit.",
    "- `make audit` and `make test` compare this page with what is installed ([audit](audit.md)).",
    "- `python -m ops.release.audit licences --write` makes it anew.",
)


def page(travels: Iterable[Licensed], stays: Iterable[Licensed], decisions: Decisions) -> str:
    """The text of `docs/evidence/licences.md`."""
    return "\n".join(
        [
            "# Licences",
            "",
            *_SUMMARY,
            "",
            "## Shipped: in the package that runs on AWS",
            "",
            *_rows(travels),
            "",
            "What may be shipped, and why (`infra/audit.yaml`):",
            "",
            *(f"- {licence}: {reason}" for licence, reason in decisions.licences.items()),
            "",
            "## Not shipped: at the desk, for tests and packaging",
            "",
            *_rows(stays),
            "",
        ]
    )


def _rows(some: Iterable[Licensed]) -> Iterator[str]:
    yield "| distribution | version | licence |"
    yield "| --- | --- | --- |"
    for one in some:
        yield f"| {one.name} | {one.version} | {one.licence} |"


def faults(
    travels: Iterable[Licensed], stays: Iterable[Licensed], decisions: Decisions, listed: str
) -> list[str]:
    """What may not be shipped, what says nothing, and what the page (`listed`) lacks."""
    travels, stays = tuple(travels), tuple(stays)
    found = [
        f"{one.name} {one.version} is shipped under {one.licence}, which infra/audit.yaml does not allow"
        for one in travels
        if not is_allowed(one.licence, decisions.licences)
    ]
    found += [
        f"{one.name} {one.version} says no licence" for one in stays if one.licence == UNSTATED
    ]
    before, _, after = listed.partition("## Not shipped")
    for part, some in ((before, travels), (after, stays)):
        wanted = list(_rows(some))
        lines = [line for line in part.splitlines() if line.startswith("|")]
        found += [f"docs/evidence/licences.md lacks: {row}" for row in wanted if row not in lines]
        found += [
            f"docs/evidence/licences.md has what is not there: {row}"
            for row in lines
            if row not in wanted
        ]
    return found


def check(decisions: Decisions, *, write: bool = False) -> Outcome:
    """Looks at every distribution's licence; `write` makes the page anew first."""
    travels, stays = shipped(decisions), at_the_desk(decisions)
    if write:
        PAGE.write_text(page(travels, stays, decisions), encoding="utf-8")
    listed = PAGE.read_text("utf-8") if PAGE.exists() else ""
    return Outcome(
        "licences",
        f"{len(travels)} distributions that are shipped, {len(stays)} at the desk",
        tuple(faults(travels, stays, decisions, listed)),
        tuple(elsewhere(desk())),
    )


def elsewhere(asked: Iterable[Requirement]) -> Iterator[str]:
    """What is asked for on other machines only, and so is not here to be looked at."""
    for one in asked:
        if one.marker is not None and not one.marker.evaluate():
            yield f"{one.name}: it is installed where {one.marker}"
