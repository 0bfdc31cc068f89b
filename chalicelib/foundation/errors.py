"""The kinds of refusal. A domain derives its own from them; only `http/refusals.py` knows their statuses.

A refusal carries faults, and a fault says where the caller went wrong. How that is told is the
contract's of a service.
"""

from enum import StrEnum

from msgspec import Struct


class Part(StrEnum):
    """A part of a request."""

    BODY = "body"
    URL = "url"
    REQUEST = "request"  # as a whole: its headers, its key, its size


class Fault(Struct, frozen=True):
    """One thing that is wrong, and where: a part of the request and the steps to a field of it."""

    part: Part
    steps: tuple[str, ...]
    message: str


def in_body(field: str, message: str) -> Fault:
    """A fault of the body; `field` is dotted (`ads.insee`), or `""` for all of it."""
    return Fault(Part.BODY, tuple(field.split(".")) if field else (), message)


def in_url(message: str) -> Fault:
    """An error about the thing that the URL names."""
    return Fault(Part.URL, (), message)


def in_request(message: str) -> Fault:
    """An error about the request as a whole: its headers, key or size."""
    return Fault(Part.REQUEST, (), message)


class Refusal(Exception):
    """Base of all refusals. Raise one of the kinds below, or a class derived from them."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(
            "; ".join(
                f"{'.'.join((fault.part, *fault.steps))}: {fault.message}" for fault in faults
            )
        )
        self.faults = faults


class Malformed(Refusal):
    """Bad request: it cannot be understood, or asks for something that is not allowed."""


class Unidentified(Refusal):
    """Unauthenticated: the caller is not known."""


class Forbidden(Refusal):
    """Forbidden: the caller is known, and may not do this."""


class Unknown(Refusal):
    """Not found, or not for this caller."""


class Conflict(Refusal):
    """Conflict with the state that is there."""


class TooLarge(Refusal):
    """The request is larger than the limit."""


class TooMany(Refusal):
    """Too many requests; the same one may be sent again after `retry_after_s`."""

    def __init__(self, *faults: Fault, retry_after_s: int) -> None:
        super().__init__(*faults)
        self.retry_after_s = retry_after_s


class Unavailable(Refusal):
    """Temporarily unavailable; the same request may be sent again."""
