"""Bodies and queries of hails, customers and sessions [contract: Hails] [contract: Sessions]; `answers` has what comes back."""

from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, fields, post_load, validate

from chalicelib.foundation.geo import MAX_LAT
from chalicelib.foundation.http.fields import Text, Whole
from chalicelib.taxis.envelope import PageNumber
from chalicelib.taxis.hails import rules
from chalicelib.taxis.hails.lines import Filter
from chalicelib.taxis.hails.rules import HailChange, HailRequest, Status

# DynamoDB's least number but 0; of the 17 digits that a coordinate has at most it keeps each (38).
LEAST = 1e-130


class Degrees(fields.Float):
    """A coordinate, as it was sent; nothing, where it is next to nothing."""

    def __init__(self, limit: float, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(validate=validate.Range(-limit, limit), **kwargs)

    def _deserialize(self, *args: Any, **kwargs: Any) -> float | None:  # noqa: ANN401
        number = super()._deserialize(*args, **kwargs)
        return 0.0 if number is not None and abs(number) < LEAST else number


def _address(**kwargs: Any) -> Text:  # noqa: ANN401
    return Text(longest=1000, **kwargs)


class HailSchema(Schema):
    """The body of POST /hails; makes a `HailRequest`."""

    customer_id = Text(required=True)
    customer_lon = Degrees(180, required=True)
    customer_lat = Degrees(MAX_LAT, required=True)
    customer_address = _address(required=True)
    customer_phone_number = Text(required=True)
    taxi_id = Text(required=True)
    operateur = fields.String()  # of old clients, and ignored
    session_id = fields.UUID(allow_none=True)

    @post_load
    def _make(self, loaded: dict[str, Any], **_: object) -> HailRequest:
        session_id = loaded.pop("session_id", None)
        loaded.pop("operateur", None)
        return HailRequest(**loaded, session_id=session_id and str(session_id))


def _one_of(*values: str) -> validate.OneOf:
    return validate.OneOf(values)


class HailChangeSchema(Schema):
    """The body of PUT /hails/{id}; makes a `HailChange`."""

    status = fields.String(validate=_one_of(*Status))
    taxi_phone_number = Text()
    incident_taxi_reason = fields.String(
        allow_none=True, validate=_one_of(*rules.INCIDENT_TAXI_REASONS)
    )
    reporting_customer = fields.Boolean(allow_none=True)
    reporting_customer_reason = fields.String(
        allow_none=True, validate=_one_of(*rules.REPORTING_REASONS)
    )
    customer_lon = Degrees(180)
    customer_lat = Degrees(MAX_LAT)
    customer_address = _address()
    customer_phone_number = Text()
    incident_customer_reason = fields.String(
        allow_none=True, validate=_one_of(*rules.INCIDENT_CUSTOMER_REASONS)
    )
    rating_ride = Whole(allow_none=True)
    rating_ride_reason = fields.String(allow_none=True, validate=_one_of(*rules.RATING_REASONS))

    @post_load
    def _make(self, loaded: dict[str, Any], **_: object) -> HailChange:
        if "status" in loaded:
            loaded["status"] = Status(loaded["status"])
        change: HailChange = loaded  # type: ignore[assignment]  # the fields above are its keys
        return change


class Day(fields.Date):
    """A day, in UTC."""

    def described(self) -> dict[str, object]:
        """What the API document says of it: no `date` of JSON Schema, which has dashes."""
        return {"format": None, "pattern": r"^\d{4}/\d\d/\d\d$", "description": "YYYY/MM/DD, UTC"}


class HailListSchema(Schema):
    """The query of GET /hails; loads a `Filter`."""

    id = fields.List(fields.String(), attribute="ids")
    moteur = fields.List(fields.String(), attribute="moteurs")
    operateur = fields.List(fields.String(), attribute="operateurs")
    taxi_id = fields.List(fields.String(), attribute="taxi_ids")
    customer_id = fields.List(fields.String(), attribute="customer_ids")
    status = fields.List(fields.String(validate=_one_of(*Status)), attribute="statuses")
    date = fields.List(Day(format="%Y/%m/%d"), attribute="dates")
    p = PageNumber()

    @post_load
    def _make(self, loaded: dict[str, Any], **_: object) -> Filter:
        loaded.pop("p", None)
        statuses = tuple(map(Status, loaded.pop("statuses", ())))
        dates = tuple(day.isoformat() for day in loaded.pop("dates", ()))
        return Filter(**loaded, statuses=statuses, dates=dates)


class SupportListSchema(Schema):
    """The query of GET /internal/customers; loads a `Filter`."""

    id = fields.List(fields.String(), attribute="ids")
    moteur = fields.List(fields.String(), attribute="moteurs")
    operateur = fields.List(fields.String(), attribute="operateurs")
    status = fields.List(fields.String(validate=_one_of(*Status)), attribute="statuses")
    p = PageNumber()

    @post_load
    def _make(self, loaded: dict[str, Any], **_: object) -> Filter:
        loaded.pop("p", None)
        statuses = tuple(map(Status, loaded.pop("statuses", ())))
        return Filter(**loaded, statuses=statuses)


class Moment(fields.DateTime):
    """A time with any offset or none, which means UTC; kept as it was sent."""

    def described(self) -> dict[str, object]:
        """What the API document says of it."""
        return {"format": None, "description": "ISO 8601 with a time; UTC where it has no offset"}

    def _deserialize(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        at = super()._deserialize(*args, **kwargs)
        try:
            in_utc(at)
        except OverflowError:
            raise self.make_error("invalid", input=at, obj_type=self.OBJ_TYPE) from None
        return at


def in_utc(at: datetime) -> datetime:
    """The same time in UTC; without an offset it is UTC already."""
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


class CustomerSchema(Schema):
    """The body of PUT /customers/{id}."""

    ban_begin = Moment(allow_none=True)
    ban_end = Moment(allow_none=True)
    reprieve_begin = Moment(allow_none=True)
    reprieve_end = Moment(allow_none=True)
