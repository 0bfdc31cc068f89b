"""The start page of a local system: to whom it is shown, what it says, and that a stage has none."""

import html.parser
import http.client
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from chalice import Chalice

from ops import apps
from ops.local import start_page
from ops.local.server import Server, listen
from ops.local.start_page import GUIDES, Login

LOGINS = [Login("demo<b>", "an app & more", "key-1")]


def answer(
    method: str = "GET",
    target: str = "/",
    host: str = "127.0.0.1:8000",
    *,
    logins: list[Login] = LOGINS,
    console: str = "",
) -> str | None:
    """What is answered in the application's place."""
    pages = start_page.pages(lambda: logins, lambda: console, lambda: {"api", "demo"})
    reply = pages(method, target, {"host": host})
    return None if reply is None else reply.body.decode()


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST", "[::1]:8010"])
def test_who_opens_this_machine_s_address_is_told_the_logins(host: str) -> None:
    shown = answer(host=host)

    assert shown is not None
    assert "key-1" in shown
    assert "demo&lt;b&gt;" in shown
    assert "an app &amp; more" in shown


@pytest.mark.parametrize(
    "host", ["", "evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost@evil"]
)
def test_a_name_that_only_leads_here_is_told_nothing(host: str) -> None:
    """As of a foreign page whose own host's name stands for this machine now."""
    assert answer(host=host) is None
    assert answer(target="/guides/webhooks.md", host=host) is None


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "PUT", "DELETE"])
def test_other_verbs_are_the_application_s(method: str) -> None:
    assert answer(method) is None


@pytest.mark.parametrize("target", ["/taxis", "/doc", "/guides/", "/guides/none.md", "//"])
def test_other_paths_are_the_application_s(target: str) -> None:
    assert answer(target=target) is None


@pytest.mark.parametrize(
    "name",
    ["../README.md", "%2e%2e/README.md", "design/README.md", "evidence/cost.md", "hails.svg"],
)
def test_a_guide_is_a_page_of_docs_and_nothing_else(name: str) -> None:
    assert answer(target=f"/guides/{name}") is None


def test_the_page_is_found_with_a_query_too() -> None:
    assert answer(target="/?from=mail") == answer()


def test_a_guide_is_shown_as_it_stands() -> None:
    assert answer(target="/guides/webhooks.md") == (start_page.DOCS / "webhooks.md").read_text()


def test_no_page_of_another_host_may_read_frame_or_keep_it() -> None:
    reply = start_page.pages(list, str, set)("GET", "/", {"host": "localhost"})

    assert reply is not None
    headers = dict(reply.headers)
    assert "Access-Control-Allow-Origin" not in headers
    assert headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "script" not in reply.body.decode()


def test_it_says_what_runs() -> None:
    assert "Running: the API, the demonstration." in (answer() or "")


def test_the_console_is_linked_where_the_setting_names_one() -> None:
    console = "https://console.example/?a=1&b=2"

    assert 'href="https://console.example/?a=1&amp;b=2"' in (answer(console=console) or "")
    assert "MARAUDE_CONSOLE_URL" in (answer() or "")


def test_without_a_demonstration_it_is_said_how_an_account_is_made() -> None:
    shown = answer(logins=[])

    assert shown is not None
    assert "maraude account add" in shown
    assert "X-Api-Key" not in shown


class Outline(html.parser.HTMLParser):
    """The elements of a page, and whether each was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "br"}:
            self.open.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_each_of_its_own_links_leads_somewhere() -> None:
    outline = Outline()
    outline.feed(answer() or "")

    assert outline.open == []
    known = apps.application(apps.first()).table
    for link in outline.links:
        assert answer(target=link) is not None or link in known
    assert outline.links == [guide.href for of in GUIDES.values() for guide in of]


# --- before the application -------------------------------------------------------------------------


class Small(Chalice):  # type: ignore[misc,unused-ignore]  # chalice may come without types
    """An application that says the same to everybody."""

    def __call__(self, event: Any, context: Any) -> Any:  # noqa: ARG002  # Chalice's signature
        return {"statusCode": 200, "headers": {}, "body": "the application's"}


@pytest.fixture
def port() -> Iterator[int]:
    """A gateway with a start page, before an application that answers all else."""
    app = Small("small", configure_logs=False)
    pages = start_page.pages(lambda: LOGINS, str, set)
    server = Server(app, listen(0), body_limit_bytes=1000, own_headers=lambda *_: {}, pages=pages)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_address[1]
    server.stop()


def get(port: int, method: str, host: str) -> tuple[int, bytes, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, "/", headers={"Host": host})
    got = connection.getresponse()
    found = got.status, got.read(), got.headers["Content-Length"]
    connection.close()
    return found


def test_the_gateway_answers_it_and_leaves_the_rest_to_the_application(port: int) -> None:
    status, body, length = get(port, "GET", "localhost")
    head = get(port, "HEAD", "localhost")

    assert (status, int(length)) == (200, len(body))
    assert head == (200, b"", length)
    assert re.search(rb"<title>Maraude on this machine</title>", body)
    assert get(port, "GET", "evil.example")[1] == b"the application's"
