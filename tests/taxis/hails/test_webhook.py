"""Calling an operator's server: what is sent, and that no answer can do harm."""

import datetime as dt
import hashlib
import hmac
import json
import re
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chalicelib.foundation.retry import Retry
from chalicelib.foundation.values import replace
from chalicelib.taxis.hails import webhook
from chalicelib.taxis.hails.dispatch import Dispatch
from chalicelib.taxis.hails.webhook import Limits, Outcome
from tests.taxis.hails import servers

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DOCS = Path(__file__).resolve().parents[3] / "docs" / "webhooks.md"
SOON = Retry(tries=2, pause_s=0.02)
QUICK = Limits(connect_s=0.3, exchange_s=0.6, retry=SOON)  # where time is what runs out
PATIENT = Limits(connect_s=20, exchange_s=30, retry=SOON)  # on a busy machine, too


HAIL = Dispatch(
    hail_id="h4a1l7x",
    url="",
    header_name="",
    header_value="",
    signing_secrets=("5ec2e7",),
    operator_id=42,
    moteur_id=7,
    body=b'{"data":[{"id":"h4a1l7x"}]}\n',
)


def send(
    url: str, *, name: str = "", value: str = "", limits: Limits = PATIENT, **others: Any
) -> Outcome:
    """Sends a hail there, with the account's own header; this machine will do."""
    hail = replace(HAIL, url=url, header_name=name, header_value=value)
    return webhook.send(hail, now=NOW, limits=limits, **{"allow_loopback": True, **others})


def exchange(script: servers.Script, *, limits: Limits = PATIENT) -> Outcome:
    """What comes of a call of a server that behaves so."""
    with servers.serving(script) as operator:
        return send(operator.url, limits=limits)


def sent(*, name: str = "", value: str = "") -> tuple[str, dict[str, str], bytes]:
    """The request line, headers (names in lower case) and body of a call."""
    requests: list[bytes] = []
    with servers.serving(servers.answers(servers.http(), requests)) as operator:
        assert send(operator.url, name=name, value=value).failure is None
    head, _, body = requests[0].partition(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    headers = [one.partition(": ")[::2] for one in lines]
    assert len({name.lower() for name, _ in headers}) == len(headers)
    return line, {name.lower(): value for name, value in headers}, body


# --- what is sent ---------------------------------------------------------------------------------


def test_a_hail_is_posted_as_json_under_its_own_id() -> None:
    line, headers, body = sent()

    assert line == "POST /hail HTTP/1.1"
    assert body == HAIL.body
    assert headers["content-type"] == "application/json"
    assert headers["idempotency-key"] == "h4a1l7x"
    assert headers["user-agent"] == "maraude"
    assert "x-api-key" not in headers


def test_the_accounts_own_header_goes_with_it() -> None:
    _, headers, _ = sent(name="X-Token", value="s3cret")

    assert headers["x-token"] == "s3cret"


def test_the_accounts_own_header_cannot_change_what_a_partner_relies_on() -> None:
    _, headers, _ = sent(name="idempotency-key", value="other")

    assert headers["idempotency-key"] == "h4a1l7x"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X:Y", "v"),
        (" X", "v"),
        ("X\r\nY", "v"),
        ("Clé", "v"),
        ("Content-Length", "3"),
        ("transfer-encoding", "chunked"),
        ("X", "a\r\nInjected: yes"),
        ("X", "a\nb"),
        ("X", "clé"),
        ("X", "\0"),
        ("X", "folded\r\n line"),
        ("Transfer-Encoding ", "chunked"),
        ("Host", "inside.example"),
    ],
)
def test_a_header_that_cannot_be_sent_is_an_outcome_that_names_it_and_nothing_is_sent(
    name: str, value: str
) -> None:
    with servers.serving(servers.answers(servers.http())) as operator:
        outcome = send(operator.url, name=name, value=value)

    field = "operator_api_key" if name == "X" else "operator_header_name"
    assert (outcome.failure or "").startswith(f"{field}: ")
    assert operator.connections == 0


