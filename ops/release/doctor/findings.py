"""Findings of the doctor."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

DEPLOY = "deploy the template (locally: stop and start `maraude up`)"

Resource = TypeVar("Resource")
There = TypeVar("There")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, and what to do."""

    what: str
    do: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something that cannot be checked, or is not wrong yet."""

    what: str


Findings = Iterator[Finding | Note]


def compared(
    kind: str,
    expected: Iterable[tuple[str, Resource]],
    describe: Callable[[str], There],
    missing: type[Exception],
    check: Callable[[str, Resource, There], Findings],
) -> Findings:
    """Findings on the resources of a kind, each of them expected under its name.

    `describe` raises `missing` where there is none of the name.
    """
    for name, one in expected:
        try:
            there = describe(name)
        except missing:
            yield Finding(f"The {kind} {name} is not there.", DEPLOY)
        else:
            yield from check(name, one, there)
