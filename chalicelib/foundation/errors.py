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
    """A fault of the thing that the URL names."""
    return Fault(Part.URL, (), message)


def in_request(message: str) -> Fault:
    """A fault of the request as a whole: its headers, its key, its size."""
    return Fault(Part.REQUEST, (), message)


class Refusal(Exception):
    """What the registry will not do, and why. Raise one of the kinds below, or a class of theirs."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(
            "; ".join(
                f"{'.'.join((fault.part, *fault.steps))}: {fault.message}" for fault in faults
            )
        )
        self.faults = faults


class Malformed(Refusal):
    """The request does not say something that can be understood or allowed."""


class Unidentified(Refusal):
    """The caller is not known."""


class Forbidden(Refusal):
    """The caller is known, and may not."""


class Unknown(Refusal):
    """What the request speaks of is not there, or not for this caller."""


class Conflict(Refusal):
    """What the request asks contradicts what is there."""


class TooLarge(Refusal):
    """The request is larger than the registry reads."""


class TooMany(Refusal):
    """The caller has asked too often; the same request may be sent again after `retry_after_s`."""

    def __init__(self, *faults: Fault, retry_after_s: int) -> None:
        super().__init__(*faults)
        self.retry_after_s = retry_after_s


class Unavailable(Refusal):
    """The registry cannot do it just now; the same request may be sent again."""
