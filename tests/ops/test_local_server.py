"""The local gateway by raw sockets: what the stock handler got wrong, and that the connection stays sane."""

import http.client
import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from chalice import Chalice, Response

from ops.local.server import Server, listen

LIMIT = 1000
VERBS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "BREW", "get")


class SmallApp(Chalice):  # type: ignore[misc,unused-ignore]  # chalice may come without types
    """An application that finds its routes by itself, and can fail outside of its views, too."""

    def __call__(self, event: Any, context: Any) -> Any:
        path = event["path"]
        if path == "/broken":
            raise RuntimeError("not even Chalice catches this")
        known = {"resourcePath": path if path in self.routes else "/", "httpMethod": "GET"}
        about = event["requestContext"] | known
        return super().__call__(event | {"requestContext": about}, context)


@dataclass
class Hold:
    """Lets a test hold a request in the middle of its view."""

    entered: threading.Event
    leave: threading.Event


def small_app(hold: Hold) -> Chalice:
    app = SmallApp("small", configure_logs=False)

    def view() -> Response:
        request = app.current_request
        assert request is not None
        event = request.to_original_event()
        seen = {
            "path": event["path"],
            "method": event["httpMethod"],
            "query": event["multiValueQueryStringParameters"],
            "body": event["body"],
            "base64": event["isBase64Encoded"],
            "authorization": request.headers.get("authorization"),
            "source": event["requestContext"]["identity"]["sourceIp"],
        }
        return Response(json.dumps(seen), {"Content-Type": "application/json"})

    def held() -> Response:
        hold.entered.set()
        hold.leave.wait(30)
        return view()

    def big() -> Response:
        return Response("x" * 100_000, {"Content-Type": "text/plain"})

    def headers() -> Response:
        return Response("", {"X-Many": ["one", "two"], "Connection": "upgrade"}, 204)

    def unsendable() -> Response:
        return Response("", {"X-Bad": "a\rb"})

    for path, function in {
        "/": view,
        "/hold": held,
        "/big": big,
        "/headers": headers,
        "/unsendable": unsendable,
    }.items():
        app.route(path, content_types=["*/*"], name=path)(function)
    return app


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """One connection to the gateway."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)

    def send(self, *parts: bytes) -> "Wire":
        for part in parts:
            self._socket.sendall(part)
        return self

    def answer(self, method: str = "GET") -> Answer:
        response = http.client.HTTPResponse(self._socket, method=method)
        response.begin()
        try:
            return Answer(response.status, response.headers, response.read())
        finally:
            response.close()

    def raw(self, size: int) -> bytes:
        return self._socket.recv(size)

    def has_answer(self, *, within_s: float) -> bool:
        return bool(select.select([self._socket], [], [], within_s)[0])

    def no_more(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def is_closed(self) -> bool:
        try:
            return self._socket.recv(1) == b""
        except TimeoutError:
            return False

    def close(self) -> None:
        self._socket.close()


@dataclass
class Running:
    server: Server
    hold: Hold
    wires: list[Wire]
    served: list[tuple[str, str, int]]

    def wire(self) -> Wire:
        self.wires.append(Wire(self.server.server_address[1]))
        return self.wires[-1]


@pytest.fixture
def running() -> Iterator[Running]:
    hold = Hold(threading.Event(), threading.Event())
    served: list[tuple[str, str, int]] = []
    server = Server(
        small_app(hold),
        listen(0),
        body_limit_bytes=LIMIT,
        own_headers=lambda method, headers: {
            "X-Request-Id": f"{method} {headers.get('x-request-id')}",
            "Access-Control-Allow-Origin": headers.get("origin", "*"),
        },
        served=lambda method, target, _, status, ms: served.append(
            (method, target, status if 0 <= ms < 10_000 else 0)
        ),
        read_timeout_s=0.4,
        idle_timeout_s=0.8,
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    found = Running(server, hold, [], served)
    yield found
    hold.leave.set()
    for wire in found.wires:
        wire.close()
    server.stop(timeout_s=2)
    thread.join()


@pytest.fixture
def wire(running: Running) -> Wire:
    return running.wire()


def post(body: bytes, *, kind: bytes = b"application/json") -> bytes:
    lines = [
        b"POST /echo HTTP/1.1",
        b"Host: x",
        b"Content-Type: %s" % kind,
        b"Content-Length: %d" % len(body),
        b"",
        body,
    ]
    return b"\r\n".join(lines)


GET = b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"


def assert_still_sane(wire: Wire) -> None:
    answer = wire.send(GET).answer()

    assert (answer.status, answer.json["method"]) == (200, "GET")


def is_refusal(answer: Answer) -> bool:
    """Whether it is an error in the contract's envelope, with the headers that every answer has."""
    return (
        answer.headers["Access-Control-Allow-Origin"] == "*"
        and answer.headers["X-Request-Id"].endswith(" None")
        and answer.headers["Content-Type"] == "application/json"
        and list(answer.json) == ["errors"]
        and all(
            isinstance(message, str) for one in answer.json["errors"].values() for message in one
        )
    )


