"""Request and response schemas of accounts and of the console's login [contract: Accounts] [contract: Console login]."""

from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from chalicelib.foundation import passwords
from chalicelib.foundation.http import json_schema
from chalicelib.foundation.http.fields import Text
from chalicelib.foundation.http.json_schema import TEXT, WHOLE, list_of, nullable, record
from chalicelib.foundation.outbound import headers
from chalicelib.foundation.outbound.headers import HeaderRefused
from chalicelib.taxis.access.rules import AccountFilter, Line
from chalicelib.taxis.access.users import User
from chalicelib.taxis.envelope import PageNumber
from chalicelib.taxis.vocabulary import Role

# --- what is sent --------------------------------------------------------------------------------


def _is_sendable(check: Callable[[str], None]) -> Callable[[str], None]:
    """A validator by one of the checks of `headers`."""

    def validator(text: str) -> None:
        try:
            check(text)
        except HeaderRefused as refused:
            raise ValidationError(str(refused)) from None

    return validator


def _is_password(text: str) -> None:
    if text:
        validate.Length(min=passwords.SHORTEST)(text)


def _text(*rules: Any, longest: int = 255) -> Text:  # noqa: ANN401
    return Text(*rules, longest=longest, allow_none=True)


class RoleSchema(Schema):
    """A role of an account."""

    name = fields.String()


class NeighbourSchema(Schema):
    """The account's manager, or one that it manages."""

    id = fields.Integer()
    email = fields.String()
    name = fields.String()


class UserSchema(Schema):
    """The body of PUT /users/{id}; loads the fields to change.

    The console sends back all that it has read, so what cannot be written is taken and dropped.
    """

    name = _text()
    email_customer = _text()
    email_technical = _text()
    phone_number_customer = _text()
    phone_number_technical = _text()
    hail_endpoint_production = _text(longest=1024)
    operator_header_name = _text(_is_sendable(headers.check_name))
    operator_api_key = _text(_is_sendable(headers.check_value), longest=1024)
    password = fields.String(validate=_is_password)
    current_password = fields.String(
        metadata={"description": "The password that the account has: checked where it is sent."}
    )

    id = fields.Integer()
    email = fields.String()
    apikey = fields.String()
    roles = fields.List(fields.Nested(RoleSchema))
    manager = fields.Nested(NeighbourSchema, allow_none=True)
    managed = fields.List(fields.Nested(NeighbourSchema))

    READ_ONLY = frozenset({"id", "email", "apikey", "roles", "manager", "managed"})

    @post_load
    def _make(self, loaded: dict[str, Any], **_: object) -> dict[str, str]:
        return {name: text or "" for name, text in loaded.items() if name not in self.READ_ONLY}


class UserListSchema(Schema):
    """The query of GET /users; loads an `AccountFilter`."""

    FILTERS = ("email", "name", "manager", "role")

    email = fields.List(fields.String(), metadata={"maxItems": 1})
    name = fields.List(fields.String(), metadata={"maxItems": 1})
    manager = fields.List(fields.String(), metadata={"maxItems": 1})
    role = fields.List(fields.String(), metadata={"maxItems": 1})
    p = PageNumber()

    @validates_schema
    def _are_single(self, loaded: Mapping[str, Any], **_: object) -> None:
        faults = [
            f"Argument `{name}` should not be specified more than once"
            for name in self.FILTERS
            if len(loaded.get(name, ())) > 1
        ]
        if faults:
            raise ValidationError(faults)

    @post_load
    def _make(self, loaded: dict[str, Any], **_: object) -> AccountFilter:
        loaded.pop("p", None)
        return AccountFilter(**{name: given for name, (given,) in loaded.items()})


class LoginSchema(Schema):
    """The body of POST /internal/auth."""

    email = fields.String(required=True)
    password = fields.String(load_default="")
    apikey = fields.String(load_default="", data_key="apikey", attribute="api_key")
    referrer = fields.Integer(load_default=None)

    @validates_schema
    def _says_one(self, loaded: Mapping[str, Any], **_: object) -> None:
        if bool(loaded.get("password")) == bool(loaded.get("api_key")):
            raise ValidationError("Either password or apikey is required.")


# --- what is shown -------------------------------------------------------------------------------


_ACCOUNT = {"id": WHOLE, "email": TEXT, "name": TEXT}

USER = record(
    "User",
    {
        **_ACCOUNT,
        "apikey": TEXT,
        "roles": list_of(record("Role", {"name": json_schema.one_of(Role)})),
        "email_customer": TEXT,
        "email_technical": TEXT,
        "phone_number_customer": TEXT,
        "phone_number_technical": TEXT,
        "hail_endpoint_production": TEXT,
        "operator_header_name": TEXT,
        "operator_api_key": TEXT,
        "manager": nullable(record("Manager", _ACCOUNT)),
        "managed": list_of(record("Managed", _ACCOUNT)),
    },
)


def user_object(user: User) -> dict[str, object]:
    """An account as its owner, its manager and admins see it [contract: The account object]."""
    record, account = user.record, user.record.account
    return {
        "id": account.id,
        "name": record.name,
        "email": account.email,
        "apikey": user.api_key,
        "roles": [{"name": role.value} for role in sorted(account.roles)],
        "email_customer": record.email_customer,
        "email_technical": record.email_technical,
        "phone_number_customer": record.phone_number_customer,
        "phone_number_technical": record.phone_number_technical,
        "hail_endpoint_production": record.hail_endpoint_production,
        "operator_header_name": record.operator_header_name,
        "operator_api_key": user.operator_api_key,
        "manager": None if user.manager is None else _neighbour(user.manager),
        "managed": [_neighbour(line) for line in user.managed],
    }


def _neighbour(line: Line) -> dict[str, object]:
    return {"id": line.id, "email": line.email, "name": line.name}