def test_the_signature_covers_time_and_body_with_the_secret_of_the_hail() -> None:
    _, headers, body = sent()

    at_s, mark = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", headers["x-maraude-signature"]).groups()  # type: ignore[union-attr]

    assert int(at_s) == NOW.timestamp()
    assert mark == hmac.new(b"5ec2e7", f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()


def test_a_hail_is_signed_with_each_of_our_keys_while_they_are_rotated() -> None:
    both = webhook.sign(b"{}", ("new", "old"), at_s=1)

    assert both.split(",")[1:] == [
        webhook.sign(b"{}", (secret,), at_s=1).split(",")[1] for secret in ("new", "old")
    ]


def test_the_worked_example_of_the_documentation_is_right() -> None:
    text = DOCS.read_text("utf-8")
    example = dict(re.findall(r"^\| (secret|time|body) +\| `(.+)` \|$", text, re.MULTILINE))
    [code] = re.findall(r"```python\n(.+?)```", text, re.DOTALL)
    [header] = re.findall(r"^X-Maraude-Signature: (.+[0-9a-f]{64})$", text, re.MULTILINE)
    known: dict[str, Any] = {}

    exec(code, known)  # noqa: S102  # the page's own code

    body, at_s = example["body"].encode(), int(example["time"])
    assert header == webhook.sign(body, (example["secret"],), at_s=at_s)
    genuine = known["is_genuine"]
    assert genuine(body, header, example["secret"], now=at_s + 60)
    assert not genuine(body + b" ", header, example["secret"], now=at_s)
    assert not genuine(body, header, example["secret"] + "0", now=at_s)
    assert not genuine(body, header, example["secret"], now=at_s + 3600)


# --- what an answer means -------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b'"text"', b" 1 ", b'{"data":[]}'])
def test_any_json_with_2xx_is_a_delivery(body: bytes) -> None:
    assert exchange(servers.answers(servers.http("201 Created", body))) == Outcome(
        None, 201, body.decode()
    )


def test_informational_answers_before_the_last_one_lose_no_hail() -> None:
    hints = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"

    assert exchange(servers.answers(hints + servers.http())) == Outcome(None, 200, "{}")


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    ],
)
def test_an_answer_that_is_cut_short_is_a_failure_though_it_is_json(reply: bytes) -> None:
    outcome = exchange(servers.answers(reply))

    assert outcome == Outcome("the answer broke off or is not HTTP", 200)


@pytest.mark.parametrize(
    ("phone", "taken"),
    [
        ('"0612345678"', "0612345678"),
        ('" 06 12 "', "06 12"),
        ("null", None),
        ('""', None),
        ('"  "', None),
        ("612345678", None),
        ('["0612345678"]', None),
        ('"\\ud800"', None),
        ('"\\u0000"', None),
        (f'"{"6" * 300}"', None),
    ],
)
def test_a_phone_number_is_taken_where_it_is_one(phone: str, taken: str | None) -> None:
    reply = f'{{"data":[{{"taxi_phone_number":{phone}}}]}}'.encode()

    outcome = webhook.judge(200, reply, limit=65_536, accept_empty=False)

    assert (outcome.failure, outcome.taxi_phone_number) == (None, taken)


@pytest.mark.parametrize(
    "reply",
    [b'{"data":{}}', b'{"data":[null]}', b'{"data":[[]]}', b'{"data":"x"}', b'[{"data":[{}]}]'],
)
def test_an_answer_of_an_odd_shape_is_still_a_delivery(reply: bytes) -> None:
    outcome = webhook.judge(200, reply, limit=65_536, accept_empty=False)

    assert (outcome.failure, outcome.taxi_phone_number) == (None, None)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (servers.http("200 OK", b"OK"), "the answer is not JSON"),
        (servers.http("200 OK", b""), "the answer is not JSON"),
        (servers.http("204 No Content", b""), "the answer is not JSON"),
        (servers.http("200 OK", b"\xff\xfe\x00"), "the answer is not JSON"),
        (servers.http("200 OK", b"[" * 60_000), "the answer is not JSON"),
        (servers.http("200 OK", b"9" * 60_000), "the answer is not JSON"),
        (servers.http("400 Bad Request"), "the operator's server answered 400"),
        (servers.http("503 Unavailable", b"<html>"), "the operator's server answered 503"),
        (servers.http("304 Not Modified", b""), "the operator's server answered 304"),
        (b"\0" * 200, "the answer broke off or is not HTTP"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n{}", "the answer broke off or is not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 5000, "the answer broke off or is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"b" * 200_000, "the answer broke off or is not HTTP"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "the answer broke off or is not HTTP",
        ),
        (b"", "the answer broke off or is not HTTP"),
    ],
)
def test_any_other_answer_is_a_failure_that_names_its_cause(reply: bytes, why: str) -> None:
    assert exchange(servers.answers(reply)).failure == why


def test_a_deployment_may_accept_an_empty_answer() -> None:
    assert webhook.judge(204, b"", limit=9, accept_empty=True).failure is None
    assert webhook.judge(200, b"", limit=9, accept_empty=False).failure is not None


def test_a_redirect_is_not_followed() -> None:
    inner: list[bytes] = []
    with servers.serving(servers.answers(servers.http(), inner)) as inside:
        away = servers.http("302 Found", b"{}", f"Location: {inside.url}")
        outcome = exchange(servers.answers(away))

    assert outcome.failure == "the operator's server answered 302"
    assert inner == []


