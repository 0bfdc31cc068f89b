"""What goes wrong around hails: each of them ends, its taxi is let go, and nothing happens twice."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import pytest

from chalicelib.foundation import clock
from chalicelib.foundation.aws import clients
from chalicelib.foundation.settings import forget as forget_settings
from chalicelib.taxis.hails import handlers
from chalicelib.taxis.hails.rules import Hail, Status
from ops.cli import administration
from tests.faults import injected
from tests.faults.conftest import TIMES, Tell
from tests.taxis.hails import servers
from tests.taxis.hails.hail_factories import Scene
from tests.taxis.hails.queues import feed

HAILS = 4 * TIMES

FUNCTIONS = {"hail-dispatch": "call_operators", "hail-deadlines": "apply_deadlines"}

# Whole seconds, the shortest there are.
SHORT = {
    "MARAUDE_ALLOW_LOOPBACK_HOOKS": "true",
    "MARAUDE_DISPATCH_WITHIN_S": "1",
    "MARAUDE_WAIT_RECEIVED_S": "1",
    "MARAUDE_WAIT_RECEIVED_BY_OPERATOR_S": "1",
}

SetUp = Callable[..., None]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> Iterator[SetUp]:
    """Sets how long things may take."""

    def set_to(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        forget_settings()

    yield set_to
    monkeypatch.undo()
    forget_settings()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets time pass for all that asks the clock; it goes on from there."""

    def pass_by(*, seconds: float) -> None:
        before = clock.now
        monkeypatch.setattr(clock, "now", lambda: before() + timedelta(seconds=seconds))

    return pass_by


@pytest.fixture
def scene(store: None) -> Scene:  # noqa: ARG001  # it needs the tables
    return Scene()


class Hails:
    """Hails, one for each of as many taxis, and what a double or a loss would change of them."""

    def __init__(self, scene: Scene, number: int) -> None:
        self.scene = scene
        taxis = [scene.taxi() for _ in range(number)]
        scene.now = clock.now()
        self.made = [scene.hail(taxi_id=taxi_id) for taxi_id in taxis]

    def now(self) -> list[Hail]:
        """They as they are stored."""
        return [self.scene.read(hail) for hail in self.made]

    def ended(self, status: Status, *, steps: int) -> int:
        """How many have ended so, in so many steps, with their taxi free."""
        return sum(
            hail.status is status
            and len(hail.transitions) == steps
            and self.scene.taxi_status(hail.taxi_id) == "free"
            for hail in self.now()
        )


def bring(messages: list[tuple[str, str]], *, times: int = 1) -> int:
    """Brings messages that were sent, each so many times at once; how often that was."""
    for queue, body in messages:
        assert feed(FUNCTIONS[queue], *[body] * times) == []
    return times * len(messages)


@contextmanager
def served(scene: Scene, script: servers.Script) -> Iterator[servers.Operator]:
    """The scene's operator has a server."""
    with servers.serving(script) as operator:
        administration.add(scene.operateur.email, hook=(operator.url, "", ""))
        yield operator


def test_a_queue_that_brings_everything_twice_changes_nothing_twice(
    scene: Scene, patient: SetUp, later: Callable[..., None], tell: Tell
) -> None:
    patient(**SHORT | {"MARAUDE_DISPATCH_WITHIN_S": "60", "MARAUDE_WAIT_RECEIVED_S": "60"})
    with (
        injected.queues(clients.sqs()) as sent,
        served(scene, servers.answers(servers.http())) as operator,
    ):
        hails = Hails(scene, HAILS)
        brought = bring([one for one in sent if one[0] == "hail-dispatch"], times=2)
        later(seconds=1.1)
        brought += bring(list(sent), times=2)
        ended = hails.ended(Status.FAILURE, steps=3)
        versions = [hail.version for hail in hails.now()]
        brought += bring(list(sent), times=2)

    changed = sum(
        hail.version != version for hail, version in zip(hails.now(), versions, strict=True)
    )
    calls = operator.connections
    tell(
        "a queue brings everything twice, and again after the end",
        seen=f"{brought} messages of {HAILS} hails: operators were called {calls} times, {ended} "
        f"hails ended once and freed their taxi, {changed} changed after that",
        lost=HAILS - ended + changed,
        guard="chalicelib.taxis.hails.dispatch.prepare: only what is `received` is sent",
    )
    assert calls == HAILS
    assert (ended, changed) == (HAILS, 0)


