"""`/zupc` and `/zupc/live` over HTTP: areas, the taxis in them, and every refusal."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app import app
from chalicelib.taxis.stats.active import store
from chalicelib.taxis.stats.active.rules import Tally
from chalicelib.taxis.vocabulary import Role
from tests.calls import Caller
from tests.factories import an_account
from tests.taxis.territory.loaded import CHARENTON, PARIS, ZONE, load_towns, load_zone

pytestmark = pytest.mark.usefixtures("store")

IN_PARIS: dict[str, object] = {"lon": "2.35", "lat": "48.85"}
IN_BOTH: dict[str, object] = {"lon": 2.41, "lat": 48.82}
ZUPC, LIVE = "/zupc", "/zupc/live"
OTHER_ZONE = "1889c818-6ab2-4ae1-8baa-b08a2d01bded"


def a_caller(role: Role) -> Caller:
    """Somebody with this role."""
    return Caller(app, key=an_account("operator", role)[1])


def test_a_point_in_a_zone_shows_the_zone(tmp_path: Path) -> None:
    load_towns(tmp_path)
    load_zone(tmp_path, PARIS, CHARENTON)

    answer = a_caller(Role.MOTEUR).get(ZUPC, **IN_PARIS)

    assert answer.json == {
        "data": [{"type": "ZUPC", "zupc_id": ZONE, "name": "ZUPC des taxis parisiens", "stats": {}}]
    }


def test_several_zones_come_in_the_order_they_became_known(tmp_path: Path) -> None:
    load_towns(tmp_path)
    load_zone(tmp_path, PARIS)
    load_zone(tmp_path, CHARENTON, zupc_id=OTHER_ZONE)
    load_zone(tmp_path, PARIS, nom="renamed")

    answer = a_caller(Role.MOTEUR).get(ZUPC, **IN_BOTH)

    assert [area["zupc_id"] for area in answer.data] == [ZONE, OTHER_ZONE]


def test_a_point_in_towns_without_a_zone_shows_the_towns(tmp_path: Path) -> None:
    load_towns(tmp_path)

    answer = a_caller(Role.MOTEUR).get(ZUPC, **IN_BOTH)

    assert answer.data == [
        {"type": "city", "insee": PARIS, "name": "Paris", "stats": {}},
        {"type": "city", "insee": CHARENTON, "name": "Charenton-le-Pont", "stats": {}},
    ]


def test_a_point_in_no_town_shows_nothing(tmp_path: Path) -> None:
    load_towns(tmp_path)

    answer = a_caller(Role.MOTEUR).get(ZUPC, lon=-8, lat=46)

    assert (answer.status, answer.json) == (200, {"data": []})


@pytest.mark.parametrize(
    ("roles", "stats_of_town"),
    [
        ([Role.ADMIN], {"total": 5, "operators": {"someone": 2}}),
        ([Role.OPERATEUR], {"operators": {"someone": 2}}),
        ([Role.MOTEUR], {}),
        ([Role.GROUPEMENT], {}),
    ],
)
def test_an_admin_sees_the_total_and_an_operator_its_own_free_taxis(
    roles: list[Role], stats_of_town: dict[str, Any], tmp_path: Path
) -> None:
    load_towns(tmp_path)
    account, key = an_account("someone", *roles)
    store.put_minute(
        [
            Tally(PARIS, account.owner, active=3, free=2),
            Tally(PARIS, "another", active=2, free=1),
            Tally(CHARENTON, account.owner, active=4, free=1),
        ],
        at=datetime.now(UTC),
    )
    viewer = Caller(app, key=key)

    in_town = viewer.get(ZUPC, **IN_PARIS).data[0]["stats"]
    load_zone(tmp_path, PARIS, CHARENTON)
    in_zone = viewer.get(ZUPC, **IN_PARIS).data[0]["stats"]
    live = viewer.get(LIVE).data[0]["stats"]

    assert in_town == stats_of_town
    assert in_zone == live
    assert in_zone.get("total") == (9 if "total" in stats_of_town else None)
    assert in_zone.get("operators") == ({"someone": 3} if "operators" in stats_of_town else None)


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        (
            {},
            {
                "lat": ["Missing data for required field."],
                "lon": ["Missing data for required field."],
            },
        ),
        ({"lon": "2,35", "lat": 48}, {"lon": ["Not a valid number."]}),
        (
            {"lon": "nan", "lat": 48},
            {"lon": ["Special numeric values (nan or infinity) are not permitted."]},
        ),
        (
            {"lon": 181, "lat": 48},
            {"lon": ["Must be greater than or equal to -180 and less than or equal to 180."]},
        ),
        (
            {"lon": 2, "lat": 86},
            {
                "lat": [
                    "Must be greater than or equal to -85.05112878 and less than or equal to 85.05112878."
                ]
            },
        ),
        ({"lon": 2, "lat": 48, "p": 1}, {"p": ["Unknown field."]}),
    ],
)
def test_a_query_that_is_no_point_is_refused(
    query: dict[str, object], errors: dict[str, list[str]]
) -> None:
    answer = a_caller(Role.MOTEUR).get(ZUPC, **query)

    assert (answer.status, answer.errors) == (400, errors)


def test_every_zone_is_drawn_as_the_union_of_its_towns(tmp_path: Path) -> None:
    load_towns(tmp_path)
    load_zone(tmp_path, PARIS, CHARENTON)

    answer = a_caller(Role.GROUPEMENT).get(LIVE)

    zone = answer.data[0]
    assert zone["geojson"]["type"] == "MultiPolygon"
    assert len(zone["geojson"]["coordinates"]) == 1
    assert [2.2433273, 48.8122203] in zone["geojson"]["coordinates"][0][0]
    assert {name: zone[name] for name in ("id", "nom", "stats")} == {
        "id": ZONE,
        "nom": "ZUPC des taxis parisiens",
        "stats": {},
    }


def test_an_unknown_parameter_of_the_live_zones_is_refused() -> None:
    answer = a_caller(Role.MOTEUR).get(LIVE, lon=2)

    assert (answer.status, answer.errors) == (400, {"lon": ["Unknown field."]})
