"""The contract of a service: all that differs between one service's HTTP and another's."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from chalicelib.foundation import errors
from chalicelib.foundation.http.refusals import NOT_FOUND, EndpointUnknown, MethodRefused
from chalicelib.foundation.http.replies import Reply
from chalicelib.foundation.http.requests import Request
from chalicelib.foundation.http.routes import Route


class Contract(ABC):
    """Reading of bodies, authentication and error answers of a service. One value a service, given to its Application."""

    @abstractmethod
    def body(self, method: str, headers: Mapping[str, str], sent: bytes) -> object:
        """Parses the bytes of a body. Raises a kind of Refusal.

        It is asked before the route and the caller are known. Header names are in lower case.
        """

    def admit(  # noqa: B027  # a service may let in everybody
        self,
        route: Route | None,
        *,
        method: str,
        headers: Mapping[str, str],
        source: str,
        length: int,
        now: datetime,
    ) -> None:
        """Whether a request may come in at all, before its body is read. Raises a kind of Refusal.

        `route` is None where the path or the verb is unknown; `source` is the address that the gateway had it
        from, `length` that of its body in characters.
        """

    @abstractmethod
    def serve(self, route: Route, request: Request) -> Reply:
        """The view's reply, for a caller that is known and may ask. Raises a kind of Refusal."""

    @abstractmethod
    def refused(self, refusal: errors.Refusal) -> Reply:
        """A refusal as it goes out."""

    @abstractmethod
    def fault(self, request_id: str) -> Reply:
        """The answer to a fault of ours; the log has the same id."""

    @abstractmethod
    def headers(self, method: str, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Headers of every answer to a request of these headers (names in lower case)."""

    @abstractmethod
    def preflight(self) -> Reply:
        """The reply to OPTIONS of a path that is known."""

    def unknown(self, path: str) -> errors.Refusal:  # noqa: ARG002  # of others
        """The refusal of a path that no route has."""
        return EndpointUnknown(errors.in_url(NOT_FOUND))

    def verb_unknown(self, path: str, verbs: Collection[str]) -> errors.Refusal:  # noqa: ARG002  # of others
        """The refusal of a verb that the path does not have; `verbs` are those that it has."""
        accepted = ", ".join(sorted({*verbs, "OPTIONS"}))
        return MethodRefused(
            errors.in_url(f"This endpoint only accepts requests of type: {accepted}.")
        )


Event = Mapping[str, Any]  # API Gateway's, in payload format 1.0
