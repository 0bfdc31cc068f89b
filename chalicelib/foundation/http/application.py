"""The Chalice application of a service: one entry point for all of its paths.

The gateway in front has one route for everything, so the application finds the view by itself, and its
answers depend on no gateway's spelling of paths and parameters. Whatever becomes of a request, the answer
is one of the service's contract.
"""

import base64
import logging
import re
import time
import uuid
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from chalice import Chalice, Response

from chalicelib.foundation import clock, errors
from chalicelib.foundation.http.contract import Contract, Event
from chalicelib.foundation.http.replies import Reply
from chalicelib.foundation.http.requests import LogLine, Request
from chalicelib.foundation.http.routes import WITH_BODY, Match, Route, Router, Routes
from chalicelib.foundation.observe import logs, metrics, tracing

EVERY_PATH = "/{proxy+}"

_PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

log = logging.getLogger("maraude.http")

_request: ContextVar[Request] = ContextVar("request")
_reply: ContextVar[Reply | None] = ContextVar("reply")  # None until the view has been asked


class Application(Chalice):
    """One service's paths behind one Lambda function."""

    def __init__(self, name: str, contract: Contract) -> None:
        super().__init__(name, configure_logs=False)
        self.contract = contract
        self.table: dict[str, dict[str, Route]] = {}
        self._router = Router(())

        @self.route(EVERY_PATH, content_types=["*/*"])
        def serve() -> Response:
            reply = self._answer(_request.get())
            _reply.set(reply)
            return Response(reply.body, dict(reply.headers), reply.status)

    def serve(self, *domains: Routes) -> None:
        """Adds the routes of some domains."""
        for domain in domains:
            for path, verbs in domain.table.items():
                self.table.setdefault(path, {}).update(verbs)
        self._router = Router(self.table)

    def __call__(self, event: Event, context: object) -> Any:  # noqa: ANN401  # Chalice's own
        """Answers one proxy event. Never raises: a fault of ours is logged and answered as one.

        Prints one line of metrics, which is also the log's line on the request.
        """
        tracing.begin()
        with metrics.one_line():
            return self._metered(event, context)

    def _metered(self, event: Event, context: object) -> dict[str, Any]:
        started = time.perf_counter()
        headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        request_id = _request_id(headers)
        line = LogLine("none")
        answer = self._enveloped(event, context, headers, request_id, line)
        method, status = event["requestContext"]["httpMethod"], answer["statusCode"]
        metrics.emit(
            {"route": line.route},
            counts={
                "requests": 1,
                "requests_refused": 1 if 400 <= status < 500 else 0,
                "requests_failed": 1 if status >= 500 else 0,
            },
            milliseconds={"latency_ms": 1000 * (time.perf_counter() - started)},
            in_total=True,
            about={
                "request_id": request_id,
                "lambda_id": getattr(context, "aws_request_id", None),
                "method": method,
                "status": status,
                "account": line.account_id,
                "key_owner": line.key_owner_id,
            },
        )
        return answer

    def _enveloped(
        self,
        event: Event,
        context: object,
        headers: Mapping[str, str],
        request_id: str,
        line: LogLine,
    ) -> dict[str, Any]:
        """The answer, whatever became of the request, with the headers that all have."""
        about = event["requestContext"]
        method = about["httpMethod"]
        try:
            _request.set(self._read(event, headers, request_id, line))
            _reply.set(None)
            # Chalice finds the view by what the gateway says; ours is the same for every path and verb.
            known = {"resourcePath": EVERY_PATH, "httpMethod": "GET"}
            one = {**event, "requestContext": {**about, **known}}
            answer: dict[str, Any] = super().__call__(one, context)
            if _reply.get() is None:
                # A fault in a view is answered in `_answer`; this one is in Chalice or in between.
                raise RuntimeError("Chalice could not serve the request")
        except errors.Refusal as refusal:
            answer = _sent(self.contract.refused(refusal))
        except Exception as error:  # noqa: BLE001  # whatever it is, it is answered and logged
            logs.fault(log, error, "request_failed", request_id=request_id, route=line.route)
            answer = _sent(self.contract.fault(request_id))
        answer["headers"] = {
            **self.own_headers(method, headers, request_id=request_id),
            **answer.get("headers", {}),  # a view may say otherwise how long its answer is good
        }
        if method == "HEAD":
            answer["body"] = ""
        return answer

    def own_headers(
        self, method: str, headers: Mapping[str, str], *, request_id: str = ""
    ) -> dict[str, str]:
        """The headers that every answer to a request of these headers (names in lower case) has.

        A gateway asks for them, too, where it answers by itself.
        """
        own = self.contract.headers(method, headers)
        return {**own, "X-Request-Id": request_id or _request_id(headers)}

    def _label(self, method: str, found: Match | None) -> str:
        """A route's name in metrics: few, whatever is asked for."""
        if method == "OPTIONS":
            return method
        return f"{method} {found[0]}" if found and method in self.table[found[0]] else "none"

    def _read(
        self, event: Event, headers: Mapping[str, str], request_id: str, line: LogLine
    ) -> Request:
        """The request of an event; its route goes into the log line. Raises what the contract refuses a body with."""
        about = event["requestContext"]
        # The context has a path, too: of some gateways with their stage before it.
        method, path = about["httpMethod"], event["path"]
        found = self._router.match(path)
        line.route = self._label(method, found)
        pattern, named = found or (None, {})
        source, now = about.get("identity", {}).get("sourceIp") or "", clock.now()
        route = self.table[pattern].get(method) if pattern is not None else None
        self.contract.admit(
            route,
            method=method,
            headers=headers,
            source=source,
            length=len(event.get("body") or ""),
            now=now,
        )
        return Request(
            method=method,
            path=path,
            headers=headers,
            query=event.get("multiValueQueryStringParameters") or {},
            body=self.contract.body(method, headers, _bytes(event))
            if method in WITH_BODY
            else None,
            now=now,
            id=request_id,
            source=source,
            log_line=line,
            pattern=pattern,
            named=named,
        )

    def _answer(self, request: Request) -> Reply:
        """The reply to a request whose body is read. A refusal is a reply, a fault a 500."""
        try:
            if request.pattern is None:
                raise self.contract.unknown(request.path)
            verbs = self.table[request.pattern]
            if request.method == "OPTIONS":
                return self.contract.preflight()
            route = verbs.get(request.method)
            if route is None:
                raise self.contract.verb_unknown(request.path, verbs)
            return self.contract.serve(route, request)
        except errors.Refusal as refusal:
            return self.contract.refused(refusal)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is answered and logged
            logs.fault(
                log, error, "request_failed", request_id=request.id, route=request.log_line.route
            )
            return self.contract.fault(request.id)


def _sent(reply: Reply) -> dict[str, Any]:
    answer: dict[str, Any] = Response(reply.body, dict(reply.headers), reply.status).to_dict()
    return answer


def _request_id(headers: Mapping[str, str]) -> str:
    """The caller's own id where it is a plain one, so that both sides' logs agree; else a new one."""
    given = str(headers.get("x-request-id", ""))
    return given if _PLAIN_ID.fullmatch(given) else uuid.uuid4().hex


def _bytes(event: Event) -> bytes:
    """The body of an event, as it was sent; nothing where the event has damaged it."""
    sent = event.get("body") or b""
    if event.get("isBase64Encoded"):
        try:
            return base64.b64decode(sent)
        except ValueError:
            return b""
    # Chalice's test client gives bytes. What is no text is refused by who reads the body.
    return sent.encode("utf-8", "surrogatepass") if isinstance(sent, str) else bytes(sent)
