"""Validation of outbound URLs and of the addresses that their host resolves to (SSRF protection).

An operator's server is on the public Internet. A URL that leads anywhere else (loopback, a private
network, the metadata service of a cloud) would turn the registry against what is around it. A name
may stand for another address a moment later, so the caller connects to an address it got from here.
"""

import base64
import ipaddress
import queue
import re
import socket
import threading
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct

# The contract's texts [contract: Webhook addresses].
INVALID = "This endpoint is invalid."
UNRESOLVED = "This URL could not be resolved."

_PORTS = {"http": 80, "https": 443}
# What a URL may hold besides letters and digits: the rest is percent-encoded (RFC 3986, 2.2).
_SAFE = "!#$%&'()*+,/:;=?@[]~"
_HOST = re.compile(r"[a-z0-9_.:-]+")
# All that IANA has given out as global unicast: no mapped IPv4, NAT64, unique local or multicast.
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")

Lookup = Callable[..., list[Any]]  # of `socket.getaddrinfo`


class EndpointRefused(Exception):
    """The URL may not be called; the text is the contract's."""


class Endpoint(Struct, frozen=True):
    """A parsed URL. `resource` is the request's target, `login` goes as Basic."""

    scheme: str
    host: str
    port: int
    resource: str
    login: str | None

    @property
    def authority(self) -> str:
        """The `Host` header's value."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def read(url: str) -> Endpoint:
    """The endpoint of a URL. Raises EndpointRefused."""
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").encode("idna").decode()
        usual_port = _PORTS[parts.scheme]
        port = parts.port or usual_port
        resource = quote(parts.path or "/", safe=_SAFE)
        if parts.query:
            resource += "?" + quote(parts.query, safe=_SAFE)
        login = None
        if parts.username is not None:
            credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            login = base64.b64encode(credentials.encode()).decode()
    except (KeyError, ValueError):  # another scheme, or no URL at all
        raise EndpointRefused(INVALID) from None
    if not _HOST.fullmatch(host):
        raise EndpointRefused(INVALID)
    return Endpoint(parts.scheme, host, port, resource, login)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address is a host's on the public Internet, and none that embeds an IPv4 address."""
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, IPv4Address):
        return True
    return address in _GLOBAL_UNICAST and address.sixtofour is None


def resolve(
    endpoint: Endpoint,
    *,
    timeout_s: float,
    allow_loopback: bool,
    lookup: Lookup = socket.getaddrinfo,
) -> list[str]:
    """The addresses that the endpoint's host resolves to, in the system's order; each of them is public.

    At a desk, where operators' servers run on the same machine, it may be that machine's own, too
    (`allow_loopback`).

    The system's resolver reads decimal, octal and hexadecimal forms too, so what it makes of a host
    is checked and not the host's text. Raises EndpointRefused.
    """
    found = _within(
        timeout_s, lambda: lookup(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    )
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses:
        raise EndpointRefused(UNRESOLVED)
    for one in map(ipaddress.ip_address, addresses):
        if not is_public(one) and not (allow_loopback and one.is_loopback):
            raise EndpointRefused(INVALID)
    return addresses


def _within(timeout_s: float, look_up: Callable[[], list[Any]]) -> list[Any]:
    """The result of a look-up, empty where it fails. Raises EndpointRefused when it takes too long.

    A look-up cannot be called off: its thread is left behind.
    """
    answer: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(look_up())
        except (OSError, UnicodeError):  # no such name, or none that DNS could carry
            answer.put([])

    threading.Thread(target=ask, name="hail look-up", daemon=True).start()
    try:
        return answer.get(timeout=max(0.0, timeout_s))
    except queue.Empty:
        raise EndpointRefused(UNRESOLVED) from None
