"""Request and response schemas of drivers, ADS, vehicles and taxis [contract: Registration]."""

from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validate, validates

from chalicelib.foundation.http.fields import Measure, Text, Whole, has_no_nul
from chalicelib.taxis.envelope import PageNumber
from chalicelib.taxis.registry.rules import (
    SETTABLE,
    Ads,
    AvailabilityAsked,
    TaxiParts,
)
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import CHARACTERISTICS

# --- what is sent --------------------------------------------------------------------------------


def _not_empty() -> validate.Length:
    return validate.Length(min=1, error="Field may not be empty.")


def _plate() -> fields.String:
    return fields.String(required=True, validate=[validate.Length(7, 10), has_no_nul])


class DepartementSchema(Schema):
    """A departement, by its name, its number or both."""

    nom = Text()
    numero = Text()


class DriverSchema(Schema):
    """The body of POST /drivers."""

    first_name = Text(required=True)
    last_name = Text(required=True)
    birth_date = fields.Date(load_default=None, allow_none=True)
    professional_licence = Text(_not_empty(), required=True)
    departement = fields.Nested(DepartementSchema, required=True)

    @validates("departement")
    def _says_which(self, departement: Mapping[str, str], **_: object) -> None:
        if not departement:
            raise ValidationError({"nom": ["Missing data for required field."]})


class AdsSchema(Schema):
    """The body of POST /ads; loads an `Ads`."""

    numero = Text(_not_empty(), required=True)
    insee = Text(required=True)
    vehicle_id = Whole(load_default=None, allow_none=True)
    owner_name = Text(load_default="")
    owner_type = fields.String(
        load_default=None, allow_none=True, validate=validate.OneOf(["individual", "company"])
    )
    doublage = fields.Boolean(load_default=None, allow_none=True)
    category = Text(load_default="")

    @post_load
    def _make(self, loaded: dict[str, Any], **_: object) -> Ads:
        return Ads(**loaded)


_TEXTS = ("model", "constructor", "color", "horodateur", "taximetre")
_DATES = ("date_dernier_ct", "date_validite_ct")
_NUMBERS = ("nb_seats", "model_year")
_CLAIMS = (
    *("relais", *CHARACTERISTICS, "cpam_conventionne"),
    # Deprecated, and kept: shown nowhere.
    *("air_con", "credit_card_accepted", "electronic_toll", "fresh_drink", "tablet", "dvd_player"),
    *("every_destination", "nfc_cc_accepted", "special_need_vehicle", "gps", "luxury"),
)

# The body of POST /vehicles. Only the plate is required; null takes a value away.
VehicleSchema = Schema.from_dict(
    {
        "licence_plate": _plate(),
        "engine": Text(longest=80, allow_none=True),
        "type_": fields.String(
            allow_none=True,
            validate=validate.OneOf(["sedan", "mpv", "station_wagon", "normal"]),
        ),
        "horse_power": Measure(allow_none=True),
        **{name: Text(allow_none=True) for name in _TEXTS},
        **{name: fields.Date(allow_none=True) for name in _DATES},
        **{name: Whole(allow_none=True) for name in _NUMBERS},
        **{name: fields.Boolean(allow_none=True) for name in _CLAIMS},
    },
    name="VehicleSchema",
)


class Lenient(Schema):
    """Drops the keys that it does not know, whatever is in them."""

    class Meta:
        unknown = EXCLUDE


class AdsReference(Lenient):
    """The ADS of a taxi."""

    numero = Text(_not_empty(), required=True)
    insee = Text(required=True)


class VehicleReference(Lenient):
    """The vehicle of a taxi."""

    licence_plate = _plate()


class DriverReference(Lenient):
    """The driver of a taxi; the departement by its number."""

    professional_licence = Text(_not_empty(), required=True)
    departement = fields.String(required=True, validate=[validate.Length(2, 3), has_no_nul])


class Radius(fields.Integer):
    """A taxi's radius of search, in metres, within this deployment's limits."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(validate=self._is_within, **kwargs)

    def described(self) -> dict[str, object]:
        """What the API document says of it."""
        return {"minimum": settings().radius_min_m, "maximum": settings().radius_max_m}

    @staticmethod
    def _is_within(radius_m: int) -> None:
        validate.Range(settings().radius_min_m, settings().radius_max_m)(radius_m)


class TaxiSchema(Lenient):
    """Fields that POST and PUT of a taxi have in common; each keeps a part of them."""

    ads = fields.Nested(AdsReference, required=True)
    vehicle = fields.Nested(VehicleReference, required=True)
    driver = fields.Nested(DriverReference, required=True)
    status = fields.String(validate=validate.OneOf(SETTABLE))
    radius = Radius(allow_none=True)
    rating = fields.Float(allow_none=True)


class NewTaxiSchema(TaxiSchema):
    """The body of POST /taxis; loads `TaxiParts`."""

    @post_load
    def _make(self, loaded: dict[str, Any], **_: object) -> TaxiParts:
        return TaxiParts(**loaded["ads"], **loaded["vehicle"], **loaded["driver"])


class TaxiChangeSchema(TaxiSchema):
    """The body of PUT /taxis/{id}; loads an `AvailabilityAsked`."""

    @post_load
    def _make(self, loaded: dict[str, Any], **_: object) -> AvailabilityAsked:
        changes: AvailabilityAsked = {}
        if "status" in loaded:
            changes["status"] = loaded["status"]
        if "radius" in loaded:
            changes["radius"] = loaded["radius"]
        return changes


class ListSchema(Schema):
    """The query of GET /taxis/all."""

    id = fields.List(fields.String(), load_default=list)
    licence_plate = fields.List(fields.String(), load_default=list)
    p = PageNumber()
