"""The kinds of refusal. A domain derives its own from them; only `web.py` knows their statuses.

A refusal carries faults, and a fault says where the caller went wrong: `at` is the path of the
error in the contract's error tree [contract: Envelope], built by the four functions below.
"""

from msgspec import Struct

Path = tuple[str, ...]


class Fault(Struct, frozen=True):
    """One error, and its place in the error tree of the answer."""

    at: Path
    message: str


def in_body(field: str, message: str) -> Fault:
    """An error in the one element of `data`; `field` is dotted (`ads.insee`), or `""` for all of it."""
    return Fault(("data", "0", *(field.split(".") if field else ())), message)


def in_query(parameter: str, message: str) -> Fault:
    """An error in one query parameter."""
    return Fault((parameter,), message)


def in_url(message: str) -> Fault:
    """An error about the thing that the URL names."""
    return Fault(("url",), message)


def in_request(message: str) -> Fault:
    """An error about the request as a whole: its headers, key or size."""
    return Fault(("",), message)


class Refusal(Exception):
    """Base of all refusals. Raise one of the kinds below, or a class derived from them."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(f"{'.'.join(fault.at)}: {fault.message}" for fault in faults))
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
