"""The table of a run of faults, and its place in `docs/evidence/reliability.md`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.page import commit, machine
from ops import pages

BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"


@dataclass(frozen=True, slots=True)
class Row:
    """A fault, and what it came to; `named` says what may be lost, where anything may.

    `guard` is what prevents it, without which the test was seen to fail.
    """

    fault: str
    seen: str
    lost: int
    guard: str
    named: str = ""


def made(rows: Sequence[Row]) -> str:
    """The table, as Markdown."""
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, after commit `{commit()}`, {machine()}.",
        "",
        "| fault | seen | lost | seen to fail without |",
        "| --- | --- | --- | --- |",
    ]
    for row in rows:
        named = f": {row.named}" if row.named else ""
        where, _, part = row.guard.partition(":")
        lines.append(
            f"| {row.fault} | {row.seen} | **{row.lost}**{named} | `{where}`{part and f':{part}'} |"
        )
    return "\n".join(lines)


def written(rows: Sequence[Row], page: Path) -> None:
    """Puts the table in place of the last one. Raises pages.MarkersMissing."""
    pages.put(made(rows), page, BEGIN, END)
