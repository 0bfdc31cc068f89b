"""Start page of a local system: what runs, who may log in, and where each reader goes on.

The local gateway answers it for `GET /`, and guides of `docs/` for `GET /guides/NAME`; a deployed stage has neither.
It shows the keys of invented accounts, so it goes to this machine's own names only, and no other page may read
or frame it.
"""

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from html import escape
from typing import NamedTuple

from ops import apps
from ops.local import place as places
from ops.local.replies import Reply
from ops.local.server import Pages

DOCS = apps.ROOT / "docs"

_OURS = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]+)?", re.IGNORECASE)
_GUIDE = re.compile(r"/guides/([a-z-]+\.md)")

_HEADERS = [
    ("Cache-Control", "no-store"),
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    ),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --link: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --link: #7ab8ff; } }
body { margin: 0 auto; max-width: 46rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; } h2 { font-size: 1.15rem; margin: 1.8rem 0 .3rem; }
a { color: var(--link); } a:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
ul { padding-left: 1.2rem; } li { margin: .35rem 0; }
dl { margin: 0; } dt { font-weight: 600; margin-top: .8rem; } dd { margin: 0; }
code { font: .9em ui-monospace, monospace; background: #8882; padding: .1em .25em; border-radius: .2em; }
"""


class Login(NamedTuple):
    """An account that the page names: what it is for, and its key."""

    email: str
    what: str
    key: str


class Guide(NamedTuple):
    """A page to go on to."""

    href: str
    name: str
    what: str


# What the processes are for, by their roles in `run.json`.
PROCESSES: Mapping[str, str] = {
    "api": "the API",
    "state": "emulated services of AWS",
    "worker": "streams, queues and jobs",
    "udp": "positions by UDP",
    "demo": "the demonstration",
}

# What each reader finds where.
GUIDES: Mapping[str, tuple[Guide, ...]] = {
    "Search apps (moteur)": (
        Guide("/guides/start-search-app.md", "Start", "the first steps"),
        Guide("/doc", "The API", "each operation, with its answers"),
        Guide("/guides/oddities.md", "Oddities", "what looks like a mistake, and is meant"),
        Guide("/guides/differences.md", "Differences", "from the reference service, le.taxi"),
        Guide("/guides/contract.md", "The contract", "operation by operation, with its tests"),
    ),
    "Operators": (
        Guide("/guides/start-operator.md", "Start", "the first steps"),
        Guide("/guides/webhooks.md", "Receiving hails", "what your server is sent, and answers"),
        Guide("/guides/udp.md", "Positions by UDP", "for older devices"),
        Guide("/guides/import.md", "Taking over", "accounts and taxis of the reference service"),
    ),
    "Administrations": (
        Guide("/stats/letaxi", "Public figures", "as JSON; the others need an admin's key"),
        Guide("/guides/start-ops.md", "Start", "the first steps"),
        Guide("/guides/roles.md", "Roles", "which account may do what"),
        Guide("/guides/deploy.md", "Deploying", "a stage on AWS"),
        Guide("/guides/runbook.md", "Runbook", "each alarm, and what to do"),
    ),
}


def pages(
    logins: Callable[[], list[Login]],
    console: Callable[[], str],
    running: Callable[[], Collection[str]],
) -> Pages:
    """The start page and the guides; what they hold is asked for at each request."""

    def answer(method: str, target: str, headers: Mapping[str, str]) -> Reply | None:
        host = headers.get("host", "")
        if method not in {"GET", "HEAD"} or not _OURS.fullmatch(host):
            return None
        path = target.partition("?")[0]
        if path == "/":
            return _reply("text/html", html(f"http://{host}", logins(), console(), running()))
        guide = _GUIDE.fullmatch(path)
        if guide and (file := DOCS / guide[1]).is_file():
            return _reply("text/plain", file.read_text())
        return None

    return answer


def _reply(kind: str, text: str) -> Reply:
    return Reply(200, [("Content-Type", f"{kind}; charset=utf-8"), *_HEADERS], text.encode())


def html(url: str, logins: list[Login], console: str, running: Collection[str]) -> str:
    """The page, of a system that answers at `url` and has these processes; `console` is its console's address, if any."""
    return "\n".join(_parts(url, logins, console, running)) + "\n"


def _parts(url: str, logins: list[Login], console: str, running: Collection[str]) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>Maraude on this machine</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>"
    yield "<h1>Maraude runs on this machine</h1>"
    yield (
        f"<p>A registry of available taxis: its API answers at <code>{escape(url)}</code>, and its data is in "
        f"<code>{escape(os.environ.get('MARAUDE_DATA', ''))}</code>.</p>"
    )
    parts = [what for role, what in PROCESSES.items() if role in running]
    if parts:
        yield f"<p>Running: {escape(', '.join(parts))}.</p>"
    yield '<h2 id="console">Console</h2>'
    if console:
        yield f'<p><a href="{escape(console)}">{escape(console)}</a>, with a login of below.</p>'
    else:
        yield (
            f"<p>This repository has none. The official console of le.taxi works with this system: build it for "
            f"<code>{escape(url)}</code>, and log in with an e-mail and key of below. <code>MARAUDE_CONSOLE_URL</code> "
            "puts its address here.</p>"
        )
    yield '<h2 id="logins">Logins</h2>'
    if logins:
        yield (
            "<p>Accounts of the demonstration, all invented. A request has the key in the header "
            "<code>X-Api-Key</code>; the console asks for the e-mail and the key.</p>\n<dl>"
        )
        for login in logins:
            yield f"<dt>{escape(login.email)}</dt>"
            yield f"<dd>{escape(login.what)}<br><code>{escape(login.key)}</code></dd>"
        yield "</dl>"
    else:
        yield (
            "<p>No demonstration runs here: <code>make run</code> has one. "
            "<code>maraude account add EMAIL --role ROLE</code> adds an account, and prints its key.</p>"
        )
    yield (
        "<p>A position counts for two minutes: a taxi that reports nothing any more disappears from searches.</p>"
    )
    for reader, guides in GUIDES.items():
        yield f"<h2>{escape(reader)}</h2>\n<ul>"
        for href, name, what in guides:
            yield f'<li><a href="{href}">{escape(name)}</a>: {escape(what)}</li>'
        yield "</ul>"
    yield "</main>\n</body>\n</html>"


def running() -> frozenset[str]:
    """The roles of the processes that this process's data folder names; none while they are just starting."""
    try:
        return frozenset(places.of(None).running().pids)
    except places.NotRunning:
        return frozenset()
