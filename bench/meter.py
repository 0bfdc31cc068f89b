"""Read and write units of DynamoDB, counted at botocore's edge (`bench/charges.py`)."""

import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench import charges
from bench.charges import CHARGED, FREE, READS, WRITES, Charge, Held, Schema
from bench.units import NotCounted, item_bytes


@dataclass(slots=True)
class Bill:
    """What was counted."""

    reads: Counter[str] = field(default_factory=Counter)  # units, by table
    writes: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)  # by operation
    read_keys: int = 0
    refused: int = 0  # writes whose condition failed
    of_key: Counter[tuple[str, str]] = field(default_factory=Counter)  # write units
    read_of_key: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def read_units(self) -> float:
        """Of all tables."""
        return float(sum(self.reads.values()))

    @property
    def write_units(self) -> int:
        """Of all tables."""
        return sum(self.writes.values())


class Meter:
    """Counts every call of DynamoDB whose events it is attached to, from any thread."""

    def __init__(self, held: Held, keys: Schema) -> None:
        self._held = held
        self._keys = keys
        self._lock = threading.Lock()
        self._bills: list[Bill] = []

    def attach(self, events: Any) -> None:  # noqa: ANN401  # botocore's emitter, of a client or a session
        """Counts the calls of a client, or of the clients that a session will make."""
        events.register_first("before-call.dynamodb", self._before)
        events.register("after-call.dynamodb", self._after)

    @contextmanager
    def counting(self) -> Iterator[Bill]:
        """A bill of the calls that are made meanwhile."""
        bill = Bill()
        self._bills.append(bill)
        try:
            yield bill
        finally:
            self._bills.remove(bill)

    def _before(self, *, model: Any, params: Any, context: Any, **_: Any) -> None:  # noqa: ANN401  # botocore's
        operation = model.name
        if operation in FREE:
            return
        if operation not in READS | WRITES:
            raise NotCounted(operation)
        parameters = json.loads(params["body"])
        # What was there before, which only now can be seen
        before = [
            (write, item_bytes(self._held(write.table, write.key) or {}))
            for write in charges.writes(operation, parameters, self._keys)
        ]
        context["units"] = parameters, before

    def _after(self, *, model: Any, parsed: Any, context: Any, **_: Any) -> None:  # noqa: ANN401
        if "units" not in context:
            return
        parameters, before = context.pop("units")
        operation, failed = model.name, "Error" in parsed
        found: list[Charge] = []
        if not failed or parsed["Error"]["Code"] in CHARGED:
            found = list(
                charges.of_writes(operation, before, parsed, self._held, self._keys, failed=failed)
                if operation in WRITES
                else charges.of_reads(operation, parameters, parsed, self._held)
            )
        with self._lock:
            for bill in self._bills:
                _enter(bill, operation, found, refused=failed)


def _enter(bill: Bill, operation: str, found: Sequence[Charge], *, refused: bool) -> None:
    bill.calls[operation] += 1
    bill.refused += refused
    for table, key, reads, writes in found:
        if operation in READS:
            bill.reads[table] += reads  # type: ignore[assignment]  # a Counter may count halves
            bill.read_of_key[table, key] += reads  # type: ignore[assignment]
            bill.read_keys += 1
        else:
            bill.writes[table] += writes
            bill.of_key[table, key] += writes
