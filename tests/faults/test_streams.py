"""Faults of the streams: one that is split and merged, and records that nobody can read."""

import base64
import random
import threading
import time
from typing import Any

import pytest

from chalicelib.foundation import clock
from chalicelib.foundation.aws import clients as aws
from chalicelib.taxis.positions import codec, rules, service
from chalicelib.taxis.positions.rules import Position
from chalicelib.taxis.registry import availability
from chalicelib.taxis.vocabulary import TaxiStatus
from ingest_lambda import handler, records
from ops.local import shards
from ops.local.clients import Clients
from ops.local.mapping import EventSourceMapping
from ops.local.runner import Runner
from tests.eventually import eventually
from tests.faults import injected
from tests.faults.conftest import TIMES, Tell
from tests.ingest_lambda.test_ingest_handler import a_change, a_record, put_aside
from tests.taxis.positions import fleets
from tests.taxis.positions.fleets import NOON, PARIS, Registry, at, e7, taxi_id

Record = dict[str, Any]  # of an event of Lambda's

pytestmark = pytest.mark.usefixtures("registry")


@pytest.fixture
def registry(store: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001  # a fixture of a fixture
    """A registry whose taxis are all free."""
    known = Registry(taxis=10**6)
    monkeypatch.setattr(availability, "availability_of", known.availability_of)
    monkeypatch.setattr(shards, "POLL_S", 0.02)
    monkeypatch.setattr(shards, "RESHARD_S", 0.05)
    records._url.cache_clear()


def test_a_stream_that_is_split_and_merged_loses_nothing_and_keeps_the_order(tell: Tell) -> None:
    """Of a dozen taxis a POST two thirds report once, on parents or children, a third all the time.

    Each stays in its region, which is the partition key: only there have its reports an order.
    """
    rng = random.Random(1)
    homes: dict[int, tuple[int, int]] = {}
    accepted: dict[int, tuple[int, int]] = {}
    sent = came = out_of_order = 0
    handled: dict[int, int] = {}  # tick of the last report of each taxi
    at_once = threading.Lock()  # moto shows items half written to other threads

    def ingest(event: dict[str, Any], context: Any, /) -> object:
        nonlocal came, out_of_order
        time.sleep(0.15)  # so that a shard has something left when its children begin
        with at_once:
            for record in event["Records"]:
                report = codec.unpack_report(base64.b64decode(record["kinesis"]["data"]))
                for taxi in report.taxis:
                    out_of_order += report.seen < handled.get(taxi, 0)
                    handled[taxi] = report.seen
                    came += 1
            return handler.handle(event, context)

    with injected.resharding(aws.kinesis()) as stream:
        clients = Clients(aws.dynamodb(), aws.kinesis(), aws.sqs(), None)
        runner = Runner(clients)
        mapping = EventSourceMapping(batch_size=3, maximum_batching_window_in_seconds=0.05)
        runner.feed_kinesis("maraude-test-positions", "ingest", ingest, mapping)
        runner.start()
        for phase in range(3):
            for post in range(4 * TIMES):
                first = 12 * post + 1
                some = [taxi for taxi in range(first, first + 12) if taxi % 4 in (0, phase + 1)]
                batch = {}
                for taxi in some:
                    if taxi not in homes:
                        homes[taxi] = e7(fleets.somewhere(rng, spread=8.0))
                    lng_e7, lat_e7 = homes[taxi]
                    batch[taxi] = (lng_e7 + 10 * phase, lat_e7 + 10 * phase)
                now = clock.now()
                with at_once:
                    service.accept([(taxi_id(one), *batch[one]) for one in some], now=now)
                accepted |= batch
                sent += len(batch)
            stream.reshard()
            time.sleep(0.11)  # positions know the time to 0.1 s
        # A runner that stops leaves children that have not begun to the next one
        eventually(lambda: came >= sent)
        ended = runner.stop(timeout_s=30)

    newest: dict[int, Position] = {}
    for taxi, entries in fleets.entries().items():
        newest[taxi] = max(map(rules.position, entries))
    lost = sum(
        newest.get(taxi, (0, 0, 0))[1:] != (lat_e7, lng_e7)
        for taxi, (lng_e7, lat_e7) in accepted.items()
    )
    tell(
        "the stream is split and merged, again and again",
        seen=f"{len(stream.shards)} shards in the end; {sent} positions of {len(accepted)} taxis on "
        f"parents and children: {len(accepted) - lost} newest are stored, {out_of_order} were "
        "handled before an older one",
        lost=lost,
        guard="ops.local.shards.StreamFeeder._under_way: a child waits for its parents",
    )
    assert ended
    assert newest.keys() == accepted.keys()
    assert (lost, out_of_order) == (0, 0)


def a_position(taxi: int) -> bytes:
    lng_e7, lat_e7 = e7(PARIS)
    return codec.pack_report(codec.tick(clock.now()), [(taxi, lat_e7, lng_e7)])


def around(bad: list[Record], good: list[Record]) -> list[list[Record]]:
    """A window for each bad record, in the middle of six good ones."""
    return [
        [*good[6 * place : 6 * place + 3], one, *good[6 * place + 3 : 6 * place + 6]]
        for place, one in enumerate(bad)
    ]


def all_put_aside() -> list[dict[str, Any]]:
    """What is in the failure queue, however much."""
    found: list[dict[str, Any]] = []
    while some := put_aside():
        found += some
    return found


def test_poison_in_the_middle_of_windows_of_positions_is_put_aside_alone(tell: Tell) -> None:
    whole = a_position(1)
    kinds = [
        b"",
        b"{}",
        b"\x09" + whole[1:],
        whole[:-1],
        whole + b"?",
        random.Random(1).randbytes(40),
    ]
    bad = kinds * TIMES
    good = [a_record(number, a_position(number)) for number in range(1, 6 * len(bad) + 1)]

    for window in around([a_record(10**6, packed) for packed in bad], good):
        assert handler.handle({"Records": window}, None) == {"batchItemFailures": []}

    aside = [base64.b64decode(kept["data"]) for kept in all_put_aside()]
    lost = len(good) - len(fleets.entries())
    tell(
        "windows of positions have records that nobody can read",
        seen=f"{len(bad)} among {len(good)} others: {len(good) - lost} are stored, {len(aside)} are "
        "in `ingest-failures`, byte by byte",
        lost=lost,
        named="these records",
        guard="ingest_lambda.handler._store_positions: `Unreadable`",
    )
    assert sorted(aside) == sorted(bad)
    assert lost == 0


def test_poison_in_the_middle_of_changes_of_descriptions_is_put_aside_alone(tell: Tell) -> None:
    bad = 3 * TIMES
    taxis = range(1, 6 * bad + 1)
    now_ms = round(clock.now().timestamp() * 1000)
    handler.handle({"Records": [a_record(taxi, a_position(taxi)) for taxi in taxis]}, None)
    strange: list[Record] = []
    for number in range(bad):
        change = a_change(10**6 + number, [1], status="asleep", at_ms=now_ms, old={})
        if number % 3 == 1:
            change = a_change(10**6 + number, [1], status="free", at_ms=now_ms, old={})
            del change["dynamodb"]["NewImage"]["availability_changed_at"]
        strange.append(change)
    good = [a_change(taxi, [taxi], status="occupied", at_ms=now_ms, old={}) for taxi in taxis]

    for window in around(strange, good):
        assert handler.handle({"Records": window}, None) == {"batchItemFailures": []}

    aside = [kept["sequence_number"] for kept in all_put_aside()]
    statuses = [codec.status_of(entry[0]) for [entry] in fleets.entries().values()]
    lost = len(taxis) - statuses.count(TaxiStatus.OCCUPIED)
    tell(
        "windows of changed descriptions have records that nobody can read",
        seen=f"{bad} among {len(good)} others: {len(good) - lost} changes show, {len(aside)} are in "
        "`ingest-failures`",
        lost=lost,
        named="these records",
        guard="ingest_lambda.handler._store_changes: KeyError and ValueError",
    )
    assert sorted(aside) == sorted(one["dynamodb"]["SequenceNumber"] for one in strange)
    assert lost == 0


def test_a_change_of_a_description_that_was_given_up_shows_after_the_night(tell: Tell) -> None:
    """What is put aside of the stream of descriptions is not replayed: retiring cells looks for itself."""
    known = Registry(taxis=10**6)
    taxis = range(1, 20 * TIMES + 1)
    report = fleets.a_report(*((taxi, PARIS) for taxi in taxis))
    fleets.stored([report], now=NOON, registry=known)
    for taxi in taxis[::2]:
        known.change(taxi, TaxiStatus.OCCUPIED, changed_at=at(1))
    later = fleets.a_report(*((taxi, PARIS) for taxi in taxis), seen_at=at(60))
    fleets.stored([later], now=at(60), registry=known)

    def wrong() -> int:
        shown = {one.taxi_id for one in fleets.searched(PARIS, now=at(61))}
        return len(shown ^ {taxi_id(taxi) for taxi in taxis[1::2]})

    before = wrong()
    service.retire_cells(availability_of=known.availability_of, now=at(61))

    after = wrong()
    tell(
        "changes of descriptions are given up and put aside",
        seen=f"{len(taxis[::2])} of {len(taxis)} taxis: {before} are still shown as they were after "
        f"their next report, {after} after `retire-cells`",
        lost=after,
        named="until the night, or until `retire-cells` is run by hand, what they show is old",
        guard="chalicelib.taxis.positions.retention._outdated",
    )
    assert before == len(taxis[::2])
    assert after == 0
