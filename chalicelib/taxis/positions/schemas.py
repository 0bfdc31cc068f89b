"""Request schema of `POST /geotaxi` [contract: Positions of a batch]."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from marshmallow import Schema, ValidationError, fields, validate

from chalicelib.foundation.geo import E7, MAX_LAT
from chalicelib.taxis.settings import settings


class PositionSchema(Schema):
    """One position of a batch."""

    taxi_id = fields.String(required=True)
    lon = fields.Float(required=True, validate=validate.Range(-180, 180))
    lat = fields.Float(required=True, validate=validate.Range(-MAX_LAT, MAX_LAT))


class _Position(msgspec.Struct, forbid_unknown_fields=True):
    taxi_id: str
    lon: Annotated[float, msgspec.Meta(ge=-180, le=180)]
    lat: Annotated[float, msgspec.Meta(ge=-MAX_LAT, le=MAX_LAT)]


class _Batch(msgspec.Struct, forbid_unknown_fields=True):
    positions: list[_Position]


class Positions(fields.List):
    """At most as many as this deployment takes in one request."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, validate=self._are_few, **kwargs)

    def described(self) -> dict[str, object]:
        """What the API document says of it."""
        return {"maxItems": settings().positions_a_post}

    @staticmethod
    def _are_few(positions: Sequence[object]) -> None:
        if len(positions) > settings().positions_a_post:
            raise ValidationError(f"Up to {settings().positions_a_post} positions are accepted")


class BatchSchema(Schema):
    """The body of POST /geotaxi; loads tuples of taxi id, lng_e7, lat_e7.

    A batch that is exactly as it should be, which nearly all are, is read by msgspec, forty times as
    fast; any other is given the contract's coercions and errors here.
    """

    positions = Positions(fields.Nested(PositionSchema), required=True)

    def load(self, data: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """The positions of a batch. Raises ValidationError."""
        try:
            batch = msgspec.convert(data, _Batch).positions
        except msgspec.ValidationError:
            loaded = super().load(data, **kwargs)["positions"]
            batch = [_Position(**position) for position in loaded]
        else:
            if len(batch) > settings().positions_a_post:
                super().load(data, **kwargs)
        return [(one.taxi_id, round(one.lon * E7), round(one.lat * E7)) for one in batch]
