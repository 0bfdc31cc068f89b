"""What goes wrong under positions: each accepted one is stored, or a newer one of its taxi is."""

import json
import random
from base64 import b64decode
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import aws
from chalicelib.dynamo import StoreBusy
from chalicelib.positions import codec, service, store
from chalicelib.positions.codec import Report
from chalicelib.positions.rules import CellContended
from chalicelib.positions.stream import StreamUnavailable
from tests.faults import injected
from tests.faults.conftest import Tell
from tests.faults.injected import Fault
from tests.positions import fleets
from tests.positions.fleets import Crash, at, e7, taxi_id

TAXIS, WINDOWS = 20, 3

pytestmark = pytest.mark.usefixtures("store", "one_at_a_time")


class _OneAtATime(Executor):
    """Calls in the order given: moto shows items half written to other threads."""

    def map(self, fn: Any, *iterables: Any, **_: Any) -> Iterator[Any]:
        return iter([fn(*arguments) for arguments in zip(*iterables, strict=True)])


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_threads", _OneAtATime)


@dataclass
class Drive:
    """Taxis that report window after window; the stream repeats what ingest could not store."""

    rng: random.Random = field(default_factory=lambda: random.Random(1))
    reports: list[Report] = field(default_factory=list)
    repeated: int = 0

    def window(self, number: int, *, first: int = 1) -> list[Report]:
        """Half of the taxis from `first` on, in two reports."""
        made = [
            fleets.a_report(
                *((taxi, fleets.somewhere(self.rng)) for taxi in self._half(first)),
                seen_at=at(5 * number + second),
            )
            for second in (0, 1)
        ]
        self.reports += made
        return made

    def _half(self, first: int) -> list[int]:
        return self.rng.sample(range(first, first + TAXIS), TAXIS // 2)

    def store(self, window: list[Report], number: int) -> None:
        """As the stream hands it over: again and again until it is stored."""
        while True:
            try:
                fleets.stored(window, now=at(5 * number + 2))
            except (ClientError, BotoCoreError, StoreBusy, CellContended, Crash):
                self.repeated += 1
            else:
                return

    def count(self) -> tuple[str, int]:
        """What became of all positions: in words, and how many taxis have lost their newest."""
        newest: dict[int, tuple[int, int, int]] = {}
        offered = 0
        for report in self.reports:
            for taxi, lat, lng in zip(report.taxis, report.lats_e7, report.lngs_e7, strict=True):
                offered += 1
                newest[taxi] = max(newest.get(taxi, (0, 0, 0)), (report.seen, lat, lng))
        lost = sum(fleets.newest_known(taxi) != known for taxi, known in newest.items())
        kept = len(newest) - lost
        seen = f"{offered} positions: {kept} newest stored, {offered - len(newest)} superseded"
        return f"{seen}; {self.repeated} windows came again", lost


def _faults(kind: str, fault: Fault) -> AbstractContextManager[None]:
    client = aws.dynamodb()
    match kind:
        case "throttles":
            return injected.throttled(fault, client)
        case "leaves items unprocessed":
            return injected.unprocessed(fault, client)
        case "times out":
            return injected.silent(fault, client, after_doing=False)
    return injected.silent(fault, client, after_doing=True)


@pytest.mark.parametrize(
    "kind",
    ["throttles", "leaves items unprocessed", "times out", "writes and its answer is lost"],
)
def test_a_store_in_trouble_loses_no_newest_position(kind: str, tell: Tell) -> None:
    # Of the calls that can leave an item there are few, so there are more windows and every other fails
    reads_only = kind == "leaves items unprocessed"
    drive, fault = Drive(), Fault(0.5 if reads_only else 0.2, seed=1)

    with _faults(kind, fault):
        for number in range(WINDOWS * (4 if reads_only else 1)):
            drive.store(drive.window(number), number)

    seen, lost = drive.count()
    tell(f"DynamoDB {kind}", seen=f"{fault.happened} times; {seen}", lost=lost)
    assert fault.happened > 2
    assert lost == 0


def test_ingest_that_dies_after_each_of_its_writes_in_turn_loses_nothing(tell: Tell) -> None:
    drive, deaths = Drive(), 0
    for number in range(WINDOWS):
        window = drive.window(number)
        write = 0
        while True:
            before = drive.repeated
            with fleets.hooked("after-call", fleets.crashing(write)):
                try:
                    fleets.stored(window, now=at(5 * number + 2))
                except Crash:
                    drive.repeated += 1
            if drive.repeated == before:
                break
            deaths, write = deaths + 1, write + 1
            if write > 4:  # the first writes of each window: pointers, then cells
                drive.store(window, number)
                break

    seen, lost = drive.count()
    tell("ingest dies after each of its writes in turn", seen=f"{deaths} deaths; {seen}", lost=lost)
    assert deaths > WINDOWS
    assert lost == 0


def test_two_ingest_functions_on_one_cell_lose_nothing(tell: Tell) -> None:
    """The rival stores a whole window before each call of the other in turn."""
    drive, met = Drive(), 0
    number = 0
    interrupted = True
    while interrupted and number < 20:  # the registry of these tests has a thousand taxis
        interrupted = False
        # Taxis of their own, so that no later window makes good what this one loses
        first = 2 * TAXIS * number + 1
        mine = drive.window(2 * number, first=first)
        other = drive.window(2 * number + 1, first=first + TAXIS)

        def rival(window: list[Report] = other, place: int = number) -> None:
            nonlocal interrupted
            interrupted = True
            fleets.stored(window, now=at(10 * place + 7))

        with fleets.hooked("before-call", fleets.interrupted(number, rival)):
            drive.store(mine, 2 * number)
        if not interrupted:
            rival()
            interrupted = False
        met += interrupted
        number += 1

    seen, lost = drive.count()
    tell("two ingest functions on one cell", seen=f"{met} meetings; {seen}", lost=lost)
    assert met > 3
    assert lost == 0


def test_a_clock_that_steps_back_two_seconds_supersedes_for_two_seconds_and_loses_nothing(
    tell: Tell,
) -> None:
    """The step makes reports look older than what is there; who reports on is right again."""
    rng = random.Random(1)
    clock_s = [0, 1, 2, 3, 4, 5, 3.1, 4.1, 5.1, 6.1]
    places = [fleets.somewhere(rng) for _ in clock_s]
    behind = 0
    for second, place in zip(clock_s, places, strict=True):
        fleets.stored([fleets.a_report((1, place), seen_at=at(second))], now=at(second))
        last = service.where_is([taxi_id(1)], now=at(second))[taxi_id(1)]
        shown = round(last.point.lng, 7), round(last.point.lat, 7)
        behind += shown != (place.lng, place.lat)

    found = [one.taxi_id for one in fleets.searched(places[-1], now=at(6.1))]
    tell(
        "the clock steps back 2 s",
        seen=f"{len(places)} positions, {behind} superseded by those from before the step",
        lost=0 if found == [taxi_id(1)] and shown == (places[-1].lng, places[-1].lat) else 1,
        named="until the clock is where it was, at most 2 s of reports do not show",
    )
    assert behind == 2
    assert shown == (places[-1].lng, places[-1].lat)
    assert found == [taxi_id(1)]


# --- the stream ------------------------------------------------------------------------------------


@contextmanager
def _kinesis(fault: Fault) -> Iterator[list[bytes]]:
    """A stream that refuses some records of a call; those that it took, as bytes."""
    taken: list[bytes] = []

    class Http:
        status_code = 200

    def answer(params: dict[str, Any], **_: Any) -> Any:
        results = []
        for record in json.loads(params["body"])["Records"]:
            if fault.strikes():
                results.append({"ErrorCode": "ProvisionedThroughputExceededException"})
            else:
                taken.append(b64decode(record["Data"]))
                results.append({"SequenceNumber": str(len(taken)), "ShardId": "0"})
        failed = sum("ErrorCode" in one for one in results)
        return Http(), {"FailedRecordCount": failed, "Records": results}

    events = aws.kinesis().meta.events
    events.register("before-call.kinesis.PutRecords", answer)
    try:
        yield taken
    finally:
        events.unregister("before-call.kinesis.PutRecords", answer)


def test_a_stream_that_refuses_records_has_every_position_that_was_accepted(tell: Tell) -> None:
    rng, fault = random.Random(1), Fault(0.4, seed=1)
    accepted: dict[int, tuple[int, int]] = {}
    refused = 0
    with _kinesis(fault) as taken:
        for post in range(40):
            spread = 0.02 if post % 2 else 8.0  # half of the POSTs span several regions
            batch = {
                taxi: e7(fleets.somewhere(rng, spread=spread))
                for taxi in range(20 * post, 20 * post + 20)
            }
            positions = [(taxi_id(taxi), *place) for taxi, place in batch.items()]
            try:
                service.accept(positions, now=at(post))
            except StreamUnavailable:
                refused += 1
            else:
                accepted |= batch

    there = {
        (report.taxis[place], report.lngs_e7[place], report.lats_e7[place])
        for report in map(codec.unpack_report, taken)
        for place in range(len(report.taxis))
    }
    lost = sum((taxi, *place) not in there for taxi, place in accepted.items())
    tell(
        "Kinesis refuses 40 % of the records of its batches",
        seen=f"{fault.happened} records refused; of 40 POSTs {refused} answered 503 as a whole",
        lost=lost,
    )
    assert fault.happened > 10
    assert lost == 0
