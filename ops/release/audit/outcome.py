"""Outcome of a check of the audit: what it looked at, its findings, what it could not check."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one check."""

    check: str
    looked_at: str
    findings: tuple[str, ...] = ()
    not_checked: tuple[str, ...] = ()


def table(outcomes: Iterable[Outcome]) -> str:
    """A line a check, then each finding and each thing that was not checked."""
    outcomes = tuple(outcomes)
    lines = [f"{'check':14} {'findings':11} looked at"]
    for one in outcomes:
        found = str(len(one.findings) or "none")
        if one.not_checked:
            found = "NOT CHECKED" if not one.findings else f"{found}, not all"
        lines.append(f"{one.check:14} {found:11} {one.looked_at}")
    for one in outcomes:
        lines += [f"{one.check}: {finding}" for finding in one.findings]
        lines += [f"{one.check}: not checked: {what}" for what in one.not_checked]
    return "\n".join(lines)


def exit_code(outcomes: Iterable[Outcome], *, complete: bool) -> int:
    """1 if anything was found or, where all must be checked (`complete`), anything was not; else 0."""
    return int(any(one.findings or (complete and one.not_checked) for one in outcomes))
