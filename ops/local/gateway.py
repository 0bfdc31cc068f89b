"""Requests to events, to the application, and back: what API Gateway's HTTP API does with them on AWS.

The application is handed the same events (`payload.py`), whatever the path; `server.py` speaks HTTP.
"""

from collections.abc import Mapping
from typing import Any

from chalice import Chalice
from chalice.local import LambdaContext, LocalChalice

from ops.local import payload

MEMORY_MB, TIMEOUT_MS = 1024, 30_000  # of the API's function


class Gateway:
    """Requests to events, to the application, and back. One for all threads."""

    def __init__(self, app: Chalice) -> None:
        self._app = _thread_safe(app)

    def handle_request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, *, source: str
    ) -> dict[str, Any]:
        """The application's answer to a request, as API Gateway takes it. `source`: the address that it came from."""
        path, _, query = target.partition("?")
        text, encoded = payload.text(body, headers.get("content-type", ""))
        context = LambdaContext(self._app.app_name, MEMORY_MB, max_runtime_ms=TIMEOUT_MS)
        event = payload.event(
            method,
            payload.decoded(path),
            query,
            headers,
            text,
            encoded=encoded,
            source=source,
            request_id=context.aws_request_id,
        )
        answer: dict[str, Any] = self._app(event, context)
        return answer


def _thread_safe(app: Chalice) -> Chalice:
    """The application, with a `current_request` for each thread, as `chalice local` has it."""
    if not isinstance(app, LocalChalice):
        app.__class__ = type("Served", (LocalChalice, type(app)), {})
    return app
