"""What the doctor says."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

DEPLOY = "deploy the template (locally: stop and start `maraude up`)"

Wanted = TypeVar("Wanted")
There = TypeVar("There")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, and what to do."""

    what: str
    do: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something that nobody can say, or that is not wrong yet."""

    what: str


Said = Iterator[Finding | Note]


def compared(
    kind: str,
    wanted: Iterable[tuple[str, Wanted]],
    describe: Callable[[str], There],
    gone: type[Exception],
    check: Callable[[str, Wanted, There], Said],
) -> Said:
    """What is wrong with the things of a kind, each of them wanted under its name.

    `describe` raises `gone` where there is none of the name.
    """
    for name, one in wanted:
        try:
            there = describe(name)
        except gone:
            yield Finding(f"The {kind} {name} is not there.", DEPLOY)
        else:
            yield from check(name, one, there)
