"""Bodies in, replies out, refusals to statuses: the one place for HTTP.

A request passes the body gate, the route, the key, the role and the view, in this order (letaxi-api
2.2). `Routes` collects the views of one domain, each with the schemas that read its requests and the
shapes of its answers, from which `openapi` makes the API document; `Registry` is the Chalice
application that serves them. API Gateway answers by itself for paths and verbs that it does not know, so every verb of
every path is registered, and a last route takes what no other matches.
"""

import base64
import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec
from chalice import Chalice, Response
from marshmallow import Schema, ValidationError, fields
from msgspec import Struct, field

from chalicelib.foundation import clock, errors
from chalicelib.foundation.http.json_schema import Answers
from chalicelib.foundation.observe import logs, metrics, tracing
from chalicelib.foundation.settings import settings
from chalicelib.foundation.values import replace
from chalicelib.taxis.access import service as access
from chalicelib.taxis.access.rules import Account, Role
from chalicelib.taxis.activity import service as activity
from chalicelib.taxis.activity.rules import Action, Activity, Pending, Resource

VERBS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
WITH_BODY = frozenset({"PATCH", "POST", "PUT"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
EVERY_PATH = "/{proxy+}"

NOT_FOUND = "API endpoint not found."

JSON = "application/json"
HTML = "text/html; charset=utf-8"

# These three are declared with a slash in the reference, which knows no other verb for them without
# one (letaxi-api 4.1).
SLASHED = frozenset({"/geotaxi", "/hails", "/users"})

_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,64}")

log = logging.getLogger("maraude.web")


class MethodRefused(errors.Refusal):
    """The path is known, the verb is not for it."""


class BodyUnreadable(errors.Malformed):
    """The body is not JSON, or is not said to be."""


class Invalid(errors.Malformed):
    """What was sent is not as the contract says; `tree` is the contract's map of errors."""

    def __init__(self, tree: Mapping[Any, Any]) -> None:
        super().__init__()
        self.tree = tree


class RoleMissing(errors.Forbidden):
    """The account has none of the roles that the route takes."""


class EndpointUnknown(errors.Unknown):
    """No route has this path."""


class BodyTooLarge(errors.TooLarge):
    """The body is longer than `body_limit_bytes`."""


# The first kind that a refusal is of gives its status.
STATUSES: tuple[tuple[type[errors.Refusal], int], ...] = (
    (MethodRefused, 405),
    (errors.Malformed, 400),
    (errors.Unidentified, 401),
    (errors.Forbidden, 403),
    (errors.Unknown, 404),
    (errors.Conflict, 409),
    (errors.TooLarge, 413),
    (errors.TooMany, 429),
    (errors.Unavailable, 503),
)

T = TypeVar("T")


class PageNumber(fields.Raw):
    """The parameter `p` in the query of a list, which `Request.page` reads (letaxi-api 5)."""

    def described(self) -> dict[str, object]:
        """What the API document says of it."""
        return {"type": "integer", "default": 1, "description": "The page, from 1."}


class Paged(Schema):
    """The query of a list that has no filters."""

    p = PageNumber()


class Nothing(Schema):
    """The query of what takes no parameters."""


View = Callable[..., "Reply"]


class Noted(Struct):
    """What the log says of a request: its route as the API document has it, and its account's id."""

    route: str
    account_id: int | None = None


class Route(Struct, frozen=True, eq=False):
    """One verb of one path: who may ask, what is read, and what may come back.

    `roles` None: no key is asked for; empty: any account will do. `body` reads the one element of
    `data`; where `body_required` is false, `{}` stands for an element with nothing in it (letaxi-api
    4). `query` reads the parameters, `headers` says what other headers mean. `answers` None: a path
    that only seems to be another one, and is in no document. `refuses` are the refusals of this
    route's own, beside those that every route has.
    """

    view: View
    roles: frozenset[Role] | None
    body: Schema | None = None
    body_required: bool = True
    query: Schema | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    answers: Answers | None = None
    refuses: Sequence[type[errors.Refusal]] = ()


def _declared(schema: Schema | None, path: str) -> Schema:
    if schema is None:
        raise LookupError(f"{path} does not say what it reads")
    return schema


class Request(Struct, frozen=True):
    """One request, read once. Header names are in lower case; `body` is the JSON, None without one."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    body: object
    now: datetime
    id: str
    source: str  # the address that it came from
    noted: Noted
    route: Route | None = None  # that serves it
    account: Account | None = None
    entry: Pending | None = (
        None  # of the journal, to go with the view's own transaction if it has one
    )

    @property
    def _served_by(self) -> Route:
        if self.route is None:
            raise LookupError(f"{self.path} has not reached a route")
        return self.route

    @property
    def viewer(self) -> Account:
        """The account that the request is made as; only where the route asks for a key."""
        if self.account is None:
            raise LookupError(f"{self.path} takes no key, so there is no viewer")
        return self.account

    def one(self) -> Any:  # noqa: ANN401  # what the schema makes
        """The one element of the body's `data`, as the route's schema makes it. Raises Invalid."""
        route = self._served_by
        schema = _declared(route.body, self.path)
        body = self.body
        if not isinstance(body, dict):
            raise Invalid({"_schema": ["Invalid input type."]})
        faults: dict[str, Any] = {name: ["Unknown field."] for name in body if name != "data"}
        element: object = {}
        if "data" not in body:
            if route.body_required:
                faults["data"] = ["Missing data for required field."]
        elif (wrong := _not_one(body["data"])) is not None:
            faults["data"] = [wrong]
        else:
            element = body["data"][0]
        loaded: object = None
        if "data" not in faults:
            if element is None:
                faults["data"] = {"0": ["Field may not be null."]}
            else:
                try:
                    loaded = schema.load(element)  # type: ignore[arg-type]  # it refuses what it cannot take
                except ValidationError as error:
                    faults["data"] = {"0": error.messages_dict}
        if faults:
            raise Invalid(faults)
        return loaded

    def asked(self) -> Any:  # noqa: ANN401
        """The query, as the route's schema makes it; raises Invalid.

        Of a parameter that is no list the first value counts.
        """
        schema = _declared(self._served_by.query, self.path)
        known = schema.fields
        values = {
            name: list(given) if isinstance(known.get(name), fields.List) else given[0]
            for name, given in self.query.items()
        }
        try:
            return schema.load(values)
        except ValidationError as error:
            raise Invalid(error.messages_dict) from None

    def page(self) -> int:
        """The page asked for by `p`, from 1 (letaxi-api 5). Raises Invalid."""
        given = self.query.get("p", ("1",))
        if len(given) > 1:
            raise Invalid({"p": ["Argument `p` is specified more than once"]})
        try:
            return max(1, int(given[0]))
        except ValueError:
            raise Invalid({"p": {"0": ["Not a valid integer."]}}) from None


def _not_one(data: object) -> str | None:
    """What is wrong with `data` as a list of exactly one element."""
    if data is None:
        return "Field may not be null."
    if not isinstance(data, list):
        return "Not a valid list."
    if len(data) != 1:
        return "data should be a list of one element."
    return None


class Reply(Struct, frozen=True):
    """What is sent back. `body` is text as it goes out."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


def encode(value: object) -> str:
    """JSON as the contract writes it: sorted keys, ASCII, no spaces, a newline at the end."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False) + "\n"


def reply(data: Sequence[object], *, status: int = 200, **beside: object) -> Reply:
    """The contract's envelope round a list, with `meta` or `debug` beside it."""
    return Reply(status, encode({"data": data, **beside}), {"Content-Type": JSON})


PAGE_SIZE = 30


def meta(*, page: int, total: int, per_page: int = PAGE_SIZE) -> dict[str, int | None]:
    """The `meta` of a page of a list of `total` elements (letaxi-api 5)."""
    pages = -(-total // per_page)
    return {
        "next_page": page + 1 if page < pages else None,
        "prev_page": page - 1 if page > 1 else None,
        "per_page": per_page,
        "pages": pages,
        "total": total,
    }


def _tree(refusal: errors.Refusal) -> Mapping[Any, Any]:
    """The contract's map of errors for a refusal."""
    if isinstance(refusal, Invalid):
        return refusal.tree
    tree: dict[str, Any] = {}
    for fault in refusal.faults:
        place = tree
        for step in fault.at[:-1]:
            place = place.setdefault(step, {})
        place.setdefault(fault.at[-1], []).append(fault.message)
    return tree


def _texts(tree: object) -> object:
    """The same tree with every key as text: marshmallow counts list elements with integers."""
    if isinstance(tree, Mapping):
        return {str(key): _texts(value) for key, value in tree.items()}
    return tree


def status_of(refusal: type[errors.Refusal]) -> int:
    """The status that a kind of refusal is answered with."""
    return next(status for kind, status in STATUSES if issubclass(refusal, kind))


def refused(refusal: errors.Refusal) -> Reply:
    """A refusal as it goes out."""
    status = status_of(type(refusal))
    headers = {"Content-Type": JSON}
    if status in (401, 403):
        # An empty scheme and a leading space: what the reference sends (letaxi-api 2.1).
        headers["WWW-Authenticate"] = ' realm="Authentication Required"'
    if isinstance(refusal, errors.TooMany):
        headers["Retry-After"] = str(refusal.retry_after_s)
    return Reply(status, encode({"errors": _texts(_tree(refusal))}), headers)


class Routes:
    """The views of one domain: path to verb to route."""

    def __init__(self) -> None:
        self.table: dict[str, dict[str, Route]] = {}

    def _route(
        self,
        verb: str,
        path: str,
        roles: Iterable[Role] | None,
        **says: Any,  # noqa: ANN401  # the rest of a Route's fields
    ) -> Callable[[View], View]:
        def register(view: View) -> View:
            known = None if roles is None else frozenset(roles)
            verbs = self.table.setdefault(path, {})
            verbs[verb] = Route(view, known, **says)
            if verb == "GET":
                verbs["HEAD"] = verbs[verb]
            return view

        return register

    def get(
        self,
        path: str,
        *,
        roles: Iterable[Role] | None,
        query: Schema | None = None,
        answers: Answers | None = None,
        refuses: Sequence[type[errors.Refusal]] = (),
    ) -> Callable[[View], View]:
        """A view for GET and HEAD. The arguments are the fields of `Route`."""
        return self._route("GET", path, roles, query=query, answers=answers, refuses=refuses)

    def post(
        self,
        path: str,
        *,
        roles: Iterable[Role] | None,
        body: Schema | None = None,
        headers: Mapping[str, str] | None = None,
        answers: Answers | None = None,
        refuses: Sequence[type[errors.Refusal]] = (),
    ) -> Callable[[View], View]:
        """A view for POST."""
        says = {"body": body, "headers": headers or {}, "answers": answers, "refuses": refuses}
        return self._route("POST", path, roles, **says)

    def put(
        self,
        path: str,
        *,
        roles: Iterable[Role] | None,
        body: Schema | None = None,
        body_required: bool = True,
        answers: Answers | None = None,
        refuses: Sequence[type[errors.Refusal]] = (),
    ) -> Callable[[View], View]:
        """A view for PUT."""
        says = {"body_required": body_required, "answers": answers, "refuses": refuses}
        return self._route("PUT", path, roles, body=body, **says)


_request: ContextVar[Request] = ContextVar("request")


class Registry(Chalice):
    """The Chalice application: one entry point whose every answer is in the contract's envelope."""

    def __init__(self, app_name: str) -> None:
        super().__init__(app_name, configure_logs=False)
        self.table: dict[str, dict[str, Route]] = {}

    def serve(self, *domains: Routes) -> None:
        """Registers the domains' routes, each path with every verb, and the path for all others."""
        for domain in domains:
            for path, verbs in domain.table.items():
                self.table.setdefault(path, {}).update(verbs)
        for path in self.table:
            self._register(path)
        self._register(EVERY_PATH)

    def _register(self, path: str) -> None:
        def view(**parameters: str) -> Response:
            answer = self._answer(path, parameters, _request.get())
            return Response(answer.body, dict(answer.headers), answer.status)

        # Chalice counts a view's arguments by its signature; ours takes what the path names.
        names = [part[1:-1].rstrip("+") for part in path.split("/") if part.startswith("{")]
        view.__signature__ = _signature(names)  # type: ignore[attr-defined]
        view.__name__ = f"serve {path}"
        self.route(path, methods=list(VERBS), content_types=["*/*"])(view)

    def __call__(self, event: Mapping[str, Any], context: object) -> Any:  # noqa: ANN401
        """Answers one API Gateway proxy event. Never raises: a fault of ours is a logged JSON 500.

        Prints one line of metrics, which is also the log's line on the request.
        """
        tracing.begin()
        with metrics.one_line():
            return self._metered(event, context)

    def _metered(self, event: Mapping[str, Any], context: object) -> Any:  # noqa: ANN401
        started = time.perf_counter()
        request_id = _request_id(event)
        about = event["requestContext"]
        method = about["httpMethod"]
        noted = Noted(self._label(method, about.get("resourcePath") or ""))
        answer = self._envelope(event, context, request_id, noted)
        status = answer["statusCode"]
        metrics.emit(
            {"route": noted.route},
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
                "account": noted.account_id,
            },
        )
        return answer

    def _label(self, method: str, path: str) -> str:
        """A route's name in metrics: few, whatever is asked for."""
        if method == "OPTIONS":
            return method
        return f"{method} {path}" if method in self.table.get(path, ()) else "none"

    def _envelope(
        self, event: Mapping[str, Any], context: object, request_id: str, noted: Noted
    ) -> dict[str, Any]:
        """The answer in the contract's envelope, whatever became of the request."""
        method = event["requestContext"]["httpMethod"]
        path = event.get("path") or event["requestContext"]["path"]
        try:
            _request.set(_read(event, method, path, request_id, noted))
            answer: dict[str, Any] = super().__call__(event, context)
            if answer["statusCode"] == 500 and '"errors"' not in answer["body"]:
                # A fault in a view is answered in `_answer`; this one is in Chalice or in between.
                raise RuntimeError("Chalice could not serve the request")
        except errors.Refusal as refusal:
            sent = refused(refusal)
            answer = Response(sent.body, dict(sent.headers), sent.status).to_dict()
        except Exception as error:  # noqa: BLE001  # whatever it is, it is answered and logged
            logs.fault(log, error, "request_failed", request_id=request_id, route=noted.route)
            sent = _fault(request_id)
            answer = Response(sent.body, dict(sent.headers), sent.status).to_dict()
        answer["headers"] = {
            **answer.get("headers", {}),
            **_cors(event),
            "X-Request-Id": request_id,
        }
        if method == "HEAD":
            answer["body"] = ""
        return answer

    def _answer(self, path: str, parameters: Mapping[str, str], request: Request) -> Reply:
        """The reply to a request that passed the body gate. A refusal is a reply, a fault a 500."""
        try:
            if path == EVERY_PATH:
                path, parameters = self._found(request.path)
                request.noted.route = self._label(request.method, path)
            verbs = self.table[path]
            if request.method == "OPTIONS":
                return Reply(200, "", {"Content-Type": HTML})
            route = verbs.get(request.method)
            if route is None and request.path in SLASHED:
                raise EndpointUnknown(errors.in_url(NOT_FOUND))
            if route is None:
                accepted = ", ".join(sorted({*verbs, "OPTIONS"}))
                raise MethodRefused(
                    errors.in_url(f"This endpoint only accepts requests of type: {accepted}.")
                )
            return _served(route, request, parameters)
        except errors.Refusal as refusal:
            return refused(refusal)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is answered and logged
            logs.fault(
                log, error, "request_failed", request_id=request.id, route=request.noted.route
            )
            return _fault(request.id)

    def _found(self, path: str) -> tuple[str, Mapping[str, str]]:
        """The route of a path that the gateway did not match: with a trailing slash, or none.

        Raises EndpointUnknown.
        """
        parts = [unquote(part) for part in path.rstrip("/").split("/")]
        for route in sorted(self.table, key=lambda known: known.count("{")):
            wanted = route.rstrip("/").split("/")
            if len(wanted) == len(parts) and all(
                one == other or (other.startswith("{") and one)
                for one, other in zip(parts, wanted, strict=True)
            ):
                return route, {
                    other[1:-1]: one
                    for one, other in zip(parts, wanted, strict=True)
                    if other.startswith("{")
                }
        raise EndpointUnknown(errors.in_url(NOT_FOUND))


def _signature(names: Sequence[str]) -> Any:  # noqa: ANN401
    import inspect  # noqa: PLC0415  # only while routes are registered

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter(name, kind) for name in names])


