"""Routes of the API document, `GET /swagger.json` and `GET /doc` [contract: Root and documentation]."""

import json
from collections.abc import Callable, Mapping
from functools import cache

from chalicelib.foundation.http.json_schema import ANYTHING, Sent
from chalicelib.foundation.http.replies import HTML, JSON, Reply
from chalicelib.foundation.http.routes import Route, Routes
from chalicelib.taxis.envelope import Request
from chalicelib.taxis.settings import settings

# The page needs its own style and nothing else: no script, no file, of this host or of another.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"


def routes_for(table: Mapping[str, Mapping[str, Route]]) -> Routes:
    """The routes that document those of `table`, themselves included."""
    routes = Routes()
    json_text, page_text = _texts(table)

    @routes.get("/swagger.json", roles=None, answers={200: Sent(ANYTHING)})
    def get_swagger(_: Request) -> Reply:
        """This document. OpenAPI 3.1, as JSON."""
        return Reply(200, json_text(), {"Content-Type": JSON})

    @routes.get("/doc", roles=None, answers={200: Sent(None, HTML)})
    def get_doc(_: Request) -> Reply:
        """This document as a page to read."""
        return Reply(200, page_text(), {"Content-Type": HTML, "Content-Security-Policy": _POLICY})

    return routes


def _texts(
    table: Mapping[str, Mapping[str, Route]],
) -> tuple[Callable[[], str], Callable[[], str]]:
    """The document as JSON and as a page, each generated once a process, on first request."""

    @cache
    def json_text() -> str:
        from chalicelib.taxis.openapi.document import document  # noqa: PLC0415  # loads apispec

        return json.dumps(document(table), indent=2) + "\n"

    @cache
    def page_text() -> str:
        from chalicelib.taxis.openapi.page import page  # noqa: PLC0415  # as rarely
        from chalicelib.taxis.openapi.recipes import recipes  # noqa: PLC0415

        return page(json.loads(json_text()), recipes(), settings().guides_url)

    return json_text, page_text
