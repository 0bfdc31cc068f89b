"""The semantics of Lambda's event-source mappings, on values."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from ops.local.delivery import (
    RETRIES_EXHAUSTED,
    TOO_OLD,
    Delivery,
    Failure,
    Interrupted,
    Record,
    failed_items,
)
from ops.local.mapping import EventSourceMapping

NOW = 1_000.0


def records(text: str, *, arrived_at: float = NOW) -> list[Record]:
    """A record for each letter."""
    return [Record(letter, arrived_at, {"letter": letter}) for letter in text]


@dataclass
class Shard:
    """What became of a delivery, and the function that it went to.

    The function raises at a letter of `poison`, or reports it as failed.
    """

    poison: str = ""
    raises: bool = True
    cured_after: int | None = None  # invocations
    given: list[str] = field(default_factory=list)
    committed: list[str] = field(default_factory=list)
    given_up: list[Failure] = field(default_factory=list)
    paused: list[float] = field(default_factory=list)
    stops: bool = False

    def invoke(self, batch: Sequence[Record]) -> object:
        text = "".join(record.sequence_number for record in batch)
        self.given.append(text)
        if self.cured_after is not None and len(self.given) > self.cured_after:
            return None
        bad = [letter for letter in text if letter in self.poison]
        if bad and self.raises:
            raise ValueError(bad)
        return {"batchItemFailures": [{"itemIdentifier": letter} for letter in bad]}

    def pause(self, seconds: float) -> bool:
        self.paused.append(seconds)
        return self.stops

    def take(self, batch: Sequence[Record], mapping: EventSourceMapping) -> None:
        Delivery(
            mapping,
            invoke=self.invoke,
            commit=self.committed.append,
            announce=self.given_up.append,
            pause=self.pause,
            now=lambda: NOW,
        ).deliver(batch)

    @property
    def announced(self) -> list[tuple[str, str]]:
        return [
            ("".join(record.sequence_number for record in failure.records), failure.condition)
            for failure in self.given_up
        ]


def test_a_batch_that_is_handled_is_committed_once() -> None:
    shard = Shard()

    shard.take(records("abc"), EventSourceMapping())

    assert (shard.given, shard.committed) == (["abc"], ["c"])


def test_a_failed_batch_comes_again_whole_until_its_retries_are_used_up() -> None:
    shard = Shard(poison="b")

    shard.take(records("abc"), EventSourceMapping(maximum_retry_attempts=2))

    assert shard.given == ["abc", "abc", "abc"]
    assert shard.announced == [("abc", RETRIES_EXHAUSTED)]
    assert shard.committed == ["c"]


def test_without_a_limit_a_batch_comes_again_until_it_is_handled() -> None:
    shard = Shard(poison="b", cured_after=30)

    shard.take(records("abc"), EventSourceMapping())

    assert len(shard.given) == 31
    assert (shard.announced, shard.committed) == ([], ["c"])


def test_retries_are_further_and_further_apart_up_to_a_limit() -> None:
    shard = Shard(poison="a", cured_after=12)

    shard.take(records("a"), EventSourceMapping())

    assert shard.paused[4] > shard.paused[0]
    assert max(shard.paused) <= 5


def test_a_bisected_batch_loses_only_the_poison() -> None:
    shard = Shard(poison="c")

    shard.take(
        records("abcdefgh"),
        EventSourceMapping(bisect_batch_on_function_error=True, maximum_retry_attempts=1),
    )

    assert shard.given == ["abcdefgh", "abcd", "ab", "cd", "c", "c", "d", "efgh"]
    assert shard.announced == [("c", RETRIES_EXHAUSTED)]
    assert shard.committed == ["b", "c", "d", "h"]


def test_bisecting_uses_up_no_retries() -> None:
    shard = Shard(poison="a")

    shard.take(
        records("abcd"),
        EventSourceMapping(bisect_batch_on_function_error=True, maximum_retry_attempts=0),
    )

    assert shard.given == ["abcd", "ab", "a", "b", "cd"]


def test_after_a_partial_failure_only_the_rest_comes_again() -> None:
    shard = Shard(poison="c", raises=False, cured_after=2)

    shard.take(records("abcde"), EventSourceMapping(report_batch_item_failures=True))

    assert shard.given == ["abcde", "cde", "cde"]
    assert shard.committed == ["b", "e"]


def test_a_partial_failure_counts_against_the_retries_of_the_record_that_failed() -> None:
    shard = Shard(poison="c", raises=False)

    shard.take(
        records("abcde"),
        EventSourceMapping(report_batch_item_failures=True, maximum_retry_attempts=2),
    )

    assert shard.given == ["abcde", "cde", "cde"]
    assert shard.announced == [("cde", RETRIES_EXHAUSTED)]


def test_partial_failures_and_bisection_leave_every_good_record_handled_once() -> None:
    shard = Shard(poison="c", raises=False)

    shard.take(
        records("abcdefgh"),
        EventSourceMapping(
            report_batch_item_failures=True,
            bisect_batch_on_function_error=True,
            maximum_retry_attempts=1,
        ),
    )

    assert shard.announced == [("c", RETRIES_EXHAUSTED)]
    assert shard.committed[-1] == "h"
    # "c" came with those after it, which its failure did not let count as handled
    assert [text for text in shard.given if "c" not in text] == ["de", "fgh"]


def test_without_the_response_type_a_report_is_ignored() -> None:
    shard = Shard(poison="b", raises=False)

    shard.take(records("abc"), EventSourceMapping())

    assert (shard.given, shard.committed) == (["abc"], ["c"])


def test_several_reported_failures_count_from_the_first() -> None:
    shard = Shard(poison="db", raises=False, cured_after=1)

    shard.take(records("abcde"), EventSourceMapping(report_batch_item_failures=True))

    assert shard.given == ["abcde", "bcde"]


def test_records_that_are_too_old_are_given_up_and_the_others_delivered() -> None:
    shard = Shard()
    batch = records("ab", arrived_at=NOW - 61) + records("cd", arrived_at=NOW - 59)

    shard.take(batch, EventSourceMapping(maximum_record_age_in_seconds=60))

    assert shard.announced == [("ab", TOO_OLD)]
    assert (shard.given, shard.committed) == (["cd"], ["b", "d"])


def test_a_failure_is_announced_before_it_is_committed() -> None:
    shard = Shard(poison="a")

    def cannot_announce(_: Failure) -> None:
        raise ConnectionError

    delivery = Delivery(
        EventSourceMapping(maximum_retry_attempts=0),
        invoke=shard.invoke,
        commit=shard.committed.append,
        announce=cannot_announce,
        pause=shard.pause,
        now=lambda: NOW,
    )

    with pytest.raises(ConnectionError):
        delivery.deliver(records("a"))
    assert shard.committed == []


def test_a_stop_between_two_attempts_leaves_the_rest_uncommitted() -> None:
    shard = Shard(poison="b", raises=False, stops=True)

    with pytest.raises(Interrupted):
        shard.take(records("abc"), EventSourceMapping(report_batch_item_failures=True))

    assert shard.committed == ["a"]


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (None, ""),
        ({}, ""),
        ({"batchItemFailures": None}, ""),
        ({"batchItemFailures": []}, ""),
        ({"batchItemFailures": [{"itemIdentifier": "b"}]}, "b"),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, "abc"),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, "abc"),
        ({"batchItemFailures": [{"item": "b"}]}, "abc"),
        ({"batchItemFailures": [{"itemIdentifier": "z"}]}, "abc"),
        ({"batchItemFailures": ["b"]}, "abc"),
        ("handled", "abc"),
    ],
)
def test_a_report_that_makes_no_sense_fails_the_whole_batch(answer: object, failed: str) -> None:
    assert failed_items(answer, "abc") == set(failed)


def test_a_mapping_is_read_from_the_properties_of_the_template() -> None:
    properties = {
        "BatchSize": 500,
        "MaximumBatchingWindowInSeconds": 5,
        "BisectBatchOnFunctionError": True,
        "MaximumRecordAgeInSeconds": 3600,
        "MaximumRetryAttempts": 10,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    }

    found = EventSourceMapping.of(properties, on_failure="failures")

    assert found == EventSourceMapping(500, 5, True, 3600, 10, True, "failures")  # noqa: FBT003
