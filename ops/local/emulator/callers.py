"""Refusal of foreign web pages by the state service, which asks nobody for a right.

A page that is open in a browser of this machine may send requests to 127.0.0.1, and read the answers where
its site's name is made to lead there (DNS rebinding). A browser names that site in `Host`, and in `Origin`
or `Sec-Fetch-Site` what page has sent the request; the SDK sends neither of these two.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

OWN_NAMES = frozenset({b"127.0.0.1", b"localhost", b"[::1]"})
OWN_PAGES = frozenset({b"none", b"same-origin"})  # nobody's, as of what was typed; or one of ours

REFUSAL = b'{"message":"The state service answers programs of this machine only, and no web page."}'

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


def is_program(headers: Iterable[tuple[bytes, bytes]], names: frozenset[bytes] = OWN_NAMES) -> bool:
    """Whether a request of these headers (names in lower case) is a program's, for a host of these names."""
    hosts = []
    for name, value in headers:
        if name == b"origin" or (name == b"sec-fetch-site" and value not in OWN_PAGES):
            return False
        if name == b"host":
            hosts.append(_without_port(value.lower()))
    return bool(hosts) and names.issuperset(hosts)


def _without_port(host: bytes) -> bytes:
    name, colon, port = host.rpartition(b":")
    return name if colon and port.isdigit() else host


def for_programs(app: App, domain: str = "") -> App:
    """The application for programs of this machine; every web page is answered 403.

    `domain`: of an API that is deployed here, asked for by `Host`; none where it is empty.
    """
    names = OWN_NAMES | {domain.encode()} if domain else OWN_NAMES

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_program(scope["headers"], names):
            await app(scope, receive, send)
            return
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": REFUSAL})

    return answer
