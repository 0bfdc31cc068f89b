"""The local system of a service: its state service, its API, its worker, and what else it has beside them.

`Stack.run` starts them in that order, keeps them running, and stops them so that nothing is lost:
first what takes requests, then what works on them, last what keeps the state.
"""

import http.client
import importlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import FrameType
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from ops.apps import App
from ops.errors import CannotGoOn
from ops.local import log_lines, logs, provision, server
from ops.local.kept import Kept
from ops.local.place import FOREIGN, REGION, STAGE, Place, Run
from ops.local.process import Process
from ops.local.state import StateService

ANSWER_S = 45.0  # for the API to answer its first request
LOOK_S = 0.2  # between two looks at the processes


class PortTaken(CannotGoOn):
    """Somebody listens on the port already."""


class NoServices(CannotGoOn):
    """The services of `--endpoint` do not answer as AWS does."""


class ApiFailed(CannotGoOn):
    """The API does not answer."""


class Stopped(Exception):
    """The user asked to stop while the system was starting."""


def say(line: str) -> None:
    """Prints a line, if there is still somebody to read it."""
    try:
        print(line, flush=True)
    except OSError:
        # The terminal was closed. What is printed at exit must not fail either.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123  # open until the end of the process


@dataclass
class Stack:
    """One local system. `endpoint`: AWS-compatible services to use instead of its own.

    `udp_port`: of the UDP door, where the service has one; None for the API's number, 0 for no door. `watched`:
    somebody reads along, so each step of the start is said, and each request.
    """

    app: App
    place: Place
    port: int
    demo: bool
    ingest_window_s: float
    endpoint: str | None = None
    udp_port: int | None = None
    watched: bool = False
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _state: StateService | None = field(default=None, init=False)
    _services: str = field(default="", init=False)  # the endpoint in use
    _kept: Kept = field(default_factory=lambda: Kept(say), init=False)
    _interruptible: bool = field(default=False, init=False)  # while others' code runs for long

    @property
    def url(self) -> str:
        """Where the API answers."""
        return f"http://127.0.0.1:{self.port}"

    def run(self) -> None:
        """Runs until SIGINT, SIGTERM or SIGHUP.

        Raises PortTaken, PlaceBroken, PlaceBusy, StateFailed, NoServices, ApiFailed.
        """
        with (
            self._signals(),
            self._listener() as listener,
            self._datagrams() as datagrams,
            self.place.held(),
        ):
            try:
                self._start(listener, datagrams)
                requests = logs.Tail(self.place.logs / "api.log")
                while not self._stop.wait(LOOK_S):
                    self._look(listener, datagrams)
                    for line in log_lines.requests(requests.lines()) if self.watched else ():
                        say(line)
                    logs.rotate_all(self.place.logs)
            except Stopped:
                pass
            finally:
                self._stop_all()
            say(f"stopped; data kept in {self.place.root}")

    def _step(self, what: str) -> None:
        if self.watched:
            say(f"starting {what}")

    # --- starting --------------------------------------------------------------------------------

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def stop(_number: int, _frame: FrameType | None) -> None:
            self._stop.set()
            if self._interruptible:
                self._interruptible = False
                raise Stopped

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, stop) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _listener(self) -> socket.socket:
        # Bound here and inherited by the API, so that the port is ours before anything is started,
        # and requests wait while the API is started again.
        try:
            return server.listen(self.port)
        except OSError:
            raise PortTaken(
                f"Port {self.port} is in use: stop what listens there, or name another with "
                f"--port (make run: PORT={self.port + 1})."
            ) from None

    def _datagrams(self) -> "socket.socket | nullcontext[None]":
        """Where the UDP door listens, bound here for the same reasons; None inside for no door."""
        door = self.app.home.udp
        if not door or self.udp_port == 0:
            return nullcontext()
        port = self.port if self.udp_port is None else self.udp_port
        try:
            bound: socket.socket = importlib.import_module(f"{door}.listener").listen(
                "127.0.0.1", port
            )
            return bound
        except OSError:
            raise PortTaken(
                f"UDP port {port} is in use: name another with --udp-port (make run: "
                f"UDP_PORT={port + 1}), or 0 for none."
            ) from None

    def _start(self, listener: socket.socket, datagrams: socket.socket | None) -> None:
        self.port = listener.getsockname()[1]
        self._step("the state service")
        self._services = self.endpoint or self._start_state()
        environment = self._demo_settings() | self.place.environment(self._services)
        for name in FOREIGN:
            os.environ.pop(name, None)
        os.environ.update(environment)
        self._step("tables, streams and queues")
        self._provision()
        self._step("the API and its worker")
        folder = self.place.logs
        app = ["--app", str(self.app.project)]
        fd = listener.fileno()
        self._kept.begin(
            "api",
            Process(
                "ops.local.api",
                [*app, "--fd", str(fd)],
                folder / "api.log",
                environment,
                keeps=[fd],
            ),
        )
        window = ["--ingest-window", str(self.ingest_window_s)]
        self._kept.begin(
            "worker",
            Process("ops.local.worker", [*app, *window], folder / "worker.log", environment),
        )
        if datagrams is not None:
            fd = datagrams.fileno()
            module = f"{self.app.home.udp}.gateway"
            door = Process(module, ["--fd", str(fd)], folder / "udp.log", environment, keeps=[fd])
            self._kept.begin("udp", door)
        self._await_api()
        lines = self._start_demo(environment) if self.demo and self.app.home.demo else []
        self._write_run()
        say(f"ready {self.url}")
        if datagrams is not None:
            say("positions by UDP to {}:{} (docs/udp.md)".format(*datagrams.getsockname()))
        for line in lines:
            say(line)
        if self.watched:
            beside = " but the demonstration's own" if lines else ""
            say(f"each request has a line here{beside} (all logs: maraude logs --follow):")

    def _demo_settings(self) -> dict[str, str]:
        """What the demonstration sets, where the environment says nothing else."""
        if not (self.demo and self.app.home.demo):
            return {}
        settings: dict[str, str] = importlib.import_module(self.app.home.demo).SETTINGS
        return {name: os.environ.get(name, value) for name, value in settings.items()}

    def _start_demo(self, environment: dict[str, str]) -> list[str]:
        self._step("the demonstration's accounts and its first taxis")
        self._interruptible = True
        seed = importlib.import_module(f"{self.app.home.demo}.seed")
        lines: list[str] = seed.prepare(self.url)
        self._interruptible = False
        demo = Process(
            self.app.home.demo, ["--url", self.url], self.place.logs / "demo.log", environment
        )
        self._kept.begin("demo", demo)
        deadline_s = time.monotonic() + ANSWER_S
        while not seed.is_ready():
            if self._stop.is_set():
                raise Stopped
            if demo.ended() is not None or time.monotonic() > deadline_s:
                break  # it is looked after like the others; its log says why
            time.sleep(0.1)
        return lines

    def _start_state(self) -> str:
        # Where it was before, when it is started again: this process has clients of that place.
        self._state = self._state or StateService(self.place)
        self._state.start()
        return self._state.endpoint

    def _provision(self) -> None:
        try:
            where = urlsplit(self._services)
            # boto3 would try for half a minute
            port = where.port or (443 if where.scheme == "https" else 80)
            socket.create_connection((where.hostname or "", port), timeout=5).close()
            provision.provision(STAGE, endpoint=self._services, region=REGION, services=[self.app])
        except (BotoCoreError, ClientError, OSError, ValueError) as error:
            raise NoServices(f"The services at {self._services} cannot be used: {error}") from error

    def _await_api(self) -> None:
        deadline_s = time.monotonic() + ANSWER_S
        api = self._kept.process("api")
        while not self._answers():
            if self._stop.is_set():
                raise Stopped
            if api.ended() is not None or time.monotonic() > deadline_s:
                raise ApiFailed(f"The API did not start; {api.log} ends with: {api.last_words()}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=0.5)
        try:
            connection.request("GET", "/")
            connection.getresponse()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True

    def _write_run(self) -> None:
        pids = self._kept.pids()
        if self._state and self._state.process:
            pids["state"] = self._state.process.pid
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.place.write_run(Run(self._services, self.url, {"up": os.getpid(), **pids}, now))

    # --- running ---------------------------------------------------------------------------------

    def _look(self, listener: socket.socket, datagrams: socket.socket | None) -> None:
        """Starts again what has died."""
        state = self._state and self._state.process
        if state and state.ended() is not None:
            say(
                "The state service has died: everything since the last clean stop is lost. "
                "Starting everything again."
            )
            self._kept.stop()
            self._start(listener, datagrams)
        elif self._kept.start_again():
            self._write_run()

    # --- stopping --------------------------------------------------------------------------------

    def _stop_all(self) -> None:
        self._kept.stop()
        if self._state:
            self._state.stop()
