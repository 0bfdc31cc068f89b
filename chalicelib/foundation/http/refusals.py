"""The one table of refusals: which status each kind is answered with; and the refusals of HTTP itself."""

from collections.abc import Mapping
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
