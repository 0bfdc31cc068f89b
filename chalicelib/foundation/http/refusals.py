"""The one table of refusals: which status each kind is answered with; and the refusals of HTTP itself."""

from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.foundation import errors

NOT_FOUND = "API endpoint not found."


class MethodRefused(errors.Refusal):
    """The path is known, the verb is not for it."""


class BodyUnreadable(errors.Malformed):
    """The body is not JSON, or is not said to be."""


class Invalid(errors.Malformed):
    """The body or query is invalid; `tree` is the map of errors that a schema gives."""

    def __init__(self, tree: Mapping[Any, Any]) -> None:
        super().__init__()
        self.tree = tree


class RoleMissing(errors.Forbidden):
    """The account has none of the roles that the route takes."""


class EndpointUnknown(errors.Unknown):
    """No route has this path."""


class BodyTooLarge(errors.TooLarge):
    """The body is longer than `body_limit_bytes`."""


FAULTS_LISTED = 100  # in one answer: a body of a megabyte has room for 300,000
NAME_LISTED = 255  # characters of a field's name, which may be as long as the body

_UNKNOWN_FIELD = ["Unknown field."]  # marshmallow's, and ours


def listed(tree: Mapping[Any, Any]) -> dict[str, Any]:
    """A tree of errors with every key as text, for marshmallow counts list elements with integers.

    Of more than `FAULTS_LISTED` faults the first ones stay, those of known fields before unknown ones, and
    how many more there are stands at the top, under `""`.
    """
    faults = [*_faults(tree, ())]
    more = len(faults) - FAULTS_LISTED
    if more > 0:
        faults.sort(key=lambda fault: fault[1] == _UNKNOWN_FIELD)
    shown: dict[str, Any] = {}
    for way, messages in faults[:FAULTS_LISTED]:
        place = shown
        for step in way[:-1]:
            place = place.setdefault(step, {})
        place[way[-1]] = messages
    if more > 0:
        shown[""] = [*shown.get("", ()), f"{more} more errors are not listed."]
    return shown


def _faults(tree: Mapping[Any, Any], way: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in tree.items():
        name = str(key)
        if len(name) > NAME_LISTED:
            name = f"{name[:NAME_LISTED]}…"
        if isinstance(value, Mapping):
            yield from _faults(value, (*way, name))
        else:
            yield (*way, name), value


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


def status_of(refusal: type[errors.Refusal]) -> int:
    """The status that a kind of refusal is answered with."""
    return next(status for kind, status in STATUSES if issubclass(refusal, kind))
