"""Replies of the local gateway: the application's as HTTP has them, and the gateway's own."""

import base64
import json
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, NamedTuple

import h11

WITHOUT_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
HOP_BY_HOP = frozenset({"connection", "content-length", "date", "keep-alive", "transfer-encoding"})


class Reply(NamedTuple):
    """An answer as it goes out."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def reply_of(answer: Mapping[str, Any]) -> Reply:
    """The application's answer as bytes."""
    body = answer.get("body") or b""
    if answer.get("isBase64Encoded"):
        body = base64.b64decode(body)
    elif isinstance(body, str):
        body = body.encode()
    headers = [
        (name, str(value))
        for name, value in (answer.get("headers") or {}).items()
        if name.lower() not in HOP_BY_HOP
    ]
    for name, values in (answer.get("multiValueHeaders") or {}).items():
        headers.extend((name, str(value)) for value in values)
    return Reply(answer["statusCode"], headers, body)


class Refused(Exception):
    """A request that the gateway answers by itself."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def envelope(message: str) -> bytes:
    """An error as the contract writes it [contract: Envelope]."""
    return json.dumps({"errors": {"": [message]}}, separators=(",", ":")).encode() + b"\n"


FAULT = Refused(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "Internal server error. If the problem persists, please contact the technical team.",
)


def head_of(reply: Reply, *, closes: bool) -> h11.Response:
    """The head of a reply. Raises LocalProtocolError when a header cannot be sent."""
    headers = [(name.encode(), value.strip().encode()) for name, value in reply.headers]
    if reply.status not in WITHOUT_BODY:
        headers.append((b"Content-Length", b"%d" % len(reply.body)))
        if reply.body and not any(name.lower() == b"content-type" for name, _ in headers):
            headers.append((b"Content-Type", b"application/json"))
    headers.append((b"Date", formatdate(usegmt=True).encode()))
    if closes:
        headers.append((b"Connection", b"close"))
    return h11.Response(status_code=reply.status, headers=headers, reason=_reason(reply.status))


def _reason(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
