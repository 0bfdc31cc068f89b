"""Searches are noted at no cost, sent many at a time, and never waited for."""

import json
import subprocess
import sys
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from chalicelib.foundation.aws import clients
from chalicelib.foundation.settings import forget as forget_settings
from chalicelib.taxis.search import notes as search_notes
from chalicelib.taxis.search import rules
from chalicelib.taxis.search.notes import Notes
from chalicelib.taxis.search.rules import Search, Unreadable
from tests.eventually import eventually
from tests.kinesis import refusing
from tests.taxis.stats.searching import a_search, some_searches


class Sent:
    """Stands in for the stream: it takes note, slowly where it is told to."""

    def __init__(self) -> None:
        self.calls: list[list[Search]] = []
        self.open = threading.Event()
        self.open.set()
        self.called = threading.Event()

    def __call__(self, searches: Sequence[Search]) -> None:
        self.called.set()
        self.open.wait(30)
        self.calls.append(list(searches))


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def notes(sent: Sent) -> Iterator[Notes]:
    """Notes on their way to `sent`, ended with the test."""
    made = Notes(sent)
    yield made
    sent.open.set()
    made.end()


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Sets MARAUDE_SEARCH_NOTE_COUNT and MARAUDE_SEARCH_NOTE_S."""

    def limit(*, count: int, seconds: int) -> None:
        monkeypatch.setenv("MARAUDE_SEARCH_NOTE_COUNT", str(count))
        monkeypatch.setenv("MARAUDE_SEARCH_NOTE_S", str(seconds))
        forget_settings()

    yield limit
    monkeypatch.undo()
    forget_settings()


def metrics_of(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


# --- when -----------------------------------------------------------------------------------------


def test_searches_are_sent_together_when_there_are_enough(
    notes: Notes, sent: Sent, limits: Callable[..., None]
) -> None:
    limits(count=5, seconds=300)
    searches = some_searches(5)

    for search in searches[:4]:
        notes.add(search)
    time.sleep(0.05)
    assert sent.calls == []
    notes.add(searches[4])

    eventually(lambda: sent.calls == [searches])


def test_searches_are_sent_when_the_oldest_has_waited_long_enough(
    notes: Notes, sent: Sent, limits: Callable[..., None]
) -> None:
    limits(count=500, seconds=1)
    began_s = time.monotonic()

    notes.add(a_search(moteur=1))
    time.sleep(0.2)
    notes.add(a_search(moteur=2))
    eventually(lambda: bool(sent.calls))

    assert time.monotonic() - began_s >= 0.9
    assert [search.moteur for search in sent.calls[0]] == [1, 2]


def test_what_is_noted_while_others_are_sent_is_sent_next(
    notes: Notes, sent: Sent, limits: Callable[..., None]
) -> None:
    limits(count=2, seconds=300)
    sent.open.clear()
    searches = some_searches(5)

    for search in searches[:2]:
        notes.add(search)
    sent.called.wait(30)
    for search in searches[2:]:
        notes.add(search)
    sent.open.set()

    eventually(lambda: sent.calls == [searches[:2], searches[2:]])


def test_what_is_left_is_sent_at_the_end_and_noting_may_begin_anew(
    notes: Notes, sent: Sent
) -> None:
    notes.add(a_search(moteur=1))

    assert notes.end()
    notes.add(a_search(moteur=2))
    assert notes.end()

    assert [[search.moteur for search in call] for call in sent.calls] == [[1], [2]]


def test_nothing_noted_is_nothing_sent(notes: Notes, sent: Sent) -> None:
    assert notes.end()
    notes.add(a_search())
    notes.forget()
    assert notes.end()

    assert sent.calls == []


def test_a_stream_that_hangs_holds_up_neither_searches_nor_for_long_the_end(
    notes: Notes, sent: Sent, limits: Callable[..., None]
) -> None:
    limits(count=1, seconds=300)
    sent.open.clear()
    notes.add(a_search())
    sent.called.wait(30)

    began_s = time.monotonic()
    for _ in range(1000):
        notes.add(a_search())
    took_s = time.monotonic() - began_s

    assert took_s < 20  # the stream holds each up for thirty
    assert not notes.end(within_s=0.05)


def test_the_oldest_are_dropped_and_counted_when_too_many_wait(
    notes: Notes,
    sent: Sent,
    limits: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    limits(count=1, seconds=300)
    sent.open.clear()
    notes.add(a_search())
    sent.called.wait(30)

    for number in range(search_notes.HELD + 3):
        notes.add(a_search(moteur=number))
    sent.open.set()
    eventually(lambda: len(sent.calls) == 2)

    assert len(sent.calls[1]) == search_notes.HELD
    assert sent.calls[1][0].moteur == 3
    assert [line["searches_lost"] for line in metrics_of(capsys)] == [3]


def test_a_sender_that_died_is_replaced_with_the_next_note(
    limits: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits(count=1, seconds=300)
    died = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: died.set())
    calls: list[Sequence[Search]] = []

    def send(searches: Sequence[Search]) -> None:
        calls.append(searches)
        if len(calls) == 1:
            raise MemoryError

    notes = Notes(send)
    notes.add(a_search(moteur=1))
    assert died.wait(30)
    eventually(lambda: notes._thread is not None and not notes._thread.is_alive())
    notes.add(a_search(moteur=2))
    notes.end()

    assert [search.moteur for call in calls for search in call] == [1, 2]


# --- what -----------------------------------------------------------------------------------------


def kinesis(*answers: set[int] | Exception) -> AbstractContextManager[list[list[bytes]]]:
    """The bytes of the records of each call to a Kinesis that refuses some."""
    return refusing(*answers, kept=lambda record: b64decode(record["Data"]))


@pytest.mark.usefixtures("store")
def test_many_searches_are_one_record_of_one_call() -> None:
    searches = some_searches(500)

    with kinesis(set()) as calls:
        search_notes.send(searches)

    [[packed]] = calls
    assert rules.unpack(packed) == searches
    assert len(packed) < 10_000


@pytest.mark.usefixtures("store")
def test_all_that_may_be_held_fits_into_one_call() -> None:
    searches = some_searches(search_notes.HELD)

    with kinesis(set()) as calls:
        search_notes.send(searches)

    [records] = calls
    assert max(map(len, records)) < 1_000_000
    assert [search for packed in records for search in rules.unpack(packed)] == searches


@pytest.mark.usefixtures("store")
def test_what_kinesis_refuses_is_sent_again_alone(capsys: pytest.CaptureFixture[str]) -> None:
    searches = some_searches(search_notes.SEARCHES_A_REPORT + 1)

    with kinesis({1}, {0}, set()) as calls:
        search_notes.send(searches)

    assert [[len(rules.unpack(one)) for one in call] for call in calls] == [
        [search_notes.SEARCHES_A_REPORT, 1],
        [1],
        [1],
    ]
    assert metrics_of(capsys) == []


@pytest.mark.parametrize(
    "trouble",
    [
        {0},
        EndpointConnectionError(endpoint_url="https://kinesis"),
        ReadTimeoutError(endpoint_url="https://kinesis"),
    ],
    ids=["refused", "down", "hangs"],
)
@pytest.mark.usefixtures("store")
def test_what_kinesis_does_not_take_is_lost_and_counted(
    trouble: set[int] | Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    with kinesis(trouble):
        search_notes.send(some_searches(20))

    [line] = metrics_of(capsys)
    assert line["searches_lost"] == 20


@pytest.mark.usefixtures("store")
def test_a_stream_that_is_not_there_is_told_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    clients.kinesis().delete_stream(StreamName="maraude-test-searches")

    search_notes.send(some_searches(20))

    assert [line["searches_lost"] for line in metrics_of(capsys)] == [20]


@pytest.mark.parametrize(
    "poison",
    [
        b"",
        b"?",
        rules.pack([a_search()])[:-5],
        rules.pack([a_search(insee="Paris")]),
        rules.pack([a_search(found=1, seen=2)]),
        rules.pack([a_search(seen=-1)]),
        rules.pack([a_search(nearest_m=-1)]),
        rules.pack([a_search(geohash="u09tvna")]),
        rules.pack([a_search(geohash="u09tva")]),
    ],
)
def test_what_is_no_report_is_unreadable(poison: bytes) -> None:
    with pytest.raises(Unreadable):
        rules.unpack(poison)


# --- the end of a process -------------------------------------------------------------------------


def test_a_process_that_ends_sends_what_is_left() -> None:
    script = (
        "import sys\n"
        "from chalicelib.taxis.search import notes\n"
        "from tests.taxis.stats.searching import a_search\n"
        "notes.notes._send = lambda searches: print('sent', len(searches))\n"
        "notes.notes.add(a_search())\n"
        "notes.notes.add(a_search())\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],  # our own words only
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "sent 2\n"
