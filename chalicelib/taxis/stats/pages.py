"""The pages of the statistics, in the contract's names: pure [contract: Statistics pages]."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Struct

from chalicelib.foundation.http.json_schema import (
    DATE,
    MOMENT,
    NUMBER,
    always,
    list_of,
    map_of,
    nullable,
)
from chalicelib.taxis.stats.fleets.rules import FleetSummary
from chalicelib.taxis.stats.heat import Points
from chalicelib.taxis.stats.searches.rules import SearchQuartiles


class TaxiStatistics(FleetSummary, frozen=True):
    """Figures of GET /stats/taxis; hours are those of the day, UTC."""

    connected_taxis_now: int
    connected_taxis_per_hour: Mapping[str, float]
    monthly_hails_per_taxi: float


class Group(Struct, frozen=True):
    """A group of taxis (`groupement`): its taxis, and the fleet size that it states.

    `ratio` is in percent, `last_taxi` when it added its newest, `manager` an e-mail.
    """

    id: int
    email: str
    fleet_size: int | None
    count: int
    ratio: float | None
    last_taxi: Annotated[str | None, nullable(MOMENT)]
    manager: str | None


class Groups(Struct, frozen=True):
    """The groups, with a figure that nothing fills [contract: Figures of the statistics]."""

    fleet_data: Sequence[Group]
    registered_groupements: Annotated[int, always(0)] = 0


class AccountChoice(Struct, frozen=True):
    """An account to choose from."""

    id: int
    email: str
    commercial_name: str


class Position(Struct, frozen=True):
    """A point, as longitude and latitude."""

    coordinates: Sequence[float]
    type: Annotated[str, always("Point")] = "Point"


class DepartementCount(Struct, frozen=True):
    """The taxis with a licence of a departement, and a point inside it where its towns are known."""

    insee: str
    name: str
    count: int
    position: Position | None


class Searcher(Struct, frozen=True):
    """How often an account searched."""

    moteur: str
    count: int


class SearchStatistics(Struct, frozen=True):
    """Figures of GET /stats/searches; accounts that searched most first."""

    taxis: SearchQuartiles
    moteurs: Sequence[Searcher]


class Heat(Struct, frozen=True):
    """A heat map."""

    points: Annotated[
        Points,
        {
            **list_of({**list_of(NUMBER), "minItems": 3, "maxItems": 3}),
            "description": "Latitude, longitude and weight of cells of about 800 by 600 m",
        },
    ]


class PublicFigures(Struct, frozen=True):
    """Public figures: taxis in percent of the licences that each conurbation declared.

    `taxis_connected` has an entry for the first day of each month of the last year and of the
    present one. A conurbation that declared nothing, or had no hails a year ago, has None.
    """

    groups: int
    apps: int
    taxis_connected: Annotated[
        Sequence[tuple[str, Mapping[str, float | None]]],
        {
            "type": "array",
            "description": "A month's first day, and the percentage of each conurbation by then",
            "minItems": 13,
            "maxItems": 13,
            "items": {
                **list_of({"anyOf": [DATE, map_of(nullable(NUMBER))]}),
                "minItems": 2,
                "maxItems": 2,
            },
        },
    ]
    hails_growth: Mapping[str, float | None]
