"""The public contract of le.taxi, as far as all of its operations share it.

A request passes the limit of its address, the body gate, the route, the key, the role and the view, in this order [contract: Order of checks]; errors are a tree with the fields as they were sent [contract: Envelope].
"""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import msgspec

from chalicelib.foundation import cache, errors
from chalicelib.foundation.errors import Part
from chalicelib.foundation.http.contract import Contract
from chalicelib.foundation.http.refusals import (
    NOT_FOUND,
    BodyTooLarge,
    BodyUnreadable,
    EndpointUnknown,
    Invalid,
    RoleMissing,
    listed,
    status_of,
)
from chalicelib.foundation.http.replies import HTML, JSON, Reply, encode
from chalicelib.foundation.http.requests import Request as AnyRequest
from chalicelib.foundation.http.routes import Route
from chalicelib.foundation.rate_limit.sources import sources
from chalicelib.taxis.access import service as access
from chalicelib.taxis.activity import service as activity
from chalicelib.taxis.envelope import Request
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import Action, Activity, Pending, Resource

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

# These three are declared with a slash in the reference, which knows no other verb for them without
# one [contract: Unknown routes and verbs].
SLASHED = frozenset({"/geotaxi", "/hails", "/users"})

# Their answers have API keys in them, so that a key that was rotated away must not be remembered here.
SHOW_KEYS = frozenset({"/users", "/users/{user_id}"})

# The headers of a request that change what is answered; the reference names the first two.
DEPENDS_ON = ("Origin", "Cookie", "X-Api-Key", "X-Logas")

FAULT = "Internal server error. If the problem persists, please contact the technical team."

_NOT_JSON = "No data provided, or data is not valid JSON."

_AT = {Part.BODY: ("data", "0"), Part.URL: ("url",), Part.REQUEST: ("",)}