# --- requests that are fine ------------------------------------------------------------------------


def test_requests_on_one_connection_follow_each_other_without_delay(wire: Wire) -> None:
    def took_s() -> float:
        started = time.perf_counter()
        assert_still_sane(wire)
        assert len(wire.send(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n").answer().body) == 100_000
        return time.perf_counter() - started

    # With Nagle's algorithm against delayed acknowledgements each takes 40 ms, the quickest too.
    assert min(took_s() for _ in range(20)) < 0.03


def test_each_answer_is_told_even_to_what_could_not_be_read(running: Running) -> None:
    running.wire().send(b"GET /echo?a=b HTTP/1.1\r\nHost: x\r\n\r\n").answer()
    running.wire().send(b"nonsense\r\n\r\n").answer()

    assert running.served == [("GET", "/echo?a=b", 200), ("GET", "-", 400)]


def test_requests_sent_all_at_once_are_answered_in_order(wire: Wire) -> None:
    last = b"GET /things/last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    wire.send(GET + post(b"{}") + last)
    received = b""
    while more := wire.raw(65_536):
        received += more

    assert received.count(b"HTTP/1.1 200 OK") == 3
    assert received.index(b'"GET"') < received.index(b'"POST"') < received.index(b"/things/last")


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", "/"),
        ("/echo/", "/echo/"),
        ("//nowhere//x", "//nowhere//x"),
        ("/customers/auth0%7C1", "/customers/auth0|1"),
        ("/things/a%2Fb%20%C3%A9", "/things/a/b é"),
        ("/things/a%252Fb", "/things/a%252Fb"),
        ("/things/a%3Fb?c", "/things/a?b"),
        ("http://other/things/one?x=%2F", "/things/one"),
    ],
)
def test_every_path_reaches_the_application_decoded_but_for_the_percent_sign(
    wire: Wire, target: str, path: str
) -> None:
    answer = wire.send(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).answer()

    assert answer.json["path"] == path


def test_the_address_of_a_request_is_the_other_end_s_whatever_its_headers_say(
    running: Running,
) -> None:
    """All of 127.0.0.0/8 is this machine."""
    port = running.server.server_address[1]
    with socket.create_connection(("127.0.0.1", port), 20, ("127.0.0.2", 0)) as client:
        client.sendall(b"GET /echo HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")
        answer = http.client.HTTPResponse(client)
        answer.begin()
        seen = json.loads(answer.read())

    assert seen["source"] == "127.0.0.2"


def test_every_value_of_a_query_parameter_arrives(wire: Wire) -> None:
    answer = wire.send(b"GET /echo?a=1&a=%C3%A9&b=&c HTTP/1.1\r\nHost: x\r\n\r\n").answer()

    assert answer.json["query"] == {"a": ["1", "é"], "b": [""], "c": [""]}


def test_a_request_without_a_query_has_none(wire: Wire) -> None:
    assert wire.send(GET).answer().json["query"] is None


@pytest.mark.parametrize("method", VERBS)
def test_every_verb_reaches_the_application(wire: Wire, method: str) -> None:
    sent = f"{method} /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()

    answer = wire.send(sent).answer(method)

    assert answer.status == 200
    assert method == "HEAD" or answer.json["method"] == method
    assert_still_sane(wire)