def test_of_a_long_answer_no_more_is_kept_than_the_limit() -> None:
    outcome = exchange(servers.answers(servers.http("200 OK", b"[" + b" " * 1_000_000 + b"]")))

    assert outcome.failure == "the answer is longer than 65536 bytes"
    assert len(outcome.reply) == 65_536


def test_an_endless_answer_is_cut_too() -> None:
    def endless(connected: socket.socket) -> None:
        servers.request(connected)
        connected.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connected.sendall(b" " * 65_536)

    tracemalloc.start()
    outcome = exchange(endless)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert outcome.failure == "the answer is longer than 65536 bytes"
    assert most < 1_000_000


# --- limits of time -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        servers.hangs,
        servers.drips(servers.http("200 OK", b"{}", "X: " + "y" * 100), pause_s=0.05),
        servers.drips(b"HTTP/1.1 100 Continue\r\n\r\n" * 20, pause_s=0.01),
        servers.drips(b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100, pause_s=0.02),
    ],
    ids=["silence", "slow headers", "endless 100s", "slow body"],
)
def test_the_whole_exchange_has_one_limit_however_the_bytes_drip(script: servers.Script) -> None:
    started_s = time.monotonic()

    outcome = exchange(script, limits=QUICK)

    assert outcome.failure == "no whole answer within 0.6 s"
    assert time.monotonic() - started_s < 4


def test_a_resolver_that_hangs_counts_against_the_same_limit() -> None:
    over = threading.Event()

    def slow(*_: Any, **__: Any) -> list[Any]:
        return [] if over.wait(30) else [pytest.fail("it was waited for")]

    outcome = send("http://slow.example/", limits=QUICK, lookup=slow)
    over.set()

    assert outcome.failure == "This URL could not be resolved."


# --- connecting -----------------------------------------------------------------------------------


class Connections:
    """Stands in for the network: the first ones fail, the others go to a server of this machine."""

    def __init__(self, port: int, *, failing: int = 0, error: OSError | None = None) -> None:
        self.asked: list[tuple[str, int]] = []
        self._port = port
        self._failing = failing
        self._error = error or ConnectionRefusedError()

    def __call__(self, address: tuple[str, int], *, timeout: float) -> socket.socket:
        self.asked.append(address)
        if len(self.asked) <= self._failing:
            raise self._error
        return socket.create_connection(("127.0.0.1", self._port), timeout=timeout)


class Names:
    """Stands in for DNS: another answer each time it is asked."""

    def __init__(self, *found: list[str]) -> None:
        self.found = found
        self.asked = 0

    def __call__(self, *_: Any, **__: Any) -> list[Any]:
        addresses = self.found[min(self.asked, len(self.found) - 1)]
        self.asked += 1
        return [(0, 0, 0, "", (address, 80)) for address in addresses]


def test_a_connection_that_failed_is_tried_again() -> None:
    with servers.serving(servers.answers(servers.http())) as operator:
        connections = Connections(operator.port, failing=1)
        outcome = send(operator.url, connect=connections)

    assert outcome.failure is None
    assert len(connections.asked) == 2


def test_a_server_that_is_down_is_a_failure_that_does_not_name_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    outcome = send(f"http://127.0.0.1:{port}/")

    assert outcome == Outcome("no connection to the operator's server")


def test_connecting_again_stays_within_the_limit() -> None:
    connections = Connections(0, failing=99)
    started_s = time.monotonic()
    patient = Limits(exchange_s=1, retry=Retry(tries=1000, pause_s=0.3))

    outcome = send("http://127.0.0.1/", limits=patient, connect=connections)

    assert outcome.failure == "no connection to the operator's server"
    assert 2 <= len(connections.asked) <= 8
    assert time.monotonic() - started_s < 3


def test_what_may_have_been_read_is_not_sent_again() -> None:
    def script(connected: socket.socket) -> None:
        servers.request(connected)
        servers.resets(connected)

    with servers.serving(script) as operator:
        outcome = send(operator.url)

    assert outcome.failure == "the answer broke off or is not HTTP"
    assert operator.connections == 1


def test_a_server_that_cuts_every_connection_is_a_failure() -> None:
    # Whether the cut comes before the first byte is sent is the system's to say.
    assert exchange(servers.resets).failure in (
        "the answer broke off or is not HTTP",
        "no connection to the operator's server",
    )


