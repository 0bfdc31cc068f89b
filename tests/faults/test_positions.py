"""What goes wrong under positions: each accepted one is its taxi's newest after all, and nothing else is there."""

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

from chalicelib.foundation.aws import clients
from chalicelib.foundation.geo import LngLat
from chalicelib.foundation.store.reads import StoreBusy
from chalicelib.taxis.positions import codec, rules, service, store
from chalicelib.taxis.positions.accept import StreamUnavailable
from chalicelib.taxis.positions.codec import Report
from chalicelib.taxis.positions.rules import CellContended, Position
from tests.faults import injected
from tests.faults.conftest import TIMES, Tell
from tests.faults.injected import Fault
from tests.taxis.positions import fleets
from tests.taxis.positions.fleets import PARIS, Crash, Registry, at, e7, taxi_id

LYON = LngLat(4.8357, 45.764)  # in another cell

pytestmark = pytest.mark.usefixtures("store", "one_at_a_time", "no_pauses")


class _OneAtATime(Executor):
    """Calls in the order given: moto shows items half written to other threads."""

    def map(self, fn: Any, *iterables: Any, **_: Any) -> Iterator[Any]:
        return iter([fn(*arguments) for arguments in zip(*iterables, strict=True)])


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_threads", _OneAtATime)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever tries again does so at once: botocore's pauses alone came to more than a minute."""
    monkeypatch.setattr("time.sleep", lambda _: None)


@dataclass
class Drive:
    """Taxis that report once each while something fails; the stream repeats what could not be stored.

    No later report makes good what an earlier one lost, so every lost position shows.
    """

    rng: random.Random = field(default_factory=lambda: random.Random(1))
    before: dict[int, Position] = field(default_factory=dict)  # where taxis were, seen in all calm
    accepted: dict[int, Position] = field(default_factory=dict)
    repeated: int = 0

    def window(self, *, taxis: int) -> list[Report]:
        """Two reports of so many taxis of their own, all in one cell of Paris.

        A third are new, a third stand in the cell already, and a third come from another one.
        """
        first = len(self.accepted) + 1
        fleet = range(first, first + taxis)
        stood = [(taxi, fleets.somewhere(self.rng)) for taxi in fleet[::3]]
        came = [(taxi, fleets.somewhere(self.rng, LYON)) for taxi in fleet[1::3]]
        seen = fleets.a_report(*stood, *came, seen_at=at(-20))
        self.before |= _positions(seen)
        _stored([seen])
        return [self._report(fleet[::2], second=0), self._report(fleet[1::2], second=1)]

    def _report(self, taxis: range, *, second: int) -> Report:
        where = [(taxi, fleets.somewhere(self.rng)) for taxi in taxis]
        report = fleets.a_report(*where, seen_at=at(second))
        self.accepted |= _positions(report)
        return report

    def store(self, window: list[Report]) -> None:
        """As the stream hands it over: again and again until it is stored."""
        while True:
            try:
                _stored(window)
            except (ClientError, BotoCoreError, StoreBusy, CellContended, Crash):
                self.repeated += 1
            else:
                return

    def gone(self, window: list[Report]) -> int:
        """How many taxis of a window that was broken off are nowhere, though they were somewhere before."""
        known = [taxi for report in window for taxi in report.taxis if taxi in self.before]
        last = service.where_is(map(taxi_id, known), now=at(5))
        return len(known) - len(last)

    def count(self) -> tuple[str, int]:
        """What became of all positions: in words, and how many are not found there by both
        who searches and who asks for the taxi."""
        found = fleets.searched(PARIS, now=at(5), radius_m=10_000)
        shown = {one.taxi_id: (one.seen, one.lat_e7, one.lng_e7) for one in found}
        last = service.where_is(map(taxi_id, self.accepted), now=at(5))
        known = {one: (codec.tick(it.seen_at), *e7(it.point)[::-1]) for one, it in last.items()}
        lost = sum(
            not shown.get(taxi_id(taxi)) == known.get(taxi_id(taxi)) == place
            for taxi, place in self.accepted.items()
        )
        strange = sum(
            rules.position(entry) not in (self.accepted[taxi], self.before.get(taxi))
            for taxi, entries in fleets.entries().items()
            for entry in entries
        )
        assert strange == 0
        assert len(found) == len(shown) <= len(self.accepted)
        return (
            f"{len(self.accepted)} taxis reported once each: {len(self.accepted) - lost} are shown "
            f"there, nothing else is stored; {self.repeated} windows came again"
        ), lost


