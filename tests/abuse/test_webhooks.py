"""An operator's webhook as a way in: whatever its account says, nothing but public addresses is called."""

import socket
from typing import Any

import pytest

from chalicelib.foundation.values import replace
from chalicelib.taxis.hails import webhook
from tests.taxis.hails import servers
from tests.taxis.hails.test_webhook import HAIL, NOW, QUICK, send

METADATA = "http://169.254.169.254/latest/meta-data/"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 There", "308 There"])
def test_no_redirect_leads_to_the_metadata_service(status: str) -> None:
    moved = servers.http(status, b"{}", f"Location: {METADATA}", f"Refresh: 0; url={METADATA}")
    called: list[object] = []

    def connect(address: tuple[str, int], **limits: Any) -> socket.socket:
        called.append(address[0])
        return socket.create_connection(address, **limits)

    with servers.serving(servers.answers(moved)) as operator:
        outcome = send(operator.url, connect=connect)

    assert outcome.failure == f"the operator's server answered {status[:3]}"
    assert called == ["127.0.0.1"]


@pytest.mark.parametrize(
    "url",
    [
        METADATA,
        "http://2852039166/",  # decimal
        "http://0xa9fea9fe/",
        "http://0xa9.0xfe.0xa9.0xfe/",
        "http://0251.0376.0251.0376/",  # octal
        "http://169.254.43518/",  # three parts
        "http://127.1/",
        "http://0/",
        "http://127.0.0.1./",
        "http://localhost./",
        "http://LOCALHOST/",
        "http://①②⑦.⓪.⓪.①/",  # digits that IDNA makes plain ones
        "http://１２７.０.０.１/",
        "http://127。0。0。1/",  # its full stops too
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::a9fe:a9fe]/",  # NAT64
        "http://[64:ff9b:1::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::]/",  # 6to4
        "http://[2001:0:a9fe:a9fe::1]/",  # Teredo
        "http://[fd00:ec2::254]/",  # the metadata service's own
        "http://[fe80::1%25lo]/",
        "http://[fe80::1%lo]/",
        "http://1.1.1.1@169.254.169.254/",
        "http://taxis.example:80@127.0.0.1/",
        "http://1.1.1.1 @127.0.0.1/",
        "http://127.0.0.1:80\r\nHost: x/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:-1/",
        "//127.0.0.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_x",
        "http:///latest",
        "http://",
        "",
    ],
)
def test_no_way_to_write_an_address_inside_is_called(url: str) -> None:
    called: list[object] = []

    def connect(address: tuple[str, int], **_: Any) -> socket.socket:
        called.append(address)
        raise OSError

    outcome = webhook.send(
        replace(HAIL, url=url), now=NOW, limits=QUICK, allow_loopback=False, connect=connect
    )

    assert outcome.failure is not None
    assert called == []


def test_a_name_that_stands_for_another_address_a_moment_later_is_looked_up_once() -> None:
    found = [["1.1.1.1"], ["169.254.169.254"], ["169.254.169.254"]]
    called: list[object] = []

    def lookup(*_: Any, **__: Any) -> list[Any]:
        return [(0, 0, 0, "", (address, 80)) for address in found.pop(0)]

    def connect(address: tuple[str, int], **_: Any) -> socket.socket:
        called.append(address[0])
        raise OSError

    send("http://taxis.example/", allow_loopback=False, lookup=lookup, connect=connect)

    assert set(called) == {"1.1.1.1"}
    assert len(found) == 2
