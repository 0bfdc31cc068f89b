"""Schemas of export lines: the body of the same thing over HTTP, and the fields of an export beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, ValidationError, fields, pre_load, validate

from chalicelib.foundation.http.fields import Text, Whole
from chalicelib.taxis.access import schemas as access
from chalicelib.taxis.registry import schemas as registry
from chalicelib.taxis.vocabulary import Role, is_taxi_id

# A key is found by its plain hash, which is enough for what nobody can guess (`vault.digest`).
KEY_LENGTH = 32


def _is_key(text: str) -> None:
    if len(text) < KEY_LENGTH or not text.isascii() or not text.isprintable():
        # Never the key itself: what is said here is printed.
        raise ValidationError(f"A key has at least {KEY_LENGTH} printable characters.")


def _is_taxi_id(text: str) -> None:
    if not is_taxi_id(text):
        raise ValidationError("A taxi's id has 7 letters and digits, none of 0, 1, I, O and l.")


def _number() -> Whole:
    number = Whole(load_default=None, allow_none=True)
    number.validators = [validate.Range(min=1, max=2**31 - 1)]
    return number


class OwnedSchema(Schema):
    """The owner: the e-mail of the account that registered the thing."""

    operator = Text(validate.Length(min=1), required=True)


class NumberedSchema(OwnedSchema):
    """A vehicle has the number that `POST /vehicles` answers, too."""

    id = _number()


class TaxiBesideSchema(OwnedSchema):
    """A taxi has its id, too."""

    id = fields.String(required=True, validate=_is_taxi_id)


class AccountSchema(Schema):
    """Fields of an account beside the body of PUT /users/{id}."""

    email = Text(validate.Length(min=1), required=True)
    id = _number()
    apikey = fields.String(validate=_is_key)
    roles = fields.List(fields.String(validate=validate.OneOf(list(Role))))
    manager = Text(allow_none=True)
    active = fields.Boolean()
    fleet_size = fields.Integer(allow_none=True, validate=validate.Range(min=0, max=2**31 - 1))

    @pre_load
    def _from_either(self, fields: dict[str, Any], **_: object) -> dict[str, Any]:
        """Takes what GET /users shows as well: `[{"name": "moteur"}]`, and the manager whole."""
        fields = dict(fields)
        roles, manager = fields.get("roles"), fields.get("manager")
        if isinstance(roles, str):
            fields["roles"] = roles.split()
        elif isinstance(roles, list):
            fields["roles"] = [one.get("name") if isinstance(one, dict) else one for one in roles]
        if isinstance(manager, dict):
            fields["manager"] = manager.get("email")
        return fields


# A password is kept as a hash there and here, and one cannot be made of the other.
_AccountBody = access.UserSchema(exclude=[*access.UserSchema.READ_ONLY, "password"])
_SHOWN_ONLY = frozenset({"managed"})  # by GET /users; each account names its own manager


@dataclass(frozen=True, slots=True)
class Form:
    """The two halves of a line; `dropped` says nothing here."""

    beside: Schema
    body: Schema
    dropped: frozenset[str] = frozenset()

    @property
    def fields(self) -> Mapping[str, fields.Field]:
        """All that a line may have, by name."""
        return {**self.body.fields, **self.beside.fields}

    @property
    def takes_others(self) -> bool:
        """Whether a line may have fields that are not here."""
        return self.body.unknown != "raise"

    def load(self, fields: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
        """What is beside, and what the body's schema makes. Raises ValidationError with all faults."""
        faults: dict[str, Any] = {}
        halves: list[Any] = []
        mine = self.beside.fields.keys()
        for schema, half in (
            (self.beside, {name: one for name, one in fields.items() if name in mine}),
            (
                self.body,
                {n: one for n, one in fields.items() if n not in mine and n not in self.dropped},
            ),
        ):
            try:
                halves.append(schema.load(half))
            except ValidationError as error:
                faults |= error.messages_dict
        if faults:
            raise ValidationError(faults)
        beside, body = halves
        return beside, body


ACCOUNTS = Form(AccountSchema(), _AccountBody, _SHOWN_ONLY)
DRIVERS = Form(OwnedSchema(), registry.DriverSchema())
VEHICLES = Form(NumberedSchema(), registry.VehicleSchema())
ADS = Form(OwnedSchema(), registry.AdsSchema())


class TaxiBodySchema(registry.TaxiSchema):
    """A taxi as its operator is shown it: what it is made of, and its status and radius."""

    @pre_load
    def _without_hail(self, fields: dict[str, Any], **_: object) -> dict[str, Any]:
        """Hails stay behind, and the statuses that are theirs; very old taxis have none."""
        fields = dict(fields)
        if fields.get("status") in ("answering", "oncoming", None):
            fields.pop("status", None)
        return fields


TAXIS = Form(TaxiBesideSchema(), TaxiBodySchema())
