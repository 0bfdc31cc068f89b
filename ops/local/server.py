"""HTTP/1.1 of the local gateway, by h11: a thread for each connection, request after request.

The handler of `chalice local` loses chunked bodies, waits for ever on a short one, answers HEAD with a body
and some requests in HTML, and sends small packets that wait 40 ms for each other. Here the answer is JSON in
the contract's envelope, whatever arrives, and the connection is either ready for the next request or closed.
"""

import logging
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import urlsplit

import h11
from chalice import Chalice

from ops.local.gateway import Gateway
from ops.local.replies import FAULT, WITHOUT_BODY, Refused, Reply, envelope, head_of, reply_of

HEAD_LIMIT = 32_768  # bytes of request line and headers [contract: Transport]
LINGER_S = 5.0  # how long a client may go on sending what nobody will read
LINGER_BYTES = 64 * 1_048_576

# Of a verb and a request's headers (names in lower case): the headers of any answer to it.
OwnHeaders = Callable[[str, Mapping[str, str]], Mapping[str, str]]

# Of a verb, a target and a request's headers: what is answered here, None where the application is asked.
Pages = Callable[[str, str, Mapping[str, str]], Reply | None]

# Of a request that is answered: verb, target, headers, status, and the milliseconds since its head was there.
Served = Callable[[str, str, Mapping[str, str], int, float], None]

log = logging.getLogger("maraude.gateway")


class _Connection(socketserver.BaseRequestHandler):
    """One connection: requests one after the other, until either side has enough."""

    server: "Server"
    request: socket.socket

    def setup(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT)
        # Of the request, as far as it is known.
        self._method, self._target, self._headers = "GET", "-", dict[str, str]()
        self._waits = threading.Event()  # set while no request is under way
        self.server.opened(self)

    def finish(self) -> None:
        self.server.closed(self)

    def wake(self) -> None:
        """Ends the wait for a next request, when that is what the connection does."""
        if self._waits.is_set():
            with suppress(OSError):  # the client may have gone at this moment
                self.request.shutdown(socket.SHUT_RD)

    def handle(self) -> None:
        try:
            while self._serve_one():
                self._http.start_next_cycle()
        except OSError:
            pass  # the client has gone: there is nobody to tell

    def _serve_one(self) -> bool:
        """Serves one request; whether another may follow."""
        self._method, self._target, self._headers = "GET", "-", {}
        began_s = time.perf_counter()
        try:
            self._waits.set()
            head = self._event(time.monotonic() + self.server.idle_timeout_s)
            self._waits.clear()
            if not isinstance(head, h11.Request):
                return False  # closed between two requests
            began_s = time.perf_counter()
            self._method, self._target = head.method.decode(), head.target.decode()
            self._headers = {name.decode(): value.decode("latin-1") for name, value in head.headers}
            if _size(head) > HEAD_LIMIT:
                raise Refused(
                    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                    f"The request line and headers are longer than {HEAD_LIMIT} bytes.",
                )
            reply = self._answer(head, self._body(head))
        except Refused as refused:
            reply = self._own(refused)
        except h11.RemoteProtocolError as error:
            reply = self._own(Refused(error.error_status_hint, f"Not valid HTTP: {error}."))
        except TimeoutError:
            if self._waits.is_set() and not self._http.trailing_data[0]:
                return False
            late = Refused(HTTPStatus.REQUEST_TIMEOUT, "The request took too long to arrive.")
            reply = self._own(late)
        took_ms = 1000 * (time.perf_counter() - began_s)
        self.server.served(self._method, self._target, self._headers, reply.status, took_ms)
        self._send(reply)
        if self._http.their_state not in (h11.DONE, h11.MUST_CLOSE):
            self._linger()
        return self._http.their_state is h11.DONE and self._http.our_state is h11.DONE

    def _event(self, deadline_s: float) -> object:
        """What comes next from the client. Raises TimeoutError, RemoteProtocolError."""
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[], reason="Continue")
                self.request.sendall(self._http.send(go_on) or b"")
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            self.request.settimeout(left_s)
            received = self.request.recv(65_536)
            if self._waits.is_set():
                # The first bytes of a request: from here on it must hurry.
                self._waits.clear()
                deadline_s = time.monotonic() + self.server.read_timeout_s
            self._http.receive_data(received)
        return event

    def _body(self, head: h11.Request) -> bytes:
        """The body of a request. Raises Refused when it is too long, before reading all of it."""
        limit = self.server.body_limit_bytes
        too_long = Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is longer than {limit} bytes."
        )
        if any(name == b"content-length" and int(value) > limit for name, value in head.headers):
            raise too_long
        deadline_s = time.monotonic() + self.server.read_timeout_s
        body = bytearray()
        while isinstance(event := self._event(deadline_s), h11.Data):
            body += event.data
            if len(body) > limit:
                raise too_long
        return bytes(body)

    def _own(self, refused: Refused) -> Reply:
        """The gateway's own answer, with the headers that all answers to the request have."""
        headers = self.server.own_headers(self._method, self._headers)
        return Reply(refused.status, [*headers.items()], envelope(refused.message))

    def _answer(self, head: h11.Request, body: bytes) -> Reply:
        """The reply to a whole request. Raises Refused."""
        target = head.target.decode()
        if not target.startswith("/"):
            target = urlsplit(target)._replace(scheme="", netloc="").geturl()
            if not target.startswith("/"):
                raise Refused(HTTPStatus.BAD_REQUEST, "The request names no path.")
        handle = self.server.gateway.handle_request
        try:
            own = self.server.pages(self._method, target, self._headers)
            if own is not None:
                return own
            answer = handle(
                self._method, target, self._headers, body, source=self.client_address[0]
            )
            return reply_of(answer)
        except Exception:  # whatever the application did, the client gets an answer
            log.exception("%s %s failed", self._method, target)
            return self._own(FAULT)

    def _send(self, reply: Reply) -> None:
        closes = self.server.stopping or self._http.their_state is not h11.DONE
        try:
            head = head_of(reply, closes=closes)
        except h11.LocalProtocolError:
            log.exception("the application answered with headers that are not valid HTTP")
            reply = self._own(FAULT)
            head = head_of(reply, closes=closes)
        sent = self._http.send(head) or b""
        if self._method != "HEAD" and reply.status not in WITHOUT_BODY:
            sent += self._http.send(h11.Data(data=reply.body)) or b""
        sent += self._http.send(h11.EndOfMessage()) or b""
        self.request.settimeout(self.server.read_timeout_s)
        self.request.sendall(sent)

    def _linger(self) -> None:
        """Reads on for a while before closing: a reset would overtake the answer on its way."""
        self.request.shutdown(socket.SHUT_WR)
        deadline_s = time.monotonic() + LINGER_S
        left = LINGER_BYTES
        while left > 0 and (left_s := deadline_s - time.monotonic()) > 0:
            self.request.settimeout(left_s)
            received = len(self.request.recv(65_536))
            if not received:
                return
            left -= received