def _served(route: Route, request: Request, parameters: Mapping[str, str]) -> Reply:
    """The view's reply, for a caller that is known and may ask. Raises a kind of Refusal."""
    if route.roles is None:
        return route.view(replace(request, route=route), **parameters)
    caller = access.recognize(
        key=request.headers.get("x-api-key"),
        logas=request.headers.get("x-logas"),
        now=request.now,
    )
    request.noted.account_id = caller.account.id
    entry = _journal_entry(request, caller)
    try:
        if route.roles and not caller.account.has(*route.roles):
            raise RoleMissing(
                errors.in_request("You do not have enough permissions to access this ressource.")
            )
        asked = replace(request, route=route, account=caller.account, entry=entry)
        return route.view(asked, **parameters)
    finally:
        # It stays, whatever became of the request (letaxi-api 2).
        if entry is not None and not entry.kept:
            activity.record(entry.activity)


def _journal_entry(request: Request, caller: access.Caller) -> Pending | None:
    """The journal's entry of a request that may change something (letaxi-api 2)."""
    if request.method in SAFE:
        return None
    extra = {"method": request.method, "location": request.path}
    if caller.account.id != caller.owner.id:
        action, extra["apikey_belongs_to"] = Action.AUTH_LOGAS, str(caller.owner.id)
    elif request.path.rstrip("/") == "/geotaxi":
        return None  # a fleet reports every few seconds
    else:
        action = Action.AUTH_APIKEY
    return Pending(Activity(request.now, Resource.USER, str(caller.account.id), action, extra))