def test_head_is_answered_without_a_body(wire: Wire) -> None:
    wire.send(b"HEAD /echo HTTP/1.1\r\nHost: x\r\n\r\n", GET)
    received = b""
    while received.count(b"HTTP/1.1") < 2 or not received.endswith(b"}"):
        received += wire.raw(65_536)

    first, _, second = received.partition(b"\r\n\r\n")
    assert second.startswith(b"HTTP/1.1 200")
    assert b"Content-Length: 0" not in first


def test_text_arrives_as_text(wire: Wire) -> None:
    answer = wire.send(post("{é}".encode())).answer()

    assert (answer.json["body"], answer.json["base64"]) == ("{é}", False)


@pytest.mark.parametrize("kind", [b"application/json", b"application/octet-stream"])
def test_bytes_that_are_no_text_arrive_in_base64(wire: Wire, kind: bytes) -> None:
    answer = wire.send(post(b"\xff\x00\xfe", kind=kind)).answer()

    assert (answer.json["body"], answer.json["base64"]) == ("/wD+", True)


def test_a_chunked_body_arrives_whole(wire: Wire) -> None:
    kind = b"Content-Type: text/plain"
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\n%s\r\nTransfer-Encoding: chunked\r\n\r\n" % kind

    answer = wire.send(
        head, b"3\r\n{}", b" \r\n2;x=y\r\n12\r\n", b"0\r\nTrailer: t\r\n\r\n"
    ).answer()

    assert answer.json["body"] == "{} 12"
    assert_still_sane(wire)


def test_a_latin_1_header_reaches_the_application(wire: Wire) -> None:
    sent = b"GET /nowhere HTTP/1.1\r\nHost: x\r\nAuthorization: caf\xe9\r\n\r\n"

    assert wire.send(sent).answer().json["authorization"] == "café"