def _size(head: h11.Request) -> int:
    """The bytes of a request's head, as it was sent."""
    lines = len(head.method) + len(head.target) + len("  HTTP/1.1\r\n\r\n")
    return lines + sum(len(name) + len(value) + len(": \r\n") for name, value in head.headers)


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """The application on a port of this machine, a thread for each connection."""

    daemon_threads = True
    block_on_close = False

    def __init__(
        self,
        app: Chalice,
        listener: socket.socket,
        *,
        body_limit_bytes: int,
        own_headers: OwnHeaders,
        pages: Pages = lambda *_: None,
        served: Served = lambda *_: None,
        read_timeout_s: float = 20.0,
        idle_timeout_s: float = 75.0,
    ) -> None:
        """`listener` already listens (`listen`); a request must arrive within `read_timeout_s`.

        `own_headers` are those of the answers that never reach the application, `pages` what is answered in its
        place, `served` is told of each request.
        """
        super().__init__(listener.getsockname(), _Connection, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.gateway = Gateway(app)
        self.body_limit_bytes = body_limit_bytes
        self.own_headers = own_headers
        self.pages = pages
        self.served = served
        self.read_timeout_s = read_timeout_s
        self.idle_timeout_s = idle_timeout_s
        self.stopping = False
        self._connections: set[_Connection] = set()
        self._changed = threading.Condition()

    def opened(self, connection: _Connection) -> None:
        """Takes note of a connection."""
        with self._changed:
            self._connections.add(connection)

    def closed(self, connection: _Connection) -> None:
        """Forgets a connection."""
        with self._changed:
            self._connections.discard(connection)
            self._changed.notify_all()

    def handle_error(self, request: object, client_address: object) -> None:
        """Logs what should not have happened; the connection is closed."""
        log.exception("the connection %s from %s failed", request, client_address)

    def stop(self, *, timeout_s: float = 10.0) -> None:
        """Takes no more requests, finishes those under way, and closes. From another thread."""
        self.stopping = True
        self.shutdown()
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            while self._connections and time.monotonic() < deadline_s:
                for connection in self._connections:
                    connection.wake()
                self._changed.wait(0.1)
        self.server_close()


def listen(port: int) -> socket.socket:
    """A socket of this machine that listens on the port; 0 for any. Raises OSError."""
    return socket.create_server(("127.0.0.1", port), backlog=256)
