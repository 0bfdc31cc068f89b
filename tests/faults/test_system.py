"""Each process of a whole local system is killed in turn, and what was accepted is counted.

One system for all, each test with taxis of its own; it leaves the system running. They take a minute and
run in `make faults` only: `make test` kills the same processes in tests/ops and tests/e2e.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.system import filled
from chalicelib.foundation.geo import E7
from ops.local.place import Place
from tests.eventually import eventually
from tests.faults import local
from tests.faults.conftest import TIMES, Tell
from tests.faults.local import Drive, Where
from tests.ops.datagrams import a_datagram
from tests.ops.test_local_stack import is_alive

pytestmark = [
    pytest.mark.local_stack,
    pytest.mark.skipif("MARAUDE_FAULTS_TIMES" not in os.environ, reason="make faults runs it"),
]

POSTS = 3 * TIMES  # of fifty taxis each, before the kills that end everything
KILLS = 3  # of each other process: the pauses before it is started again grow
OPTIONS = ("--ingest-window=1",)


@dataclass
class System:
    """One `maraude up` after another on a folder with a fleet."""

    drive: Drive
    popen: "subprocess.Popen[str]"
    udp_port: int

    @property
    def folder(self) -> Path:
        """Where its state is."""
        return self.drive.place.root

    def restarted(self) -> None:
        """Once more, after the last one has ended."""
        self.popen = local.up(self.folder, f"--udp-port={self.udp_port}", *OPTIONS)
        local.line(self.popen)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    place = Place(tmp_path_factory.mktemp("faults") / "place")
    taxis = 50 * (3 * KILLS + 3 + 2 * POSTS)
    keys = filled(place, taxis=taxis)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    popen = local.up(place.root, f"--udp-port={port}", *OPTIONS)
    local.line(popen)
    system = System(Drive(place, keys, taxis), popen, port)
    yield system
    local.stopped(system.popen)


@pytest.mark.parametrize(
    ("role", "guard"),
    [
        ("api", "ops.local.stack.Stack._look: starting again what has ended"),
        ("worker", "ops.local.delivery.Delivery.deliver: the checkpoint comes after the window"),
    ],
    ids=["api", "worker"],
)
def test_a_killed_process_loses_nothing_that_was_accepted(
    system: System, tell: Tell, role: str, guard: str
) -> None:
    drive = system.drive

    def restarted(killed: int) -> None:
        eventually(lambda: drive.place.running().pids[role] != killed)

    accepted: dict[str, Where] = {}
    again = drive.again
    for _ in range(KILLS):
        accepted |= drive.report(drive.fleet())
        time.sleep(0.7)  # the worker has read it, and waits for the end of its window
        killed = drive.place.running().pids[role]
        drive.kill(role)
        if role == "api":  # whoever calls meanwhile waits for it
            accepted |= drive.report(drive.fleet())
        restarted(killed)

    lost = drive.missing(accepted)
    tell(
        f"SIGKILL of the local {role}",
        seen=f"{KILLS} kills after POSTs that were accepted; {drive.again - again} were sent again; "
        f"{len(accepted) - lost} of {len(accepted)} positions are stored",
        lost=lost,
        guard=guard,
    )
    assert lost == 0


def test_a_killed_udp_door_loses_what_it_was_gathering_and_no_datagram_that_comes_then(
    system: System, tell: Tell
) -> None:
    drive = system.drive
    killed = drive.place.running().pids["udp"]
    log = drive.place.logs / "udp.log"
    eventually(lambda: "datagrams to" in log.read_text())
    before, just, after = (drive.fleet() for _ in range(3))

    def send(fleet: range) -> dict[str, Where]:
        email, key = drive.owner(fleet)
        places = drive.at(fleet)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            for taxi_id, (lng_e7, lat_e7) in places.items():
                said = a_datagram(
                    key,
                    operator=email,
                    taxi=taxi_id,
                    lon=lng_e7 / E7,
                    lat=lat_e7 / E7,
                    timestamp=int(time.time()),
                )
                client.sendto(said, ("127.0.0.1", system.udp_port))
        drive.accepted |= places
        return places

    old = send(before)
    lost = drive.missing(old)
    gathered = send(just)
    time.sleep(0.2)  # it has read them, and waits for the end of its second
    drive.kill("udp")
    eventually(lambda: drive.place.running().pids["udp"] != killed)
    new = send(after)
    lost += drive.missing(new)
    stored = drive.stored()
    gone = len(gathered.keys() - stored.keys())

    tell(
        "SIGKILL of the UDP door",
        seen=f"of {len(old)} datagrams of more than a second before it and {len(new)} after it "
        f"{len(old) + len(new) - lost} are stored, of {len(gathered)} of the second before it "
        f"{len(gathered) - gone}",
        lost=lost,
        named="of the second that it was gathering, nothing of which was confirmed to anybody",
        guard="ops.local.stack.Stack._look: starting again what has ended",
    )
    assert lost == 0


def test_a_killed_maraude_up_loses_nothing_that_was_accepted(system: System, tell: Tell) -> None:
    drive = system.drive
    accounts = drive.accounts()
    accepted: dict[str, Where] = {}
    for _ in range(POSTS):
        accepted |= drive.report(drive.fleet())
    pids = drive.place.running().pids

    os.kill(system.popen.pid, signal.SIGKILL)
    system.popen.communicate()
    eventually(lambda: not any(map(is_alive, pids.values())))
    system.restarted()

    lost = drive.missing(accepted)
    missing = len(accounts - drive.accounts())
    tell(
        "SIGKILL of `maraude up`",
        seen=f"its {len(pids) - 1} processes ended by themselves; after a new start "
        f"{len(accepted) - lost} of {len(accepted)} positions and {len(accounts) - missing} of "
        f"{len(accounts)} items of accounts are there",
        lost=lost + missing,
        guard="ops.local.child._watch_parent",
    )
    assert (lost, missing) == (0, 0)


def test_a_killed_state_service_loses_what_came_since_the_last_clean_stop_and_says_so(
    system: System, tell: Tell
) -> None:
    drive = system.drive
    before = drive.accounts()  # of the last test's end, when the state was written
    local.maraude(system.folder, "account", "add", "meanwhile@example.org")
    since: dict[str, Where] = {}
    for _ in range(POSTS):
        since |= drive.report(drive.fleet())

    drive.kill("state")
    said = local.line(system.popen)
    again = local.line(system.popen)
    local.line(system.popen)

    kept = drive.accounts()
    stored = drive.stored()
    tell(
        "SIGKILL of the local state service",
        seen=f"said at once, started again; {len(before & kept)} of {len(before)} items of "
        f"accounts of before the last clean stop are there; of one more account and {len(since)} "
        f"positions since then {len(kept - before)} and {len(since.keys() & stored.keys())}",
        lost=len(before - kept),
        named="everything since the last clean stop, and said so",
        guard="ops.local.stack.Stack._look: saying so",
    )
    assert before <= kept
    assert "everything since the last clean stop is lost" in said
    assert again.startswith("ready ")