def _positions(report: Report) -> dict[int, Position]:
    places = zip(report.taxis, report.lats_e7, report.lngs_e7, strict=True)
    return {taxi: (report.seen, lat_e7, lng_e7) for taxi, lat_e7, lng_e7 in places}


def _stored(window: list[Report]) -> None:
    fleets.stored(window, now=at(2), registry=Registry(taxis=10**6))


def _faults(kind: str, fault: Fault) -> AbstractContextManager[None]:
    client = clients.dynamodb()
    match kind:
        case "throttles":
            return injected.throttled(fault, client)
        case "leaves items unprocessed":
            return injected.unprocessed(fault, client)
        case "times out":
            return injected.silent(fault, client, after_doing=False)
    return injected.silent(fault, client, after_doing=True)


@pytest.mark.parametrize(
    ("kind", "guard"),
    [
        ("throttles", "chalicelib.taxis.positions.store.happened: only a lost race is no error"),
        (
            "leaves items unprocessed",
            "chalicelib.foundation.store.reads._fetch: asking for what is left",
        ),
        ("times out", "chalicelib.taxis.positions.store.at_once: raising what a thread raised"),
        (
            "writes and its answer is lost",
            "chalicelib.taxis.positions.ingest.store_window: trying again",
        ),
    ],
    ids=["throttles", "leaves items", "times out", "answer lost"],
)
def test_a_store_in_trouble_loses_no_position(kind: str, guard: str, tell: Tell) -> None:
    # Of the calls that can leave an item there are few, so there are more windows and every other fails
    reads_only = kind == "leaves items unprocessed"
    drive = Drive()
    fault = Fault(0.5 if reads_only else 0.2, seed=1, always=range(9, 15))
    windows = [drive.window(taxis=15) for _ in range(TIMES * (6 if reads_only else 1))]

    with _faults(kind, fault):
        for window in windows:
            drive.store(window)
        if reads_only:
            seen, lost = drive.count()
    if not reads_only:
        seen, lost = drive.count()
    tell(f"DynamoDB {kind}", seen=f"{fault.happened} times; {seen}", lost=lost, guard=guard)
    assert lost == 0
    assert fault.happened > 5
    assert drive.repeated > 0


def test_ingest_that_dies_after_each_of_its_writes_in_turn_loses_nothing(tell: Tell) -> None:
    drive = Drive()
    deaths = gone = 0
    died = True
    while died:  # until it has not so many writes
        window = drive.window(taxis=6)
        died = False
        with fleets.hooked("after-call", fleets.crashing(deaths)):
            try:
                _stored(window)
            except Crash:
                died = True
        if died:
            deaths += 1
            drive.repeated += 1
            gone += drive.gone(window)
            drive.store(window)

    seen, lost = drive.count()
    tell(
        "ingest dies after each of its writes in turn",
        seen=f"{deaths} deaths, after which {gone} taxis were nowhere; {seen}",
        lost=lost + gone,
        guard="chalicelib.taxis.positions.ingest._store_round: who takes a taxi in is written first",
    )
    assert deaths > 5
    assert (lost, gone) == (0, 0)


def test_two_ingest_functions_on_one_cell_lose_nothing(tell: Tell) -> None:
    """The rival stores a whole window before each call of the other in turn."""
    drive = Drive()
    met = -1
    came = [True]
    while came:  # until it has not so many calls
        met += 1
        mine, other = drive.window(taxis=6), drive.window(taxis=6)
        came = []

        def rival(window: list[Report] = other, came: list[bool] = came) -> None:
            came.append(True)
            _stored(window)

        with fleets.hooked("before-call", fleets.interrupted(met, rival)):
            drive.store(mine)
    drive.store(other)

    seen, lost = drive.count()
    tell(
        "two ingest functions on one cell",
        seen=f"{met} meetings; {seen}",
        lost=lost,
        guard="chalicelib.taxis.positions.store.write_cell: the condition on `version`",
    )
    assert met > 5
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
        guard="chalicelib.taxis.positions.entries.Entries.follow: newest wins",
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

    events = clients.kinesis().meta.events
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
        guard="chalicelib.foundation.aws.kinesis.put: `ErrorCode` of each record",
    )
    assert fault.happened > 10
    assert lost == 0