class LeTaxi(Contract):
    """The contract of the taxi registry's API."""

    def body(self, method: str, headers: Mapping[str, str], sent: bytes) -> object:
        """The JSON object that was sent. The gate stands before routing and keys [contract: Order of checks]."""
        content_type = headers.get("content-type", JSON)
        if JSON not in content_type.lower():
            raise BodyUnreadable(
                errors.in_request(
                    f"{method} requests require to set the Content-Type header to application/json"
                )
            )
        limit = settings().body_limit_bytes
        if len(sent) > limit:
            raise BodyTooLarge(errors.in_request(f"The body is over {limit} bytes."))
        try:
            body = parsed(sent)
        except (ValueError, RecursionError):
            raise BodyUnreadable(errors.in_request(_NOT_JSON)) from None
        if not isinstance(body, dict):
            raise Invalid({"_schema": ["Invalid input type."]})
        return body

    def admit(
        self,
        route: Route | None,
        *,
        method: str,
        headers: Mapping[str, str],
        source: str,
        length: int,
        now: datetime,
    ) -> None:
        """Counts, by its address, what no key of an account vouches for [contract: Order of checks].

        A path that asks for no key looks at none. A preflight never has one, and is no dearer than a refusal.
        """
        is_public = route is not None and route.roles is None
        if method != "OPTIONS" and (is_public or not access.is_familiar(headers.get("x-api-key"))):
            sources.take(source, length, now=now)

    def serve(self, route: Route, request: AnyRequest) -> Reply:
        """The view's reply, for an account that is known and has one of the roles.

        What may change something stays in the journal, and who reads as another; whatever becomes of it [contract: Journal of requests].
        """
        if route.roles is None:
            reply = route.view(_of(request, route), **request.named)
            sources.charge(request.source, len(reply.body), now=request.now)
            return reply
        caller = access.recognize(
            key=request.headers.get("x-api-key"),
            logas=request.headers.get("x-logas"),
            now=request.now,
            anew=request.pattern in SHOW_KEYS,
        )
        request.log_line.account_id = caller.account.id
        if caller.owner.id != caller.account.id:
            request.log_line.key_owner_id = caller.owner.id
        entry = _journal_entry(request, caller)
        try:
            if route.roles and not caller.account.has(*route.roles):
                raise RoleMissing(
                    errors.in_request(
                        "You do not have enough permissions to access this ressource."
                    )
                )
            prepared = _of(request, route, account=caller.account, entry=entry)
            return route.view(prepared, **request.named)
        finally:
            if entry is not None and (left := entry.left()):
                activity.record(*left)

    def refused(self, refusal: errors.Refusal) -> Reply:
        """A refusal as it goes out."""
        status = status_of(type(refusal))
        headers = {"Content-Type": JSON}
        if status in (401, 403):
            # An empty scheme and a leading space: what the reference sends [contract: Refusals of keys and roles].
            headers["WWW-Authenticate"] = ' realm="Authentication Required"'
        if isinstance(refusal, errors.TooMany):
            headers["Retry-After"] = str(refusal.retry_after_s)
        return Reply(status, encode({"errors": listed(_tree(refusal))}), headers)

    def fault(self, request_id: str) -> Reply:
        """The answer to a fault of ours."""
        text = f"{FAULT} (request {request_id})"
        return Reply(500, encode({"errors": {"": [text]}}), {"Content-Type": JSON})

    def headers(self, method: str, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The CORS headers of every answer, and more for a preflight; what caches may do [contract: CORS]."""
        found = {
            "Access-Control-Allow-Origin": headers.get("origin") or "*",
            "Vary": ", ".join(DEPENDS_ON),
        }
        if method == "OPTIONS":
            found["Access-Control-Allow-Methods"] = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
            found["Vary"] += ", Access-Control-Request-Headers"
            requested = headers.get("access-control-request-headers")
            if requested:
                found["Access-Control-Allow-Headers"] = requested
        if "x-api-key" in headers or method not in SAFE:
            # Account objects have a key in them, hails a phone number. Without a key and without changing
            # anything one sees what everybody sees.
            found["Cache-Control"] = "no-store"
        return found

    def preflight(self) -> Reply:
        """The reply to OPTIONS: its headers say all."""
        return Reply(200, "", {"Content-Type": HTML})

    def verb_unknown(self, path: str, verbs: Collection[str]) -> errors.Refusal:
        """405, or 404 where the reference knows the path with a slash only."""
        if path in SLASHED:
            return EndpointUnknown(errors.in_url(NOT_FOUND))
        return super().verb_unknown(path, verbs)


def _of(request: AnyRequest, route: Route, **more: Any) -> Request:  # noqa: ANN401  # fields of a Request
    """The request as the registry's views take it."""
    known = {name: getattr(request, name) for name in AnyRequest.__struct_fields__}
    return Request(**{**known, "route": route, **more})


# Who has read what as whom. An app that polls as another account is one line each `READ_S`, in each process.
READ_S = 600
_read: cache.Memory[tuple[int, int, str], datetime] = cache.Memory(
    lambda: 4096, lambda: float(READ_S)
)


def _journal_entry(request: AnyRequest, caller: access.Caller) -> Pending | None:
    """The journal's entry of a request that may change something, or reads as another [contract: Journal of requests]."""
    if request.method in SAFE:
        reading = (caller.owner.id, caller.account.id, request.path)
        if caller.account.id == caller.owner.id or _read.get(reading):
            return None
        _read.put(reading, request.now)
    extra = {"method": request.method, "location": request.path}
    if caller.account.id != caller.owner.id:
        action, extra["apikey_belongs_to"] = Action.AUTH_LOGAS, str(caller.owner.id)
    elif request.path.rstrip("/") == "/geotaxi":
        return None  # a fleet reports every few seconds
    else:
        action = Action.AUTH_APIKEY
    return Pending(Activity(request.now, Resource.USER, str(caller.account.id), action, extra))


def parsed(sent: bytes) -> object:
    """Parses JSON. Raises ValueError, RecursionError.

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


def _tree(refusal: errors.Refusal) -> Mapping[Any, Any]:
    """The contract's map of errors for a refusal."""
    if isinstance(refusal, Invalid):
        return refusal.tree
    tree: dict[str, Any] = {}
    for fault in refusal.faults:
        *way, last = (*_AT[fault.part], *fault.steps)
        place = tree
        for step in way:
            place = place.setdefault(step, {})
        place.setdefault(last, []).append(fault.message)
    return tree
