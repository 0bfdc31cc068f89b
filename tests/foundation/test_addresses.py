"""Where hails may be sent, and where not."""

import threading
from typing import Any

import pytest

from chalicelib.foundation.outbound import addresses
from chalicelib.foundation.outbound.addresses import EndpointRefused


def answers(*found: str) -> addresses.Lookup:
    """A resolver that finds these addresses for every name."""
    return lambda *_, **__: [(0, 0, 0, "", (address, 443)) for address in found]


def resolved(
    url: str, lookup: addresses.Lookup, *, allow_loopback: bool = False, timeout_s: float = 2
) -> list[str]:
    """The addresses of a URL's host."""
    endpoint = addresses.read(url)
    return addresses.resolve(
        endpoint, timeout_s=timeout_s, allow_loopback=allow_loopback, lookup=lookup
    )


@pytest.mark.parametrize(
    ("url", "authority", "resource"),
    [
        ("https://taxis.example/hail", "taxis.example", "/hail"),
        ("HTTP://Taxis.Example", "taxis.example", "/"),
        ("https://taxis.example:443/a?b=c d", "taxis.example", "/a?b=c%20d"),
        ("http://taxis.example:8080/é%20é", "taxis.example:8080", "/%C3%A9%20%C3%A9"),
        ("https://éclair.example/", "xn--clair-9ra.example", "/"),
        ("http://[2a00:1450::1]:81/", "[2a00:1450::1]:81", "/"),
    ],
)
def test_a_url_is_taken_apart(url: str, authority: str, resource: str) -> None:
    endpoint = addresses.read(url)

    assert (endpoint.authority, endpoint.resource) == (authority, resource)


def test_a_login_in_the_url_becomes_basic_authorization() -> None:
    assert addresses.read("https://anne:p%40ss@taxis.example/").login == "YW5uZTpwQHNz"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "taxis.example/hail",
        "ftp://taxis.example/",
        "file:///etc/passwd",
        "http://",
        "http:///hail",
        "http://taxis.example:99999/",
        "http://[::1/",
        "http://a..b/",
        "http://taxis .example/",
        "http://taxis\0.example/",
        "http://" + "a" * 70 + ".example/",
    ],
)
def test_what_is_no_http_url_with_a_host_is_refused(url: str) -> None:
    with pytest.raises(EndpointRefused, match=addresses.INVALID):
        addresses.read(url)


@pytest.mark.parametrize("address", ["1.1.1.1", "193.252.19.3", "2a00:1450:4007::1", "2606:4700::"])
def test_an_address_of_the_public_internet_is_taken(address: str) -> None:
    assert resolved("https://taxis.example/", answers(address)) == [address]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",  # noqa: S104  # nothing is bound to it
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",  # shared by a carrier's customers
        "169.254.169.254",  # a cloud's metadata
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::a00:1",  # NAT64 of 10.0.0.1
        "64:ff9b:1::a00:1",
        "2002:a00:1::",  # 6to4 of 10.0.0.1
        "2001:0:a00:1::1",  # Teredo
        "2001:db8::1",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_any_other_address_is_refused(address: str) -> None:
    with pytest.raises(EndpointRefused, match=addresses.INVALID):
        resolved("https://taxis.example/", answers(address))


def test_one_private_address_among_public_ones_is_enough() -> None:
    with pytest.raises(EndpointRefused, match=addresses.INVALID):
        resolved("https://taxis.example/", answers("1.1.1.1", "10.0.0.1"))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "[::1]", "0"],
)
def test_each_way_to_write_this_machine_is_refused_by_what_the_system_makes_of_it(
    host: str,
) -> None:
    endpoint = addresses.read(f"http://{host}:8000/")

    with pytest.raises(EndpointRefused):
        addresses.resolve(endpoint, timeout_s=2, allow_loopback=False)


def test_a_desk_may_allow_its_own_addresses() -> None:
    found = resolved("http://localhost/", answers("127.0.0.1", "127.0.0.1"), allow_loopback=True)

    assert found == ["127.0.0.1"]


@pytest.mark.parametrize(
    "address",
    ["0.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "::", "fd00:ec2::254", "fe80::1"],
)
def test_a_desk_allows_no_other_address_that_is_not_public(address: str) -> None:
    for found in (answers(address), answers("127.0.0.1", address)):
        with pytest.raises(EndpointRefused, match=addresses.INVALID):
            resolved("http://taxis.example/", found, allow_loopback=True)


def test_a_name_that_nobody_knows_is_refused_as_such() -> None:
    def unknown(*_: Any, **__: Any) -> list[Any]:
        raise OSError("Name or service not known")

    with pytest.raises(EndpointRefused, match=addresses.UNRESOLVED):
        resolved("https://taxis.example/", unknown)


def test_a_resolver_that_never_answers_is_given_up() -> None:
    never = threading.Event()

    def hangs(*_: Any, **__: Any) -> list[Any]:
        never.wait()
        return []

    try:
        with pytest.raises(EndpointRefused, match=addresses.UNRESOLVED):
            resolved("https://taxis.example/", hangs, timeout_s=0.05)
    finally:
        never.set()


@pytest.mark.parametrize("url", ["ftp://taxis.example:21/", "gopher://taxis.example:70/x"])
def test_another_scheme_is_refused_with_its_port_too(url: str) -> None:
    with pytest.raises(EndpointRefused, match=addresses.INVALID):
        addresses.read(url)
