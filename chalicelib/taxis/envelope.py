"""The contract's envelope of bodies: `data` with a list, `meta` of a page, and requests that are read from it."""

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import Schema, ValidationError, fields

from chalicelib.foundation.http.refusals import Invalid
from chalicelib.foundation.http.replies import JSON, Reply, encode
from chalicelib.foundation.http.requests import Request as AnyRequest
from chalicelib.foundation.http.requests import declared
from chalicelib.taxis.vocabulary import Account, Pending

PAGE_SIZE = 30


class PageNumber(fields.Raw):
    """The parameter `p` in the query of a list, which `Request.page` reads [contract: Pages of a list]."""

    def described(self) -> dict[str, object]:
        """What the API document says of it."""
        return {"type": "integer", "default": 1, "description": "The page, from 1."}


class Paged(Schema):
    """The query of a list that has no filters."""

    p = PageNumber()


class Nothing(Schema):
    """The query of what takes no parameters."""


class Request(AnyRequest, frozen=True):
    """A request to the registry, and the account that it is made as.

    `entry` is the journal's entry on it, to go with the view's own transaction if it has one.
    """

    account: Account | None = None
    entry: Pending | None = None

    @property
    def viewer(self) -> Account:
        """The account that the request is made as; only where the route asks for a key."""
        if self.account is None:
            raise LookupError(f"{self.path} takes no key, so there is no viewer")
        return self.account

    def one(self) -> Any:  # noqa: ANN401  # what the schema makes
        """The one element of the body's `data`, as the route's schema makes it. Raises Invalid."""
        route = self.served_by
        schema = declared(route.body, self.path)
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

    def page(self) -> int:
        """The page asked for by `p`, from 1 [contract: Pages of a list]. Raises Invalid."""
        given = self.query.get("p", ("1",))
        if len(given) > 1:
            raise Invalid({"p": ["Argument `p` is specified more than once"]})
        try:
            return max(1, int(given[0]))
        except ValueError:
            raise Invalid({"p": {"0": ["Not a valid integer."]}}) from None


def _not_one(data: object) -> str | None:
    """The error of `data` that is no list of exactly one element; None where it is."""
    if data is None:
        return "Field may not be null."
    if not isinstance(data, list):
        return "Not a valid list."
    if len(data) != 1:
        return "data should be a list of one element."
    return None


def reply(data: Sequence[object], *, status: int = 200, **beside: object) -> Reply:
    """The contract's envelope round a list, with `meta` or `debug` beside it."""
    return Reply(status, encode({"data": data, **beside}), {"Content-Type": JSON})


def meta(*, page: int, total: int, per_page: int = PAGE_SIZE) -> Mapping[str, int | None]:
    """The `meta` of a page of a list of `total` elements [contract: Pages of a list]."""
    pages = -(-total // per_page)
    return {
        "next_page": page + 1 if page < pages else None,
        "prev_page": page - 1 if page > 1 else None,
        "per_page": per_page,
        "pages": pages,
        "total": total,
    }
