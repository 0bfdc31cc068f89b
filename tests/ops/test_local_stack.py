"""The whole local system as a newcomer meets it: the `maraude` command and its processes."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ops.cli import main
from ops.local.place import Place, Run
from ops.local.process import ROOT, environment
from tests.eventually import eventually

from .conftest import MiniStack

pytestmark = pytest.mark.local_stack

STARTS_S = 90.0


@dataclass
class Up:
    """One `maraude up`."""

    place: Place
    popen: "subprocess.Popen[str]"

    def line(self) -> str:
        assert self.popen.stdout
        return self.popen.stdout.readline().strip()

    def run(self) -> Run:
        return self.place.running()

    def end(self, number: int) -> tuple[int, str]:
        """Its exit code and what else it printed."""
        self.popen.send_signal(number)
        rest, _ = self.popen.communicate(timeout=STARTS_S)
        return self.popen.returncode, rest


Start = Callable[..., Up]


def started(root: Path, *options: str) -> Up:
    popen = subprocess.Popen(
        [
            *(sys.executable, "-m", "ops.cli.main", "up", "--no-demo", "--port", "0"),
            *("--udp-port", "0", "--data", str(root), *options),
        ],
        cwd=ROOT,
        env=environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Up(Place(root), popen)


def ended(*systems: Up) -> None:
    for one in systems:
        if one.popen.poll() is None:
            one.end(signal.SIGTERM)
        if one.popen.stdout:
            one.popen.stdout.close()


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Start]:
    systems: list[Up] = []

    def start(*options: str, name: str = "place") -> Up:
        systems.append(started(tmp_path / name, *options))
        return systems[-1]

    yield start
    ended(*systems)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A system with a UDP door, for all tests after which it runs as before; the last one stops it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = started(tmp_path_factory.mktemp("shared") / "place", "--udp-port", str(port))
    assert running.line().startswith("ready ")
    assert f"127.0.0.1:{port}" in running.line()
    yield running
    ended(running)


def get(url: str, path: str = "/") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_it_starts_serves_stops_and_has_its_data_at_the_next_start(up: Start) -> None:
    first = up()
    url = first.line().removeprefix("ready ")
    status, body = get(url, "/nowhere")
    assert (status, list(json.loads(body))) == (404, ["errors"])
    keys = first.place.secrets()
    added = maraude(first, "account", "add", "someone@example.org")

    code, rest = first.end(signal.SIGINT)
    assert (code, rest.splitlines()[-1]) == (0, f"stopped; data kept in {first.place.root}")

    second = up()
    assert second.line().startswith("ready ")
    listed = maraude(second, "account", "list")

    assert second.place.secrets() == keys
    assert json.loads(added)["email"] == "someone@example.org"
    assert "someone@example.org" in listed


def maraude(running: Up, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "ops.cli.main", *arguments, "--data", str(running.place.root)],
        cwd=ROOT,
        env=environment({}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=STARTS_S,
    ).stdout


def test_a_closed_terminal_stops_it_as_cleanly(up: Start) -> None:
    running = up()
    running.line()
    pids = running.run().pids

    code, rest = running.end(signal.SIGHUP)

    assert (code, "data kept in" in rest) == (0, True)
    assert (running.place.state / "dynamodb.json").exists()
    assert not any(is_alive(pid) for pid in pids.values())


def test_a_killed_supervisor_leaves_no_orphan_and_loses_nothing(up: Start) -> None:
    running = up()
    running.line()
    pids = running.run().pids
    assert set(pids) == {"up", "api", "worker", "state"}
    assert all(is_alive(pid) for pid in pids.values())

    running.end(signal.SIGKILL)

    eventually(lambda: not any(is_alive(pid) for pid in pids.values()))
    assert (running.place.state / "dynamodb.json").exists()
    # A start that comes too early waits until the state is written.
    assert up().line().startswith("ready ")


def test_who_reads_along_sees_each_step_and_each_request(up: Start) -> None:
    running = up("--requests")
    said = [running.line()]
    while not said[-1].startswith("each request has a line here"):
        said.append(running.line())
        assert said[-1]

    get(running.run().url, "/taxis?lon=2.35&lat=48.85")

    assert [line for line in said if line.startswith("starting ")] == [
        "starting the state service",
        "starting tables, streams and queues",
        "starting the API and its worker",
    ]
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d GET /taxis\?lon=2\.35&lat=48\.85 401 \d+ ms", running.line()
    )


def test_a_second_system_on_one_place_is_refused_in_one_sentence(shared: Up) -> None:
    second = started(shared.place.root)

    output, _ = second.popen.communicate(timeout=STARTS_S)
    assert (second.popen.returncode, output.count("\n")) == (1, 1)
    assert "Another `maraude up` is running" in output


def test_a_killed_api_is_started_again_and_requests_wait_for_it(shared: Up) -> None:
    url, killed = shared.run().url, shared.run().pids["api"]

    os.kill(killed, signal.SIGKILL)

    assert get(url)[0] == 200
    eventually(lambda: shared.run().pids["api"] != killed)
    assert shared.line().startswith("The api process has ended (-9)")


def test_a_killed_state_service_is_said_to_have_lost_data_and_started_again(shared: Up) -> None:
    before = shared.run().pids

    os.kill(before["state"], signal.SIGKILL)

    assert "everything since the last clean stop is lost" in shared.line()
    assert shared.line().startswith("ready ")
    assert shared.line().startswith("positions by UDP")
    assert not set(before.values()) & (set(shared.run().pids.values()) - {before["up"]})


def test_a_killed_udp_door_is_started_again_and_a_shutdown_stops_all_cleanly(shared: Up) -> None:
    log = shared.place.logs / "udp.log"
    eventually(lambda: "datagrams to" in log.read_text())
    opened = log.read_text().count("datagrams to")
    killed = shared.run().pids["udp"]

    os.kill(killed, signal.SIGKILL)

    eventually(lambda: shared.run().pids["udp"] != killed)
    assert shared.line().startswith("The udp process has ended (-9)")
    eventually(lambda: log.read_text().count("datagrams to") > opened)
    port = re.findall(r"datagrams to 127\.0\.0\.1:(\d+)", log.read_text())[-1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"no JSON", ("127.0.0.1", int(port)))
    pids = shared.run().pids
    code, rest = shared.end(signal.SIGTERM)
    assert (code, "data kept in" in rest) == (0, True)
    assert (shared.place.state / "dynamodb.json").exists()
    assert not any(is_alive(pid) for pid in pids.values())
    last = json.loads(log.read_text().splitlines()[-1])
    assert (last["received"], last["dropped_not_json"]) == (1, 1)


def test_services_that_run_already_are_used(up: Start, services: MiniStack) -> None:
    running = up("--endpoint", services.endpoint)

    assert running.line().startswith("ready ")
    assert set(running.run().pids) == {"up", "api", "worker"}
    assert "maraude-local-cells" in services.clients.dynamodb.list_tables()["TableNames"]


@pytest.mark.parametrize("services", ["http://127.0.0.1:9", "nonsense"])
def test_services_that_do_not_answer_are_named(up: Start, services: str) -> None:
    running = up("--endpoint", services)

    output, _ = running.popen.communicate(timeout=STARTS_S)
    assert running.popen.returncode == 1
    assert services in output
    assert "Traceback" not in output


def test_a_port_in_use_is_named_before_anything_is_started(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        code = main.main(["up", "--port", str(port), "--data", str(tmp_path / "place")])

    said = capsys.readouterr().err
    assert code == 1
    assert f"Port {port} is in use" in said
    assert f"PORT={port + 1}" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "place").exists()


def test_a_udp_port_in_use_is_named_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        code = main.main(
            ["up", "--port=0", f"--udp-port={port}", "--data", str(tmp_path / "place")]
        )

    assert code == 1
    assert f"UDP port {port} is in use" in capsys.readouterr().err


def test_a_broken_place_is_said_with_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "place").write_text("")

    code = main.main(["up", "--port", "0", "--data", str(tmp_path / "place")])

    assert code == 2
    assert "not a folder" in capsys.readouterr().err


def test_a_command_without_a_running_system_says_how_to_start_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main.main(["account", "list", "--data", str(tmp_path)])

    assert code == 1
    assert "make run" in capsys.readouterr().err
