"""Webhook call of an operator's server about a hail: one POST, signed, within strict limits.

The server may be slow, broken or hostile; whatever it does, `send` answers with an Outcome within
`Limits.exchange_s`. The request is sent by the standard library and the answer read by `answers`: what a
client library would add (pools, proxies, redirects, retries of its own) is what must not happen here.
"""

import hashlib
import hmac
import io
import json
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from http.client import HTTPConnection
from typing import Any

from msgspec import Struct, field

from chalicelib.foundation.outbound import addresses, answers
from chalicelib.foundation.outbound import headers as own_headers
from chalicelib.foundation.outbound.addresses import Endpoint, EndpointRefused, Lookup
from chalicelib.foundation.outbound.answers import AnswerBroken
from chalicelib.foundation.outbound.headers import NameRefused, ValueRefused
from chalicelib.foundation.retry import Retry
from chalicelib.taxis.hails.dispatch import Dispatch

SIGNATURE = "X-Maraude-Signature"
USER_AGENT = "maraude"

_PHONE_LENGTH = 255


class Limits(Struct, frozen=True):
    """How long a connection and the whole exchange may take, and how much of a reply is read."""

    connect_s: float = 3.0
    exchange_s: float = 10.0
    reply_bytes: int = 65_536
    retry: Retry = Retry(tries=2, pause_s=0.5)  # of connecting: nothing has been sent before


class Outcome(Struct, frozen=True):
    """The outcome of a call: `failure` is None where the operator took the hail.

    `code` and `reply` are what the server answered, as far as it did.
    """

    failure: str | None = None
    code: int | None = None
    reply: str = ""
    taxi_phone_number: str | None = None


def sign(body: bytes, secrets: tuple[str, ...], *, at_s: int) -> str:
    """The signature header's value: `t=<unix seconds>`, then `v1=<HMAC-SHA256 of "t.body">` for each."""
    signed = f"{at_s}.".encode() + body
    marks = (hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets)
    return ",".join([f"t={at_s}", *(f"v1={mark}" for mark in marks)])


class Deadline(Struct, frozen=True):
    """The moment by which an exchange is over."""

    within_s: float
    _started_s: float = field(default_factory=time.monotonic)

    def left_s(self) -> float:
        """Seconds that remain. Raises TimeoutError where none do."""
        left_s = self._started_s + self.within_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s


class _Reader(io.RawIOBase):
    """A socket reader with an overall deadline: a socket's own timeout begins anew with each byte."""

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        self._socket = connected
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  # any writable buffer
        self._socket.settimeout(self._deadline.left_s())
        return self._socket.recv_into(buffer)


class _Limited(Struct, frozen=True):
    """A connected socket for `http.client` with an overall deadline."""

    connected: socket.socket
    deadline: Deadline

    def sendall(self, data: bytes) -> None:
        self.connected.settimeout(self.deadline.left_s())
        self.connected.sendall(data)


def send(
    dispatch: Dispatch,
    *,
    now: datetime,
    limits: Limits,
    allow_loopback: bool = False,
    accept_empty: bool = False,
    lookup: Lookup = socket.getaddrinfo,
    connect: Callable[..., socket.socket] = socket.create_connection,
    trust: ssl.SSLContext | None = None,
) -> Outcome:
    """Sends a hail to its operator's server and judges what comes back [contract: Answers to a webhook].

    Raises nothing that the account's settings or the server could cause.
    """
    deadline = Deadline(limits.exchange_s)
    try:
        endpoint = addresses.read(dispatch.url)
        headers = _headers(dispatch, endpoint, now)
        resolved = addresses.resolve(
            endpoint, timeout_s=deadline.left_s(), allow_loopback=allow_loopback, lookup=lookup
        )
        connected = _connected(endpoint, resolved, deadline, limits, connect, trust)
    except EndpointRefused as refused:
        return Outcome(str(refused))
    except NameRefused as refused:
        return Outcome(f"operator_header_name: {refused}")
    except ValueRefused as refused:
        return Outcome(f"operator_api_key: {refused}")
    except ssl.SSLError:
        return Outcome("no secure connection to the operator's server")
    except OSError:
        return Outcome("no connection to the operator's server")
    with connected:
        code = None
        try:
            exchange = HTTPConnection(endpoint.host, endpoint.port)
            exchange.sock = _Limited(connected, deadline)
            exchange.request("POST", endpoint.resource, dispatch.body, headers)
            stream = io.BufferedReader(_Reader(connected, deadline))
            head = answers.read_head(stream)
            code = head.code
            reply = answers.read_body(stream, head, longest=limits.reply_bytes)
        except TimeoutError:
            return Outcome(f"no whole answer within {limits.exchange_s:g} s", code)
        except (OSError, AnswerBroken):
            return Outcome("the answer broke off or is not HTTP", code)
    return judge(code, reply, limit=limits.reply_bytes, accept_empty=accept_empty)


