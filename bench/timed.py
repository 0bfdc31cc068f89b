"""What a request costs a process and takes its client, and the server that does nothing to compare with."""

import http.client
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"
ROUNDS = 3
spawning = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Cost:
    """One kind of request: milliseconds each."""

    count: int
    cpu_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float


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


def least(pid: int, asks: Sequence[Callable[[], object]], requests: int) -> Cost:
    """The round of least CPU of some, each of so many requests in turn."""
    turn = [asks[number % len(asks)] for number in range(requests)]
    return min((timed(pid, turn) for _ in range(ROUNDS)), key=lambda cost: cost.cpu_ms)


def get(client: Client, path: str) -> Callable[[], object]:
    """The GET of a path, to be asked."""
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
    here, there = spawning.Pipe()
    server = spawning.Process(target=_serve_nothing, args=(there,), daemon=True)
    server.start()
    try:
        yield f"http://{LOOPBACK}:{here.recv()}", server.pid or 0
    finally:
        server.terminate()
        server.join()
