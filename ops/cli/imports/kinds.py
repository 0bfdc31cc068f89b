"""Kinds of imported things, and the verdict on a line.

Each kind is asked in batches. What an earlier line or file will have brought counts as there, so that
a dry run says what the import would do. Of each good line its keys stay in memory, some 400 bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any, Protocol

from chalicelib.foundation.errors import Refusal
from chalicelib.taxis.vocabulary import Account
from ops.cli.imports.forms import Form


class Verdict(IntEnum):
    """The verdict on a line: new, changed, unchanged, faulty ..."""

    FAULTY = 0
    SAME = 1
    CHANGED = 2
    NEW = 3


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why a line cannot be taken; `at` is the field, dotted."""

    at: str
    what: str


@dataclass(frozen=True, slots=True)
class Read:
    """A line as its form has read it; `account` is None while its operator is to be imported too."""

    line: int
    operator: str
    account: Account | None
    beside: Mapping[str, Any]
    body: Any


Found = Verdict | Wrong
Key = tuple[str, ...]


class Kind(Protocol):
    """One kind of thing."""

    @property
    def name(self) -> str:
        """Of its file."""

    @property
    def form(self) -> Form:
        """What a line holds."""

    @property
    def batch(self) -> int:
        """How many are compared at once."""

    def key(self, read: Read) -> Key:
        """The natural key: a file has it once."""

    def compare(self, reads: Sequence[Read]) -> list[Found]:
        """The verdict on each, by the registry and by what the import brings."""

    def prepare(self) -> None:
        """Preparation before the first is written."""

    def write(self, read: Read, *, now: datetime) -> None:
        """Brings one that is new or changed. Raises Refusal, RecordMoved."""


BATCH = 100  # as many keys as a call of DynamoDB carries


def wrong(refusal: Refusal) -> Wrong:
    """A refusal of the registry, as the first thing that is wrong with a line."""
    fault = refusal.faults[0]
    return Wrong(".".join(fault.steps), fault.message)


def verdict(before: object, target: object) -> Verdict:
    if before is None:
        return Verdict.NEW
    return Verdict.SAME if before == target else Verdict.CHANGED
