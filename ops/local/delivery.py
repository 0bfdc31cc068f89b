"""Delivery of a shard's batches to a function, with the semantics of Lambda's event-source mappings.

Plain Python: what is read, where the checkpoint is kept and how a failure is announced stand
elsewhere (`streams.py`, `runner.py`), so that these rules can be tested on values.
"""

import logging
import random
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ops.local.mapping import EventSourceMapping

RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
TOO_OLD = "RecordAgeExceeded"
PAUSE_MAX_S = 5.0

log = logging.getLogger("maraude.runner")


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a shard. `event` is its entry in `Records`; `arrived_at` in Unix seconds."""

    sequence_number: str
    arrived_at: float
    event: dict[str, Any]
    size: int = 0  # bytes in the event


class Handler(Protocol):
    """A Lambda function."""

    def __call__(self, event: dict[str, Any], context: Any, /) -> object: ...  # noqa: ANN401


class Interrupted(Exception):
    """The runner stops before the batch was done with: its records come again at the next start."""


def failed_items(answer: Any, known: Collection[str]) -> set[str]:  # noqa: ANN401  # a function may answer anything
    """The records that a function reports as failed; all of them when the report makes no sense."""
    try:
        named = {one["itemIdentifier"] for one in (answer or {}).get("batchItemFailures") or ()}
    except (AttributeError, KeyError, TypeError):
        named = {None}
    if named <= set(known):
        return named
    log.error("a function reported failures of records that it was not given: %r", answer)
    return set(known)


@dataclass(frozen=True, slots=True)
class Failure:
    """Records that were given up, in the order of the shard, and why."""

    records: Sequence[Record]
    condition: str
    invocations: int


@dataclass(frozen=True, slots=True)
class _Batch:
    records: Sequence[Record]
    failures: int = 0  # invocations that failed on its first record, and could not be narrowed down


@dataclass(frozen=True, slots=True)
class Delivery:
    """Delivers batches until every record of them was handled or given up.

    `invoke` gets the records and answers what the function answered, or raises what it raised.
    `commit` gets the sequence number up to which the shard is done with. `announce` gets what is
    given up, before that is committed. `pause` waits the seconds given and tells whether to stop.
    """

    mapping: EventSourceMapping
    invoke: Callable[[Sequence[Record]], object]
    commit: Callable[[str], None]
    announce: Callable[[Failure], None]
    pause: Callable[[float], bool]
    now: Callable[[], float]

    def deliver(self, records: Sequence[Record]) -> None:
        """Delivers in order. Raises Interrupted when it is told to stop between two attempts."""
        waiting = deque([_Batch(records)])
        while waiting:
            batch = self._without_the_old(waiting.popleft())
            if not batch.records:
                continue
            failed = self._first_failed(batch.records)
            if failed is None:
                self.commit(batch.records[-1].sequence_number)
                continue
            left = self._what_is_left(batch, failed)
            if left and left[0].failures:
                wait_s = min(PAUSE_MAX_S, 0.1 * 2 ** min(left[0].failures, 10))
                if self.pause(wait_s * random.uniform(0.5, 1)):
                    raise Interrupted
            waiting.extendleft(reversed(left))

    def _without_the_old(self, batch: _Batch) -> _Batch:
        age_max_s = self.mapping.maximum_record_age_in_seconds
        if age_max_s < 0:
            return batch
        since = self.now() - age_max_s
        fresh = next(
            (place for place, one in enumerate(batch.records) if one.arrived_at >= since),
            len(batch.records),
        )
        if not fresh:
            return batch
        self._give_up(batch.records[:fresh], TOO_OLD, batch.failures)
        return _Batch(batch.records[fresh:])

    def _first_failed(self, records: Sequence[Record]) -> int | None:
        """The place of the first record that the function did not handle; None when all are done."""
        try:
            answer = self.invoke(records)
        except Exception:  # whatever a handler raises is a failed batch, as on AWS
            log.exception("a batch of %d failed", len(records))
            return 0
        if not self.mapping.report_batch_item_failures:
            return None
        places = {record.sequence_number: place for place, record in enumerate(records)}
        return min((places[name] for name in failed_items(answer, places)), default=None)

    def _what_is_left(self, batch: _Batch, failed: int) -> list[_Batch]:
        """What to try next after an invocation that failed at `failed`."""
        records = batch.records
        if failed:
            self.commit(records[failed - 1].sequence_number)
            return [_Batch(records[failed:], failures=1)]
        if self.mapping.bisect_batch_on_function_error and len(records) > 1:
            half = len(records) // 2
            return [_Batch(records[:half], batch.failures), _Batch(records[half:])]
        failures = batch.failures + 1
        if 0 <= self.mapping.maximum_retry_attempts < failures:
            self._give_up(records, RETRIES_EXHAUSTED, failures)
            return []
        return [_Batch(records, failures)]

    def _give_up(self, records: Sequence[Record], condition: str, invocations: int) -> None:
        log.error("%d records are given up: %s", len(records), condition)
        self.announce(Failure(records, condition, invocations))
        self.commit(records[-1].sequence_number)