def test_a_queue_that_is_late_ends_hails_for_it_and_calls_nobody(
    scene: Scene, patient: SetUp, later: Callable[..., None], tell: Tell
) -> None:
    patient(**SHORT | {"MARAUDE_WAIT_RECEIVED_S": "60"})
    with (
        injected.queues(clients.sqs()) as sent,
        served(scene, servers.answers(servers.http())) as operator,
    ):
        hails = Hails(scene, HAILS)
        later(seconds=1.1)
        brought = bring(list(sent))

    ended = hails.ended(Status.FAILURE, steps=2)
    tell(
        "a queue is late",
        seen=f"{brought} messages of {HAILS} hails, more than 1 s late: operators were called "
        f"{operator.connections} times, {ended} hails failed for it and freed their taxi",
        lost=HAILS - ended,
        guard="chalicelib.taxis.hails.dispatch.prepare: `dispatch_within_s`",
    )
    assert operator.connections == 0
    assert ended == HAILS


def test_a_queue_that_brings_nothing_leaves_no_hail_and_no_taxi_stuck(
    scene: Scene, patient: SetUp, later: Callable[..., None], tell: Tell
) -> None:
    patient(**SHORT)
    with injected.queues(clients.sqs()) as sent:
        hails = Hails(scene, HAILS)
        later(seconds=1.1)
        for hail in hails.made[: HAILS // 2]:
            assert scene.as_moteur.get(f"/hails/{hail.hail_id}").data[0]["status"] == "failure"
        read = hails.ended(Status.FAILURE, steps=2)
        handlers.sweep()

    ended = hails.ended(Status.FAILURE, steps=2)
    tell(
        "a queue brings nothing",
        seen=f"{len(sent)} messages never came: of {HAILS} hails {read} were ended by who read "
        f"them, {ended - read} by the sweep, all with their taxi free",
        lost=HAILS - ended,
        guard="chalicelib.taxis.hails.expiry.sweep",
    )
    assert (read, ended) == (HAILS // 2, HAILS)


LIES: Mapping[str, bytes] = {
    "nonsense": b"\0nonsense" * 9,
    "no JSON": servers.http("200 OK", b"<html>OK</html>"),
    "nothing": servers.http("204 No Content", b""),
    "500": servers.http("500 Oops", b"{}"),
    "a redirect": servers.http("302 Found", b"{}", "Location: http://127.0.0.1/"),
    "a megabyte": servers.http("200 OK", b" " * 1_000_000 + b"{}"),
    "a cut": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
}


@pytest.mark.parametrize(
    ("kind", "script", "guard"),
    [
        ("hang", servers.hangs, "chalicelib.taxis.hails.webhook.Deadline"),
        (
            "drip",
            servers.drips(servers.http(), pause_s=0.2),
            "chalicelib.taxis.hails.webhook._Reader: one limit for the whole answer",
        ),
    ],
    ids=["hang", "drip"],
)
def test_operators_that_are_slow_cost_their_limit_and_their_hails_fail(
    scene: Scene,
    patient: SetUp,
    tell: Tell,
    kind: str,
    script: servers.Script,
    guard: str,
) -> None:
    patient(
        **SHORT
        | {"MARAUDE_DISPATCH_WITHIN_S": "60", "MARAUDE_WAIT_RECEIVED_S": "60"}
        | {"MARAUDE_HOOK_WITHIN_S": "1"}
    )
    took_s = []
    with injected.queues(clients.sqs()) as sent, served(scene, script):
        hails = Hails(scene, 2 * TIMES)
        for message in [one for one in sent if one[0] == "hail-dispatch"]:
            began_s = time.monotonic()
            bring([message])
            took_s.append(time.monotonic() - began_s)

    ended = hails.ended(Status.FAILURE, steps=2)
    tell(
        f"operators' servers {kind}",
        seen=f"{len(took_s)} calls with a limit of 1 s took {max(took_s):.1f} s at most; {ended} "
        "hails failed for it and freed their taxi",
        lost=len(took_s) - ended,
        guard=guard,
    )
    assert ended == len(took_s) == 2 * TIMES
    assert max(took_s) < 8


def test_operators_that_lie_have_hails_that_fail(scene: Scene, patient: SetUp, tell: Tell) -> None:
    patient(**SHORT | {"MARAUDE_DISPATCH_WITHIN_S": "60", "MARAUDE_WAIT_RECEIVED_S": "60"})
    lies = list(LIES.values()) * TIMES
    random.Random(1).shuffle(lies)
    scripts = [*map(servers.answers, lies), servers.resets]
    with injected.queues(clients.sqs()) as sent, servers.serving(*scripts) as operator:
        administration.add(scene.operateur.email, hook=(operator.url, "", ""))
        hails = Hails(scene, len(scripts))
        bring([one for one in sent if one[0] == "hail-dispatch"])

    ended = hails.ended(Status.FAILURE, steps=2)
    tell(
        "operators' servers lie",
        seen=f"{len(scripts)} answers of {len(LIES) + 1} kinds ({', '.join(LIES)}, a reset): "
        f"{ended} hails failed for it and freed their taxi",
        lost=len(scripts) - ended,
        guard="chalicelib.taxis.hails.webhook.judge",
    )
    assert operator.connections >= len(scripts)
    assert ended == len(scripts)
