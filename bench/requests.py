"""Benchmark of whole requests on a local system of its own: `make bench-requests`.

    python -m bench.requests --page docs/performance.md

CPU is the API process's own; latency is a client's, on one connection that is kept alive, and has
the local DynamoDB in it, which shares the machine. Beside each run stands a server that does nothing,
and `json.loads` of the same answers in this process: those two say how fast the machine was.
"""

import http.client
import json
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench import harness, page, plots, system
from ops.local import place
from ops.local.place import Run

if TYPE_CHECKING:
    from bench.registered import Registered

BEGIN, END = "<!-- requests: begin -->", "<!-- requests: end -->"
_spawning = multiprocessing.get_context("spawn")
LOOPBACK = "127.0.0.1"
POSITIONS_A_POST = 50
STORED_S = 120.0
RECENT_S = 60.0  # a report as old as this stays fresh as long as a measurement takes
CUSTOMERS = 24
ROUNDS = 3
PHONE = "0600000000"


@dataclass(frozen=True, slots=True)
class Size:
    """A fleet, and how much is asked of it."""

    taxis: int
    seen: int  # by each customer
    requests: int
    hails: int = 0  # beside the dispatcher, and as many alone


SIZES = (Size(5_000, 16, 400, hails=80), Size(20_000, 59, 400))
QUICK = (Size(300, 16, 60, hails=10),)


@dataclass(frozen=True, slots=True)
class Cost:
    """One kind of request: milliseconds each."""

    count: int
    cpu_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Goal:
    """Milliseconds that a request may take at most, where it was said."""

    cpu_ms: float | None = None
    p50_ms: float | None = None


# What must be kept on a machine of two cores, and what the reference service takes there of one.
GOALS: Mapping[str, Goal] = {
    "search 5000": Goal(5, 8),
    "search 20000": Goal(6, 10),
    "positions 5000": Goal(3),
    "hail": Goal(p50_ms=20),
    "hail beside the dispatcher": Goal(p50_ms=28),
}
REFERENCE: Mapping[str, Goal] = {
    "search 5000": Goal(19, 19),
    "search 20000": Goal(57, 51),
    "positions 5000": Goal(6),
    "hail": Goal(p50_ms=29),
    "hail beside the dispatcher": Goal(p50_ms=36),
}


# --- who is measured -----------------------------------------------------------------------------


def cpu_s(pid: int) -> float:
    """Seconds of processor that a process has used, all of its threads, to the nanosecond."""
    # clock_getcpuclockid(3), which Python lacks: https://man7.org/linux/man-pages/man2/clock_getres.2.html
    # (dynamic clocks: the complement of the process's number, then 2 for its scheduler's clock).
    return time.clock_gettime(~pid << 3 | 2)