def _request_id(event: Mapping[str, Any]) -> str:
    """The caller's own id where it is a plain one, so that both sides' logs agree; else a new one."""
    given = _header(event, "x-request-id")
    return given if _PLAIN.fullmatch(given) else uuid.uuid4().hex


def _header(event: Mapping[str, Any], name: str) -> str:
    """The first value of a header, by its name in lower case; empty where it is absent."""
    for given, value in (event.get("headers") or {}).items():
        if given.lower() == name:
            return str(value)
    return ""


def _cors(event: Mapping[str, Any]) -> dict[str, str]:
    """The CORS headers of every answer, and more for a preflight (letaxi-api 6)."""
    headers = {
        "Access-Control-Allow-Origin": _header(event, "origin") or "*",
        "Vary": "Origin, Cookie",
    }
    if event["requestContext"]["httpMethod"] == "OPTIONS":
        headers["Access-Control-Allow-Methods"] = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
        asked = _header(event, "access-control-request-headers")
        if asked:
            headers["Access-Control-Allow-Headers"] = asked
    return headers


def _read(
    event: Mapping[str, Any], method: str, path: str, request_id: str, noted: Noted
) -> Request:
    """The request of an event. Raises BodyUnreadable, Invalid, BodyTooLarge: the body gate."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    return Request(
        method=method,
        path=path,
        headers=headers,
        query=event.get("multiValueQueryStringParameters") or {},
        body=_body(event, method, headers) if method in WITH_BODY else None,
        now=clock.now(),
        id=request_id,
        source=event["requestContext"].get("identity", {}).get("sourceIp") or "",
        noted=noted,
    )


_NOT_JSON = "No data provided, or data is not valid JSON."


def parsed(sent: bytes) -> object:
    """What JSON stands for. Raises ValueError, RecursionError.

    msgspec reads it in a quarter of the time. What it refuses and `json` does not is left to that
    one: `NaN`, numbers beyond a double, a byte order mark, UTF-16.
    """
    try:
        return msgspec.json.decode(sent)
    except (ValueError, RecursionError):
        read: object = json.loads(sent)
        # A lone surrogate is JSON, but no text: nothing could store it or send it back.
        json.dumps(read, ensure_ascii=False).encode()
        return read


def _body(event: Mapping[str, Any], method: str, headers: Mapping[str, str]) -> object:
    """The JSON object that was sent. The gate stands before routing and keys (letaxi-api 2.2)."""
    said = headers.get("content-type", JSON)
    if JSON not in said.lower():
        raise BodyUnreadable(
            errors.in_request(
                f"{method} requests require to set the Content-Type header to application/json"
            )
        )
    raw = event.get("body") or ""
    try:
        if event.get("isBase64Encoded"):
            sent = base64.b64decode(raw)
        else:
            sent = raw if isinstance(raw, bytes) else raw.encode()  # Chalice's test client: bytes
        if len(sent) > settings().body_limit_bytes:
            raise BodyTooLarge(
                errors.in_request(f"The body is over {settings().body_limit_bytes} bytes.")
            )
        body = parsed(sent)
    except (ValueError, RecursionError):
        raise BodyUnreadable(errors.in_request(_NOT_JSON)) from None
    if not isinstance(body, dict):
        raise Invalid({"_schema": ["Invalid input type."]})
    return body


FAULT = "Internal server error. If the problem persists, please contact the technical team."


def _fault(request_id: str) -> Reply:
    """The answer to a fault of ours; the log has the same id."""
    text = f"{FAULT} (request {request_id})"
    return Reply(500, encode({"errors": {"": [text]}}), {"Content-Type": JSON})
