"""Operators' servers for tests: each behaves as a script says, on a raw socket."""

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Script = Callable[[socket.socket], None]


@dataclass
class Operator:
    """A listening server: where, and what it was sent."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        """Where hails go."""
        return f"http://127.0.0.1:{self.port}/hail"


def request(connected: socket.socket) -> bytes:
    """Reads one request, its body as long as it says."""
    read = b""
    while b"\r\n\r\n" not in read:
        more = connected.recv(65_536)
        if not more:
            return read
        read += more
    head, _, body = read.partition(b"\r\n\r\n")
    found = re.search(rb"content-length: (\d+)", head.lower())
    length = int(found[1]) if found else 0
    while len(body) < length:
        body += connected.recv(65_536)
    return head + b"\r\n\r\n" + body


@contextmanager
def serving(*scripts: Script) -> Iterator[Operator]:
    """Serves connection after connection, each with the next script; the last one stays."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        operator = Operator(listener.getsockname()[1])
        threads: list[threading.Thread] = []

        def one(connected: socket.socket, script: Script) -> None:
            with connected, contextlib.suppress(OSError):
                connected.settimeout(10)
                script(connected)

        def accept() -> None:
            while True:
                try:
                    connected, _ = listener.accept()
                except OSError:
                    return
                script = scripts[min(operator.connections, len(scripts) - 1)]
                operator.connections += 1
                thread = threading.Thread(target=one, args=(connected, script))
                threads.append(thread)
                thread.start()

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield operator
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            for thread in threads:
                thread.join()


def http(status: str = "200 OK", body: bytes = b"{}", *headers: str) -> bytes:
    """An answer."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def answers(said: bytes, into: list[bytes] | None = None) -> Script:
    """Reads the request, keeps it, and answers."""

    def script(connected: socket.socket) -> None:
        read = request(connected)
        if into is not None:
            into.append(read)
        connected.sendall(said)

    return script


def drips(said: bytes, *, pause_s: float) -> Script:
    """Answers one byte at a time."""

    def script(connected: socket.socket) -> None:
        request(connected)
        gone = threading.Event()
        for byte in said:
            connected.sendall(bytes([byte]))
            gone.wait(pause_s)

    return script


def hangs(connected: socket.socket) -> None:
    """Takes the connection and says nothing until the caller goes."""
    while connected.recv(65_536):
        pass


def resets(connected: socket.socket) -> None:
    """Cuts the connection without a word."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