class Client:
    """One connection that is kept alive, with one key."""

    def __init__(self, url: str, key: str = "") -> None:
        where = urlsplit(url)
        self._connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
        self._headers = {"X-Api-Key": key, "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """The body of an answer that is no refusal."""
        try:
            self._connection.request(method, path, body, self._headers)
            answer = self._connection.getresponse()
        except ConnectionError:
            # Idle for too long while others were measured, the gateway has closed it
            self._connection.close()
            self._connection.request(method, path, body, self._headers)
            answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status < 400, f"{method} {path}: {answer.status} {text[:300]!r}"
        return text


def timed(pid: int, asks: Sequence[Callable[[], object]]) -> Cost:
    """Does one after the other, and says what that cost a process and took here."""
    took_s = []
    before_s = cpu_s(pid)
    for ask in asks:
        began_s = time.perf_counter()
        ask()
        took_s.append(time.perf_counter() - began_s)
    used_s = cpu_s(pid) - before_s
    took_s.sort()
    p50, p90, p99 = (1000 * took_s[len(took_s) * part // 100] for part in (50, 90, 99))
    return Cost(len(asks), 1000 * used_s / len(asks), p50, p90, p99)


def least(pid: int, asks: Sequence[Callable[[], object]], size: Size) -> Cost:
    """The round of least CPU of some, each of so many requests as the size says, in turn."""
    turn = [asks[number % len(asks)] for number in range(size.requests)]
    return min((timed(pid, turn) for _ in range(ROUNDS)), key=lambda cost: cost.cpu_ms)


def _get(client: Client, path: str) -> Callable[[], object]:
    return partial(client.ask, "GET", path)


class _Nothing(BaseHTTPRequestHandler):
    """Takes whatever comes, and answers `{}`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        self.wfile.write(head.encode())

    def do_POST(self) -> None:
        self.do_GET()


def _serve_nothing(pipe: Connection) -> None:
    with ThreadingHTTPServer((LOOPBACK, 0), _Nothing) as server:
        pipe.send(server.server_port)
        server.serve_forever()


@contextmanager
def nothing() -> Iterator[tuple[str, int]]:
    """A server that does nothing, in a process of its own: its address and the process."""
    here, there = _spawning.Pipe()
    server = _spawning.Process(target=_serve_nothing, args=(there,), daemon=True)
    server.start()
    try:
        yield f"http://{LOOPBACK}:{here.recv()}", server.pid or 0
    finally:
        server.terminate()
        server.join()


# --- what is asked -------------------------------------------------------------------------------


def _position_posts(fleet: "Registered", clients: Sequence[Client]) -> list[Callable[[], object]]:
    posts: list[Callable[[], object]] = []
    for client, reported in zip(clients, fleet.positions(), strict=True):
        for start in range(0, len(reported), POSITIONS_A_POST):
            some = reported[start : start + POSITIONS_A_POST]
            positions = [{"taxi_id": taxi, "lon": lng, "lat": lat} for taxi, lng, lat in some]
            body = json.dumps({"data": [{"positions": positions}]}).encode()
            posts.append(partial(client.ask, "POST", "/geotaxi", body))
    return posts


def _hails(client: Client, searches: Sequence[str], count: int) -> list[Callable[[], object]]:
    """A hail for each taxi that these searches show, up to so many, each once."""
    # A taxi has another id in each search, but no two are at one place
    taxis = {
        (taxi["position"]["lon"], taxi["position"]["lat"]): taxi["id"]
        for path in searches
        for taxi in json.loads(client.ask("GET", path))["data"]
    }
    assert len(taxis) >= count, f"only {len(taxis)} taxis are free for {count} hails"
    hails: list[Callable[[], object]] = []
    for (lng, lat), taxi_id in list(taxis.items())[:count]:
        wish = {
            "customer_id": f"customer-{taxi_id}",
            "customer_lon": lng,
            "customer_lat": lat,
            "customer_address": "Place de l'Hôtel de Ville, Paris",
            "customer_phone_number": PHONE,
            "taxi_id": taxi_id,
        }
        hails.append(partial(client.ask, "POST", "/hails", json.dumps({"data": [wish]}).encode()))
    return hails


def _until(holds: Callable[[], bool], *, within_s: float, what: str) -> None:
    until = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until, f"{what} within {within_s:g} s"
        time.sleep(0.2)


def _measured(size: Size) -> dict[str, Cost]:
    """The costs of one fleet's requests, by name, on a system that is there for them only."""
    with (
        nothing() as (hook, idle),
        tempfile.TemporaryDirectory(prefix="maraude-") as folder,
        system.running(place.of(folder), window_s=1) as running,
    ):
        run = running.run
        os.environ.update(running.place.environment(run.endpoint))
        costs = {f"no-op server {size.taxis}": least(idle, [_get(Client(hook), "/")], size)}
        costs.update(_measure_kinds(size, run, hook))
    return costs


def _measure_kinds(size: Size, run: Run, hook: str) -> dict[str, Cost]:
    from bench.registered import Registered  # noqa: PLC0415  # its tables are named on import

    fleet = Registered(taxis=size.taxis, seen=size.seen, hails_to=hook)
    api, worker = run.pids["api"], run.pids["worker"]
    customer = Client(run.url, fleet.customer_key)
    posts = _position_posts(fleet, [Client(run.url, key) for key in fleet.operator_keys])
    paths = [f"/taxis?lon={lng}&lat={lat}" for lng, lat in fleet.customers(CUSTOMERS)]

    def all_report() -> None:
        for post in posts:
            post()
        _until(
            lambda: fleet.reporting(seconds=RECENT_S) == size.taxis,
            within_s=STORED_S,
            what="every position is stored",
        )

    all_report()
    answers = [customer.ask("GET", path) for path in paths]
    for path, answer in zip(paths, answers, strict=True):
        found = len(json.loads(answer)["data"])
        assert found == size.seen, f"{path} shows {found} taxis, not {size.seen}"
    costs = {
        f"json.loads {size.taxis}": least(
            os.getpid(), [partial(json.loads, answer) for answer in answers], size
        ),
        f"trivial {size.taxis}": least(api, [_get(customer, "/")], size),
        f"search {size.taxis}": least(api, [_get(customer, path) for path in paths], size),
        f"positions {size.taxis}": least(api, posts, size),
    }
    if size.hails:
        all_report()
        half = len(paths) // 2
        hails = _hails(customer, paths[:half], size.hails)
        costs["hail beside the dispatcher"] = timed(api, hails)
        # What feeds the queues' functions is held still, so that nobody is beside the API
        os.kill(worker, signal.SIGSTOP)
        try:
            costs["hail"] = timed(api, _hails(customer, paths[half:], size.hails))
        finally:
            os.kill(worker, signal.SIGCONT)
    return costs


# --- the whole run -------------------------------------------------------------------------------


def measured(sizes: Sequence[Size]) -> dict[str, Cost]:
    """The costs of every fleet's requests, each fleet in a process and a system of its own."""
    costs: dict[str, Cost] = {}
    with ProcessPoolExecutor(1, mp_context=_spawning, max_tasks_per_child=1) as pool:
        for size in sizes:
            costs.update(pool.submit(_measured, size).result())
    return costs


def markdown(costs: Mapping[str, Cost], *, began_at: datetime) -> str:
    """The table, as Markdown."""
    return "\n\n".join(
        [
            f"{began_at:%Y-%m-%d}, commit `{page.commit()}`, {page.machine()}; `make bench-requests`.",
            page.table(
                [
                    "milliseconds",
                    "CPU",
                    "p50",
                    "p90",
                    "p99",
                    "goal: CPU, p50",
                    "",
                    "reference: CPU, p50",
                ],
                [_row(name, cost) for name, cost in costs.items()],
            ),
        ]
    )


def _row(name: str, cost: Cost) -> Sequence[object]:
    goal = GOALS.get(name, Goal())
    pairs = [(cost.cpu_ms, goal.cpu_ms), (cost.p50_ms, goal.p50_ms)]
    kept = [is_ms <= must_ms for is_ms, must_ms in pairs if must_ms is not None]
    verdict = ("met" if all(kept) else "**missed**") if kept else ""
    figures = (cost.cpu_ms, cost.p50_ms, cost.p90_ms, cost.p99_ms)
    goals = [_goal_text(GOALS.get(name)), verdict, _goal_text(REFERENCE.get(name))]
    return [name, *(f"{value:.2f}" for value in figures), *goals]


def _goal_text(goal: Goal | None) -> str:
    if goal is None:
        return ""
    return ", ".join("—" if one is None else f"{one:g}" for one in (goal.cpu_ms, goal.p50_ms))


def latencies(costs: Mapping[str, Cost], to: Path) -> None:
    """Draws p50, p90 and p99 of each kind of request, and the CPU that it takes."""
    names = list(costs)
    with plots.drawing(
        to, "", across=True, title="One client, one connection, a local system: ms, log scale"
    ) as [panel]:
        panel.figure.set_size_inches(9, 0.6 + 0.42 * len(names))
        rows = range(len(names))
        for attribute, mark in (("cpu_ms", "|"), ("p50_ms", "o"), ("p90_ms", "s"), ("p99_ms", "x")):
            values = [getattr(costs[name], attribute) for name in names]
            panel.plot(values, rows, mark, label=attribute.removesuffix("_ms"), markersize=8)
        panel.set_yticks(rows, names)
        panel.invert_yaxis()
        panel.set_xscale("log")
        panel.legend(loc="lower right")


def main() -> None:
    """Runs the command."""
    parser = harness.parser("bench.requests", "Whole requests.")
    parser.add_argument("--quick", action="store_true", help="one small fleet, half a minute")
    arguments = parser.parse_args()
    began_at = datetime.now(UTC)
    costs = measured(QUICK if arguments.quick else SIZES)
    harness.publish(
        arguments,
        markdown(costs, began_at=began_at),
        markers=(BEGIN, END),
        figures={name: asdict(cost) for name, cost in costs.items()},
        draw=lambda to: latencies(costs, to),
    )


if __name__ == "__main__":
    main()
