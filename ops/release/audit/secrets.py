"""Audit of secrets: detect-secrets over every file of the last commit and of all before it.

A secret that was committed once is published, though it is gone from the present files. A finding names
the file, the line, and the beginning of the secret's SHA-1, which is what `infra/audit.yaml` knows it by.
"""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ops.errors import CannotGoOn
from ops.release import tools
from ops.release.audit.decisions import ROOT, Decisions, Found, sift
from ops.release.audit.outcome import Outcome

# Of a secret's SHA-1: enough to tell those of one repository apart, and too little to look one up.
DIGEST = 12

# Lines that ask to be passed over are not: what is harmless stands in `infra/audit.yaml`, with its reason.
_UNHEEDED = "detect_secrets.filters.allowlist.is_line_allowlisted"

# Digests of public files, by which packages are pinned.
_PINS = r"^\s*--hash=sha256:[0-9a-f]{64}( \\)?$"


def write_history(repository: Path, folder: Path, commit: str = "HEAD") -> int:
    """Writes each content that a commit or one before it had, as BLOB/its/name; how many.

    Raises CannotGoOn where git knows no such commit, or only the last part of its history.
    """
    if _git(repository, "rev-parse", "--is-shallow-repository").strip() == b"true":
        raise CannotGoOn("This clone lacks the older commits: git fetch --unshallow.")
    listed = _git(repository, "rev-list", "--objects", commit).decode("utf-8", "surrogateescape")
    named = [line.partition(" ") for line in listed.splitlines()]
    request = "".join(f"{blob}\n" for blob, _, name in named if name)
    batch = _git(repository, "cat-file", "--batch", stdin=request.encode())
    count = at = 0
    for blob, _, name in named:
        if not name:
            continue
        end = batch.index(b"\n", at)
        _, kind, size = batch[at:end].split()
        content = batch[end + 1 : end + 1 + int(size)]
        at = end + 2 + int(size)
        if kind == b"blob":
            file = folder / blob / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            count += 1
    return count


def _git(repository: Path, *arguments: str, stdin: bytes | None = None) -> bytes:
    finished = subprocess.run(
        ["git", *arguments],  # noqa: S607  # git is where the developer has it
        cwd=repository,
        input=stdin,
        capture_output=True,
        check=False,
    )
    if finished.returncode != 0:
        raise CannotGoOn(f"git {arguments[0]} failed: {finished.stderr.decode().strip()}")
    return finished.stdout


def found(report: dict[str, Any]) -> Iterator[Found]:
    """What detect-secrets reports of the files that `write_history` wrote."""
    for name, some in report["results"].items():
        blob, _, file = name.removeprefix("./").partition("/")
        for one in some:
            digest = one["hashed_secret"][:DIGEST]
            at = f"{file}:{one['line_number']} of {blob[:8]}"
            yield Found(digest, file, f"{at}: {one['type']}, {digest}")


def check(decisions: Decisions) -> Outcome:
    """Scans the history of the last commit. Raises CannotGoOn."""
    with tempfile.TemporaryDirectory() as folder:
        count = write_history(ROOT, Path(folder))
        name = f"{count} files of the last commit and all before it"
        try:
            command = tools.ready("audit-scanners") / "detect-secrets"
            finished = tools.run(
                [
                    *(str(command), "scan", "--all-files", "--no-verify"),
                    *("--disable-filter", _UNHEEDED, "--exclude-lines", _PINS),
                ],
                cwd=Path(folder),
            )
        except tools.ToolFailed as error:
            return Outcome("secrets", name, not_checked=(str(error),))
    findings = sift(found(json.loads(finished.stdout)), decisions.skips["secrets"])
    return Outcome("secrets", f"{name}, by detect-secrets", tuple(findings))
