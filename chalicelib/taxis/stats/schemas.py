"""What is asked of the statistics, and what is shown (letaxi-api 19)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, pre_load, validate
from msgspec.structs import asdict

from chalicelib.foundation.http.json_schema import (
    DATE,
    MOMENT,
    NUMBER,
    TEXT,
    WHOLE,
    Shape,
    always,
    list_of,
    map_of,
    nullable,
    record,
)
from chalicelib.taxis.access.rules import Line
from chalicelib.taxis.stats.hails.rules import (
    AVERAGED,
    PERIODS,
    RECEIVED,
    STEPS,
    HailStatistics,
    Outcome,
)
from chalicelib.taxis.stats.searches.rules import SearchQuartiles
from chalicelib.taxis.stats.service import (
    DepartementCount,
    Group,
    Heat,
    PublicFigures,
    SearchStatistics,
    TaxiStatistics,
)


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
    """The filters of a statistic; makes the arguments of `service.filters`.

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


# --- what is shown --------------------------------------------------------------------------------

_FOUR = record(
    "Milestones",
    dict.fromkeys(("today", "three_months_ago", "six_months_ago", "twelve_months_ago"), WHOLE),
)

TAXI_STATISTICS = record(
    "TaxiStatistics",
    {
        "registered_taxis": _FOUR,
        "connected_taxis": _FOUR,
        "registered_taxis_since_threshold": _FOUR,
        "connected_taxis_since_threshold": _FOUR,
        "connected_taxis_now": WHOLE,
        "monthly_hails_per_taxi": NUMBER,
        "average_radius": nullable(NUMBER),
        "average_radius_change": nullable(NUMBER),
        "connected_taxis_per_hour": map_of(NUMBER),
    },
)


def taxi_statistics(found: TaxiStatistics) -> dict[str, object]:
    """The answer of GET /stats/taxis."""
    fleet = found.fleet
    return {
        "registered_taxis": asdict(fleet.registered_taxis),
        "connected_taxis": asdict(fleet.connected_taxis),
        "registered_taxis_since_threshold": asdict(fleet.registered_taxis_since_threshold),
        "connected_taxis_since_threshold": asdict(fleet.connected_taxis_since_threshold),
        "connected_taxis_now": found.connected_now,
        "monthly_hails_per_taxi": found.monthly_hails_per_taxi,
        "average_radius": fleet.average_radius,
        "average_radius_change": fleet.average_radius_change,
        "connected_taxis_per_hour": {
            str(hour): mean for hour, mean in found.connected_per_hour.items()
        },
    }


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
    return {
        **{name: asdict(counts) for name, counts in found.milestones.items()},
        "average_hail_distance": asdict(found.average_hail_distance),
        "hails_total": {year: [*map(list, months)] for year, months in found.total.items()},
        "hails_average": found.averages,
        "average_times": dict(found.average_times),
    }


GROUPS = record(
    "Groups",
    {
        "registered_groupements": always(0),
        "fleet_data": list_of(
            record(
                "Group",
                {
                    "id": WHOLE,
                    "email": TEXT,
                    "fleet_size": nullable(WHOLE),
                    "count": WHOLE,
                    "ratio": nullable(NUMBER),
                    "last_taxi": nullable(MOMENT),
                    "manager": nullable(TEXT),
                },
            )
        ),
    },
)


def groups(shown: Sequence[Group]) -> dict[str, object]:
    """The answer of GET /stats/groupements, with a figure that nothing fills (stats-and-ops 6)."""
    return {"registered_groupements": 0, "fleet_data": [_group(group) for group in shown]}


def _group(shown: Group) -> dict[str, object]:
    return {
        "id": shown.account.id,
        "email": shown.account.email,
        "fleet_size": shown.fleet_size,
        "count": shown.count,
        "ratio": shown.ratio,
        "last_taxi": None if shown.last_added_at is None else _moment(shown.last_added_at),
        "manager": shown.manager,
    }


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat()


ACCOUNT = record("AccountChoice", {"id": WHOLE, "email": TEXT, "commercial_name": TEXT})


def account(line: Line) -> dict[str, object]:
    """An account to choose from."""
    return {"id": line.id, "email": line.email, "commercial_name": line.name}


DEPARTEMENT = record(
    "DepartementCount",
    {
        "insee": TEXT,
        "name": TEXT,
        "count": WHOLE,
        "position": nullable(
            record("Position", {"type": always("Point"), "coordinates": list_of(NUMBER)})
        ),
    },
)


def departement(shown: DepartementCount) -> dict[str, object]:
    """A departement on the map of licences."""
    point = shown.point
    return {
        "insee": shown.numero,
        "name": shown.nom,
        "count": shown.count,
        "position": point and {"type": "Point", "coordinates": [point.lng, point.lat]},
    }


SEARCH_STATISTICS = record(
    "SearchStatistics",
    {
        "taxis": record(
            "SearchQuartiles",
            dict.fromkeys(SearchQuartiles.__struct_fields__, nullable(NUMBER)),
        ),
        "moteurs": list_of(record("Searcher", {"moteur": TEXT, "count": WHOLE})),
    },
)


def search_statistics(found: SearchStatistics) -> dict[str, object]:
    """The answer of GET /stats/searches."""
    return {
        "taxis": asdict(found.quartiles),
        "moteurs": [{"moteur": email, "count": count} for email, count in found.moteurs],
    }


HEAT = record(
    "Heat",
    {
        "points": {
            **list_of({**list_of(NUMBER), "minItems": 3, "maxItems": 3}),
            "description": "Latitude, longitude and weight of cells of about 800 by 600 m",
        }
    },
)


def heat(points: Heat) -> dict[str, Sequence[object]]:
    """A heat map: the centres of geohash cells of six characters, each with its weight."""
    return {"points": [list(point) for point in points]}


_PERCENT = map_of(nullable(NUMBER))

PUBLIC_FIGURES = record(
    "PublicFigures",
    {
        "groups": WHOLE,
        "apps": WHOLE,
        "taxis_connected": {
            "type": "array",
            "description": "A month's first day, and the percentage of each conurbation by then",
            "minItems": 13,
            "maxItems": 13,
            "items": {**list_of({"anyOf": [DATE, _PERCENT]}), "minItems": 2, "maxItems": 2},
        },
        "hails_growth": _PERCENT,
    },
)


def public_figures(found: PublicFigures) -> dict[str, object]:
    """The answer of GET /stats/letaxi."""
    return {
        "groups": found.groups,
        "apps": found.apps,
        "taxis_connected": [[day, dict(percents)] for day, percents in found.connected],
        "hails_growth": dict(found.growth),
    }
