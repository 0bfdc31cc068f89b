"""Audit of dependencies: pinned versions, installed versions, known vulnerabilities.

Advisories come from PyPI, by pip-audit. It says "no known vulnerabilities" of what PyPI has no answer for,
too: here, that is not checked.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ops.release import tools
from ops.release.audit.decisions import ROOT, Decisions, Found, sift
from ops.release.audit.licences import requirements
from ops.release.audit.outcome import Outcome

FILES = ("requirements*.txt", "apps/*/requirements.txt")  # of the services, and of the desk
CONSTRAINTS = "constraints.txt"
TOOLS = "infra/*.txt"  # each in an environment of its own

# Installed beside what is asked for: what installs, and the registry itself.
_BESIDE = {"pip", "maraude"}


def pins(folder: Path) -> tuple[dict[str, str], list[str]]:
    """The versions of `constraints.txt` by name, and what is not pinned, by hash too, or pinned otherwise."""
    constrained, faults = _pinned(CONSTRAINTS, requirements(folder / CONSTRAINTS))
    for file in (folder / CONSTRAINTS, *sorted(folder.glob(TOOLS))):
        faults += _unhashed(file.relative_to(folder).as_posix(), file.read_text("utf-8"))
    for file in sorted(file for pattern in FILES for file in folder.glob(pattern)):
        name = file.relative_to(folder).as_posix()
        asked, more = _pinned(name, requirements(file))
        faults += more
        faults += [
            f"{name} asks for {one} {version}, {CONSTRAINTS} for {constrained.get(one, 'none')}"
            for one, version in asked.items()
            if constrained.get(one) != version
        ]
    return constrained, faults


def _unhashed(file: str, text: str) -> list[str]:
    """What a list of files says the version of, but not the hash."""
    entries = re.split(r"(?<!\\)\n", text)
    return [
        f"{file} has no hash of {entry.split()[0]}"
        for entry in entries
        if entry.strip() and not entry.startswith("#") and "--hash=sha256:" not in entry
    ]


def _pinned(file: str, some: Iterable[Requirement]) -> tuple[dict[str, str], list[str]]:
    found: dict[str, str] = {}
    faults: list[str] = []
    for one in some:
        specifiers = [part for part in one.specifier if part.operator == "=="]
        if len(specifiers) != 1 or len(one.specifier) != 1 or "*" in specifiers[0].version:
            faults.append(f"{file} does not pin {one.name}: {one}")
        else:
            found[canonicalize_name(one.name)] = specifiers[0].version
    return found, faults


def unlike(installed: Mapping[str, str], constrained: Mapping[str, str]) -> list[str]:
    """What is installed in another version than `constraints.txt` says, or without it."""
    return [
        f"{name} {version} is installed, {CONSTRAINTS} says {constrained.get(name, 'nothing of it')}"
        for name, version in sorted(installed.items())
        if name not in _BESIDE and constrained.get(name) != version
    ]


def advisories(report: Mapping[str, Any]) -> Iterator[Found]:
    """The vulnerabilities in pip-audit's report."""
    for one in report["dependencies"]:
        for hole in one.get("vulns", ()):
            mended = ", ".join(hole["fix_versions"]) or "no version"
            words = f"{one['name']} {one['version']}: {hole['id']}, mended in {mended}"
            yield Found(hole["id"], one["name"], words)


def unanswered(report: Mapping[str, Any]) -> tuple[str, ...]:
    """What pip-audit got no answer for, in one line at most."""
    skipped = [one["name"] for one in report["dependencies"] if "skip_reason" in one]
    if not skipped:
        return ()
    some = ", ".join(skipped[:3]) + (", ..." if len(skipped) > 3 else "")
    asked = len(report["dependencies"])
    return (
        f"advisories of {len(skipped)} of {asked} versions: the package index has no answer ({some})",
    )


def check(decisions: Decisions) -> Outcome:
    """Looks at the pins, at what is installed, and at what is known of it."""
    constrained, faults = pins(ROOT)
    installed: dict[str, str] = {
        canonicalize_name(one.metadata["Name"]): one.version for one in distributions()
    }
    faults += unlike(installed, constrained)
    agreed = tools.run([sys.executable, "-m", "pip", "check"], fine=(0, 1))
    if agreed.returncode:
        faults += agreed.stdout.splitlines()
    name = f"{len(constrained)} versions"
    try:
        report = _pip_audit()
    except tools.ToolFailed as error:
        return Outcome(
            "dependencies", name, tuple(faults), (f"advisories of all versions: {error}",)
        )
    missed = unanswered(report)
    skips = decisions.skips["dependencies"]
    found = sift(advisories(report), skips, complete=not missed)
    return Outcome("dependencies", f"{name}, by pip-audit", (*faults, *found), missed)


def _pip_audit() -> dict[str, Any]:
    command = tools.ready("audit-scanners") / "pip-audit"
    finished = tools.run(
        [
            *(str(command), "-r", CONSTRAINTS, "--no-deps", "--disable-pip"),
            *("--format", "json", "--progress-spinner", "off"),
        ],
        fine=(0, 1),  # 1: there are some, or it has failed
    )
    try:
        report: dict[str, Any] = json.loads(finished.stdout)
    except ValueError:
        last_line = (finished.stderr.strip() or "nothing").splitlines()[-1]
        raise tools.ToolFailed(f"pip-audit says: {last_line}") from None
    return report
