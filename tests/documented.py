"""Whether an answer is one that the API document tells of."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote

import jsonschema_rs

from chalicelib.foundation.http.application import Application
from chalicelib.foundation.http.json_schema import ERRORS
from chalicelib.foundation.http.replies import JSON
from chalicelib.foundation.http.routes import Route
from chalicelib.taxis.openapi.document import document

# What the registry answers before it knows a route: an address's limit, the body gate, unknown paths and verbs.
_BEFORE_ROUTING = {400, 404, 405, 413, 429}
_REFUSAL = jsonschema_rs.validator_for(dict(ERRORS))


class Documented:
    """The document of an app, an operation of which is read when it is first called."""

    def __init__(self, app: Application) -> None:
        self._table = app.table

    def check(
        self, method: str, path: str, status: int, headers: Mapping[str, str], text: str
    ) -> None:
        """Fails where the document does not tell of this answer."""
        if method == "OPTIONS":
            return
        path = path.partition("?")[0]
        verbs = self._table.get(_pattern(path, self._table), {})
        route = verbs.get(method)
        if route is None or route.answers is None:
            if route is None:
                assert status in _BEFORE_ROUTING, f"{method} {path} answered {status}"
            if status >= 400 and method != "HEAD":
                _REFUSAL.validate(json.loads(text))
            return
        answers = _answers(route, method)
        assert status in answers, f"{method} {path} answered {status}, which no document names"
        media_type, validator = answers[status]
        assert headers["Content-Type"] == media_type
        if method != "HEAD" and media_type == JSON:
            validator.validate(json.loads(text))


def _pattern(path: str, table: Mapping[str, Any]) -> str:
    """The path of the route that serves this path, the most literal one; empty for none."""
    steps = [unquote(step) for step in path.rstrip("/").split("/")]
    fitting = [
        known
        for known in table
        if len(parts := known.rstrip("/").split("/")) == len(steps)
        and all(
            one == other or (other.startswith("{") and one)
            for one, other in zip(steps, parts, strict=True)
        )
    ]
    return min(fitting, key=lambda known: known.count("{"), default="")


@cache
def _answers(route: Route, method: str) -> Mapping[int, tuple[str, Any]]:
    """By status, the media type of an operation's answer and what validates its body."""
    verb = "GET" if method == "HEAD" else method
    made = document({"/": {verb: route}}, closed=True)
    answers = made["paths"]["/"][verb.lower()]["responses"]
    return {
        int(status): (
            media_type,
            jsonschema_rs.validator_for({**media["schema"], "components": made["components"]}),
        )
        for status, answer in answers.items()
        for media_type, media in answer["content"].items()
    }