def test_the_connection_goes_to_the_address_that_was_checked_and_not_to_a_later_one() -> None:
    names = Names(["1.1.1.1"], ["127.0.0.1"])
    requests: list[bytes] = []
    with servers.serving(servers.answers(servers.http(), requests)) as operator:
        connections = Connections(operator.port, failing=1)
        outcome = send(
            "http://taxis.example/", allow_loopback=False, lookup=names, connect=connections
        )

    assert outcome.failure is None
    assert names.asked == 1
    assert connections.asked == [("1.1.1.1", 80)] * 2
    assert b"\r\nHost: taxis.example\r\n" in requests[0]


def test_each_address_of_a_name_is_tried() -> None:
    names = Names(["2a00:1450::1", "1.1.1.1"])
    with servers.serving(servers.answers(servers.http())) as operator:
        connections = Connections(operator.port, failing=1, error=OSError("no route"))
        outcome = send("http://taxis.example/", lookup=names, connect=connections)

    assert outcome.failure is None
    assert [address for address, _ in connections.asked] == ["2a00:1450::1", "1.1.1.1"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/", "http://2130706433:{port}/", "", "x"])
def test_a_private_address_or_no_address_is_a_failure_and_nothing_is_sent(url: str) -> None:
    with servers.serving(servers.answers(servers.http())) as operator:
        outcome = send(url.format(port=operator.port), allow_loopback=False)

    assert outcome.failure == "This endpoint is invalid."
    assert operator.connections == 0


def test_an_ipv6_server_is_called_by_its_address() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    seen: list[str] = []

    def connect(address: tuple[str, int], *, timeout: float) -> socket.socket:
        seen.append(address[0])
        return socket.create_connection(("127.0.0.1", operator.port), timeout=timeout)

    requests: list[bytes] = []
    with servers.serving(servers.answers(servers.http(), requests)) as operator:
        outcome = send("http://[::1]:8080/", connect=connect)

    assert outcome.failure is None
    assert seen == ["::1"]
    assert b"\r\nHost: [::1]:8080\r\n" in requests[0]


# --- TLS ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Certificate:
    """One that signs itself, for taxis.example."""

    path: Path

    def serves(self, script: servers.Script, names: list[str | None]) -> servers.Script:
        """The script behind TLS; the server names that were asked for are kept."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        context.sni_callback = lambda _socket, name, _context: names.append(name)

        def secure(connected: socket.socket) -> None:
            with context.wrap_socket(connected, server_side=True) as wrapped:
                script(wrapped)

        return secure

    @property
    def trusted(self) -> ssl.SSLContext:
        """A caller's context that trusts it."""
        return ssl.create_default_context(cafile=str(self.path))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "taxis.example")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("taxis.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return Certificate(path)


def secured(
    certificate: Certificate, host: str, trust: ssl.SSLContext | None
) -> tuple[Outcome, int, list[str | None]]:
    """The outcome, how often it was connected, and the server names asked for."""
    names: list[str | None] = []
    with servers.serving(certificate.serves(servers.answers(servers.http()), names)) as operator:
        outcome = send(
            f"https://{host}/",
            lookup=Names(["1.1.1.1"]),
            connect=Connections(operator.port),
            trust=trust,
        )
    return outcome, operator.connections, names


def test_a_secure_server_is_asked_for_by_its_name(certificate: Certificate) -> None:
    outcome, _, names = secured(certificate, "taxis.example", certificate.trusted)

    assert outcome.failure is None
    assert names == ["taxis.example"]


@pytest.mark.parametrize(
    ("host", "trust"),
    [
        ("taxis.example", lambda _: None),
        ("other.example", lambda certificate: certificate.trusted),
    ],
    ids=["nobody vouches for it", "it is another's"],
)
def test_a_certificate_that_proves_nothing_is_final(
    certificate: Certificate,
    host: str,
    trust: Callable[[Certificate], ssl.SSLContext | None],
) -> None:
    outcome, connections, _ = secured(certificate, host, trust(certificate))

    assert outcome.failure == "no secure connection to the operator's server"
    assert connections == 1


def test_a_handshake_that_hangs_counts_as_connecting() -> None:
    def at_once(address: tuple[str, int], *, timeout: float) -> socket.socket:
        assert 0 < timeout <= QUICK.connect_s
        return socket.create_connection(address)

    started_s = time.monotonic()
    with servers.serving(servers.hangs) as operator:
        outcome = send(operator.url.replace("http:", "https:"), limits=QUICK, connect=at_once)

    assert outcome.failure == "no connection to the operator's server"
    assert time.monotonic() - started_s < 5


def test_the_reply_is_kept_for_the_log() -> None:
    outcome = exchange(servers.answers(servers.http("500 Oops", json.dumps({"why": "é"}).encode())))

    assert (outcome.code, outcome.reply) == (500, '{"why": "\\u00e9"}')
