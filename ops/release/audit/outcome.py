"""Outcome of a check of the audit: what it looked at, its findings, what it could not check."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ops.errors import CannotGoOn


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one check."""

    check: str
    looked_at: str
    findings: tuple[str, ...] = ()
    not_checked: tuple[str, ...] = ()


def of(check: str, make: Callable[[], Outcome]) -> Outcome:
    """A check's outcome; where it could not be made at all, it says so and the others go on."""
    try:
        return make()
    except CannotGoOn as error:
        return Outcome(check, "nothing", not_checked=(str(error),))


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


FOUND, NOT_CHECKED = 1, 3  # exit codes; 2 is argparse's, of a call that is wrong


def exit_code(outcomes: Iterable[Outcome]) -> int:
    """FOUND if anything was found, else NOT_CHECKED if anything was not checked, else 0."""
    outcomes = tuple(outcomes)
    if any(one.findings for one in outcomes):
        return FOUND
    return NOT_CHECKED if any(one.not_checked for one in outcomes) else 0
