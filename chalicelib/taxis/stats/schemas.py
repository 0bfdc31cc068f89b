"""Query filters of the statistics, and the answer of `GET /stats/hails` [contract: Statistics pages]."""

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, pre_load, validate
from msgspec import to_builtins

from chalicelib.foundation.http.json_schema import (
    NUMBER,
    WHOLE,
    Shape,
    list_of,
    nullable,
    record,
    shape_of,
)
from chalicelib.taxis.stats.calendar import Milestones
from chalicelib.taxis.stats.hails.rules import STEPS, Outcome
from chalicelib.taxis.stats.hails.summary import AVERAGED, PERIODS, RECEIVED, HailStatistics


class Commas(fields.Field):
    """Values with commas between them, each as the inner field reads it."""

    def __init__(self, inner: fields.Field, **options: Any) -> None:  # noqa: ANN401  # a field's
        super().__init__(**options)
        self._inner = inner

    def _deserialize(self, value: str, *_: object, **__: object) -> Sequence[Any]:
        return [self._inner.deserialize(part.strip()) for part in value.split(",") if part.strip()]

    def described(self) -> dict[str, object]:
        """What the API document says of it."""
        return {"type": "string", "description": "Values with commas between them."}


def _account_id() -> fields.Integer:
    return fields.Integer(validate=validate.Range(0, 2**63 - 1))


class FilterSchema(Schema):
    """The filters of a statistic; loads the arguments of `service.filters`.

    An empty one asks for nothing in particular, and other parameters are ignored.
    """

    class Meta:
        unknown = EXCLUDE

    departements = Commas(fields.String())
    insee = Commas(fields.String(), attribute="insees")
    groups = Commas(_account_id())
    manager = _account_id()

    @pre_load
    def _without_empty(self, given: Mapping[str, str], **_: object) -> dict[str, str]:
        return {name: text for name, text in given.items() if text.strip(" ,")}


class GroupSearch(Schema):
    """A part of the e-mail or the name of groups."""

    class Meta:
        unknown = EXCLUDE

    search = fields.String(load_default="")


# --- what is shown of hails -----------------------------------------------------------------------

_FOUR = shape_of(Milestones)
_MEANS = record(
    "HailMeans", {period: record("Means", dict.fromkeys(AVERAGED, NUMBER)) for period in PERIODS}
)
_BY_MONTH: Shape = {
    **list_of({**list_of(WHOLE), "minItems": 2, "maxItems": 2}),
    "description": "The month, 1 to 12, and the hails in it",
}

HAIL_STATISTICS = record(
    "HailStatistics",
    {
        **dict.fromkeys((RECEIVED, *(f"hails_{outcome}" for outcome in Outcome)), _FOUR),
        "average_hail_distance": _FOUR,
        "hails_total": record("HailsByMonth", {"current_year": _BY_MONTH, "last_year": _BY_MONTH}),
        "hails_average": record(
            "HailAverages",
            {"last_three_months": _MEANS, "current_year": _MEANS, "last_year": _MEANS},
        ),
        "average_times": record("StepTimes", dict.fromkeys(STEPS, nullable(NUMBER))),
    },
)


def hail_statistics(found: HailStatistics) -> dict[str, object]:
    """The answer of GET /stats/hails."""
    shown: dict[str, object] = to_builtins(
        {
            **found.milestones,
            "average_hail_distance": found.average_hail_distance,
            "hails_total": found.total,
            "hails_average": found.averages,
            "average_times": found.average_times,
        }
    )
    return shown
