"""Calls of the app as API Gateway makes them: one proxy event a request, no server.

Every answer is held against the API document: its status, media type and body are those that the
document names for the operation.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from chalice.local import LambdaContext

from chalicelib.foundation.http.application import Application
from ops.local import payload
from tests.documented import Documented


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.text)

    @property
    def data(self) -> Any:
        """What is in the envelope."""
        return self.json["data"]

    @property
    def errors(self) -> Any:
        """The map of errors."""
        return self.json["errors"]


class Caller:
    """Somebody who calls an app, with one key or none, from an address."""

    def __init__(
        self,
        app: Application,
        *,
        key: str | None = None,
        logas: str | None = None,
        source: str = "127.0.0.1",
    ) -> None:
        self._app = app
        self._source = source
        self._headers = {
            name: value
            for name, value in {"X-Api-Key": key, "X-Logas": logas}.items()
            if value is not None
        }
        self._documented = Documented(app)

    def get(self, path: str, **query: object) -> Answer:
        """GET, with the query added to the path."""
        asked = f"{path}?{urlencode(query, doseq=True)}" if query else path
        return self.send("GET", asked)

    def post(self, path: str, element: object) -> Answer:
        """POST of the envelope round one element."""
        return self.send("POST", path, json.dumps({"data": [element]}))

    def put(self, path: str, element: object) -> Answer:
        """PUT of the envelope round one element."""
        return self.send("PUT", path, json.dumps({"data": [element]}))

    def send(
        self,
        method: str,
        path: str,
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Any request: `path` may have a query, and is percent-encoded as it would be sent."""
        content = body.encode() if isinstance(body, str) else body or b""
        sent = {**self._headers, **(headers or {})}
        bare, _, query = path.partition("?")
        text, encoded = payload.text(content, sent.get("Content-Type", ""))
        event = payload.event(
            method,
            payload.decoded(bare),
            query,
            sent,
            text,
            encoded=encoded,
            source=self._source,
            request_id="r",
        )
        answer = self._app(event, LambdaContext("api", 256))
        came = Answer(answer["statusCode"], answer["headers"], answer["body"])
        self._documented.check(method, path, came.status, came.headers, came.text)
        return came