def _headers(dispatch: Dispatch, endpoint: Endpoint, now: datetime) -> Mapping[str, str]:
    """Raises HeaderRefused. Where the account's header has the name of one of ours, ours is sent."""
    name, value = dispatch.header_name, dispatch.header_value
    if name:
        own_headers.check_name(name)
        own_headers.check_value(value)
    ours = {
        "Host": endpoint.authority,
        "Connection": "close",
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "Idempotency-Key": dispatch.hail_id,
        SIGNATURE: sign(dispatch.body, dispatch.signing_secrets, at_s=int(now.timestamp())),
    }
    theirs = {"Authorization": f"Basic {endpoint.login}"} if endpoint.login else {}
    if name:
        theirs = {key: text for key, text in theirs.items() if key.lower() != name.lower()}
        theirs[name] = value
    taken = {key.lower() for key in ours}
    return ours | {key: text for key, text in theirs.items() if key.lower() not in taken}


def _connected(
    endpoint: Endpoint,
    resolved: list[str],
    deadline: Deadline,
    limits: Limits,
    connect: Callable[..., socket.socket],
    trust: ssl.SSLContext | None,
) -> socket.socket:
    """A connection to one of the addresses; they are tried in their order, and all of them again.

    Raises OSError; a certificate that is not the host's is final.
    """
    last = OSError()
    for _ in limits.retry.attempts(left_s=deadline.left_s):
        for address in resolved:
            by = Deadline(min(limits.connect_s, deadline.left_s()))
            try:
                connected = connect((address, endpoint.port), timeout=by.left_s())
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if endpoint.scheme == "http":
                    return connected
                try:
                    connected.settimeout(by.left_s())
                    return (trust or _trust()).wrap_socket(connected, server_hostname=endpoint.host)
                except BaseException:
                    connected.close()
                    raise
            except ssl.SSLCertVerificationError:
                raise
            except OSError as error:
                last = error
    raise last


@cache
def _trust() -> ssl.SSLContext:
    """TLS with the system's certificate authorities."""
    return ssl.create_default_context()


def judge(code: int, reply: bytes, *, limit: int, accept_empty: bool) -> Outcome:
    """The outcome of an answer [contract: Answers to a webhook]; a reply beyond `limit` bytes was not read whole."""
    text = reply[:limit].decode(errors="replace")
    if not 200 <= code < 300:
        return Outcome(f"the operator's server answered {code}", code, text)
    if not reply and accept_empty:
        return Outcome(None, code)
    if len(reply) > limit:
        return Outcome(f"the answer is longer than {limit} bytes", code, text)
    try:
        answer = json.loads(reply)
    except (ValueError, RecursionError):
        return Outcome("the answer is not JSON", code, text)
    return Outcome(None, code, text, _phone(answer))


def _phone(answer: object) -> str | None:
    """The driver's number in an answer, None where there is no such thing."""
    match answer:
        case {"data": [{"taxi_phone_number": str(number)}, *_]}:
            # A lone surrogate is JSON, but no text: nothing could store it.
            usable = number.isprintable() and len(number) <= _PHONE_LENGTH
            return number.strip() or None if usable else None
    return None