def test_expect_100_continue_is_answered_at_once(wire: Wire) -> None:
    wire.send(
        b"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
        b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n"
    )

    assert wire.raw(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert wire.send(b"{}").answer().json["body"] == "{}"


def test_headers_with_several_values_are_sent_as_several(wire: Wire) -> None:
    answer = wire.send(b"GET /headers HTTP/1.1\r\nHost: x\r\n\r\n").answer()

    assert answer.headers.get_all("X-Many") == ["one", "two"]
    assert answer.headers["Connection"] is None
    assert (answer.status, answer.body) == (204, b"")
    assert_still_sane(wire)


def test_an_old_client_is_answered_and_left(wire: Wire) -> None:
    wire.send(b"GET /echo HTTP/1.0\r\n\r\n")

    assert wire.answer().status == 200
    assert wire.is_closed()


def test_each_thread_has_its_own_current_request(running: Running) -> None:
    held = running.wire().send(b"GET /hold?mine HTTP/1.1\r\nHost: x\r\n\r\n")
    assert running.hold.entered.wait(30)

    other = running.wire().send(b"GET /echo?other HTTP/1.1\r\nHost: x\r\n\r\n").answer()
    running.hold.leave.set()

    assert other.json["query"] == {"other": [""]}
    assert held.answer().json["query"] == {"mine": [""]}


# --- requests that are not -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n{}", 400),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n{}", 400),
        (
            b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
            400,
        ),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        (b"GET /echo HTTP/1.1\r\nHost: x\r\n" + b"X-Header: 1\r\n" * 3000 + b"\r\n", 431),
        (b"GET /echo HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400),
        (b"GET /echo HTTP/1.1\r\nHost: x\r\nsp ace: 1\r\n\r\n", 400),
        (b"GET /echo HTTP/1.1\r\n\r\n", 400),
        (b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /caf\xe9 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /echo\r\n\r\n", 400),
        (b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ],
    ids=lambda value: value[:50].decode("latin-1") if isinstance(value, bytes) else str(value),
)
def test_what_cannot_be_served_is_refused_in_the_contracts_envelope(
    running: Running, wire: Wire, sent: bytes, status: int
) -> None:
    answer = wire.send(sent).answer()

    assert answer.status == status
    assert is_refusal(answer)
    assert_still_sane(running.wire() if answer.headers["Connection"] == "close" else wire)


def test_what_is_refused_by_its_head_is_answered_to_its_origin_under_its_id(wire: Wire) -> None:
    head = b"Host: x\r\nOrigin: https://console.example\r\nX-Request-Id: mine\r\n"

    answer = wire.send(
        b"PUT /echo HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n" % (head, LIMIT + 1)
    ).answer()

    assert answer.status == 413
    assert answer.headers["Access-Control-Allow-Origin"] == "https://console.example"
    assert answer.headers["X-Request-Id"] == "PUT mine"


def test_a_request_that_cannot_be_read_is_not_answered_as_the_one_before_it(wire: Wire) -> None:
    first = wire.send(b"GET /echo HTTP/1.1\r\nHost: x\r\nX-Request-Id: first\r\n\r\n").answer()
    second = wire.send(b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n").answer()

    assert (first.status, second.status) == (200, 400)
    assert second.headers["X-Request-Id"] == "GET None"


def test_a_connection_that_cannot_be_understood_is_closed(wire: Wire) -> None:
    wire.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n", GET)

    assert wire.answer().headers["Connection"] == "close"
    wire.no_more()
    assert wire.is_closed()


def test_a_body_that_ends_too_early_is_refused(wire: Wire) -> None:
    wire.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{}")
    wire.no_more()

    answer = wire.answer()

    assert (answer.status, is_refusal(answer)) == (400, True)


@pytest.mark.parametrize(
    "sent",
    [
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{}",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"GET /echo HTTP/1.1\r\nHost:",
    ],
)
def test_a_request_that_does_not_end_is_refused_in_time(wire: Wire, sent: bytes) -> None:
    answer = wire.send(sent).answer()

    assert (answer.status, is_refusal(answer)) == (408, True)


def test_a_body_that_drips_is_refused_in_time(running: Running, wire: Wire) -> None:
    wire.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
    drips = 0
    while not wire.has_answer(within_s=running.server.read_timeout_s / 4):
        wire.send(b"x")
        drips += 1
        assert drips < 30

    assert wire.answer().status == 408


def test_a_connection_that_asks_nothing_is_closed_without_a_word(wire: Wire) -> None:
    assert_still_sane(wire)

    assert wire.raw(1) == b""


def too_long_at_once(wire: Wire) -> None:
    wire.send(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (LIMIT + 1))


def too_long_before_100(wire: Wire) -> None:
    wire.send(
        b"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 10000\r\n\r\n"
    )


def too_long_in_chunks(wire: Wire) -> None:
    chunk = b"100\r\n" + b"x" * 256 + b"\r\n"
    wire.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 4 * chunk)


def ten_megabytes(wire: Wire) -> None:
    wire.send(post(b"x" * 10_000_000))


@pytest.mark.parametrize(
    "send", [too_long_at_once, too_long_before_100, too_long_in_chunks, ten_megabytes]
)
def test_a_body_over_the_limit_is_refused_before_it_is_read(
    running: Running, wire: Wire, send: Callable[[Wire], None]
) -> None:
    send(wire)

    answer = wire.answer()

    assert (answer.status, is_refusal(answer)) == (413, True)
    assert answer.headers["Connection"] == "close"
    assert_still_sane(running.wire())


def test_a_body_at_the_limit_is_accepted(wire: Wire) -> None:
    assert wire.send(post(b"x" * LIMIT)).answer().status == 200


@pytest.mark.parametrize("path", [b"/broken", b"/unsendable"])
def test_a_fault_of_the_application_is_a_500_in_the_contracts_envelope(
    wire: Wire, path: bytes
) -> None:
    answer = wire.send(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path).answer()

    assert (answer.status, is_refusal(answer)) == (500, True)
    assert "Internal server error" in answer.json["errors"][""][0]
    assert_still_sane(wire)


# --- the end ---------------------------------------------------------------------------------------


def test_a_stop_finishes_the_request_under_way_and_closes_the_idle_connections(
    running: Running,
) -> None:
    running.server.idle_timeout_s = 60  # nothing else closes them
    idle = running.wire()
    assert_still_sane(idle)
    held = running.wire().send(b"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
    assert running.hold.entered.wait(30)

    stop = threading.Thread(target=running.server.stop)
    stop.start()
    assert idle.is_closed()
    running.hold.leave.set()
    answer = held.answer()
    stop.join(30)

    assert (answer.status, answer.headers["Connection"]) == (200, "close")
    assert not stop.is_alive()
