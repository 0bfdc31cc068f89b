"""HTTP requests and replies, as views see them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields
from msgspec import Struct, field

from chalicelib.foundation.http.refusals import Invalid
from chalicelib.foundation.http.routes import Route


class LogLine(Struct):
    """The log line of a request, as far as it is known while it is served: its route and caller.

    `key_owner_id` is the account whose key was sent, where it acts as another one.
    """

    route: str
    account_id: int | None = None
    key_owner_id: int | None = None


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
    log_line: LogLine
    pattern: str | None = None  # the path of the routes that it matched: `/taxis/{taxi_id}`
    named: Mapping[str, str] = field(default_factory=dict)  # what the pattern names, decoded once
    route: Route | None = None  # that serves it

    @property
    def served_by(self) -> Route:
        """The route that serves it. Raises LookupError where none does."""
        if self.route is None:
            raise LookupError(f"{self.path} has not reached a route")
        return self.route

    def parameters(self) -> Any:  # noqa: ANN401  # what the schema makes
        """The query, as the route's schema makes it; raises Invalid.

        Of a parameter that is no list the first value counts.
        """
        schema = declared(self.served_by.query, self.path)
        known = schema.fields
        values = {
            name: list(given) if isinstance(known.get(name), fields.List) else given[0]
            for name, given in self.query.items()
        }
        try:
            return schema.load(values)
        except ValidationError as error:
            raise Invalid(error.messages_dict) from None


def declared(schema: Schema | None, path: str) -> Schema:
    """The schema that a route declares. Raises LookupError where it declares none."""
    if schema is None:
        raise LookupError(f"{path} does not say what it reads")
    return schema
