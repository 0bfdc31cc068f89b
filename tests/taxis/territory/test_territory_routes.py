"""`/towns`, `/zupc` and the stations over HTTP: bodies, roles and every refusal."""

import csv
import io
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from app import app
from chalicelib.taxis.access.rules import Role
from chalicelib.taxis.stats.active import store as stats
from chalicelib.taxis.stats.active.rules import Tally
from ops.cli.territory import loads
from tests.calls import Caller
from tests.factories import an_account
from tests.taxis.territory.loaded import (
    BORDEAUX,
    CHARENTON,
    MULHOUSE,
    PARIS,
    ZONE,
    a_feature,
    a_file,
    load_towns,
    load_zone,
)

pytestmark = pytest.mark.usefixtures("store")

IN_PARIS: dict[str, object] = {"lon": "2.35", "lat": "48.85"}
IN_BOTH: dict[str, object] = {"lon": 2.41, "lat": 48.82}
TOWNS, ZUPC, LIVE = "/towns", "/zupc", "/zupc/live"
OTHER_ZONE = "1889c818-6ab2-4ae1-8baa-b08a2d01bded"


def a_caller(*roles: Role, email: str = "operator") -> Caller:
    """Somebody with these roles."""
    return Caller(app, key=an_account(email, *roles)[1])


# --- towns ----------------------------------------------------------------------------------------


def test_all_towns_are_listed_by_name(tmp_path: Path) -> None:
    load_towns(tmp_path)

    answer = a_caller(Role.MOTEUR).get(TOWNS)

    assert answer.status == 200
    assert answer.json == {
        "data": [
            {"insee": BORDEAUX, "name": "Bordeaux"},
            {"insee": CHARENTON, "name": "Charenton-le-Pont"},
            {"insee": MULHOUSE, "name": "Mulhouse"},
            {"insee": PARIS, "name": "Paris"},
        ]
    }


def test_of_a_repeated_search_the_first_value_counts(tmp_path: Path) -> None:
    load_towns(tmp_path)

    answer = a_caller(Role.MOTEUR).get(TOWNS, search=["pâr", "bord"])

    assert answer.data == [{"insee": PARIS, "name": "Paris"}]


def test_an_unknown_parameter_of_towns_is_refused() -> None:
    answer = a_caller(Role.MOTEUR).get(TOWNS, name="Paris")

    assert (answer.status, answer.errors) == (400, {"name": ["Unknown field."]})


@pytest.mark.parametrize("role", [Role.ADMIN, Role.MOTEUR, Role.OPERATEUR])
def test_partners_may_list_towns(role: Role) -> None:
    assert a_caller(role).get(TOWNS).status == 200


def test_a_group_may_not_list_towns() -> None:
    answer = a_caller(Role.GROUPEMENT).get(TOWNS)

    assert answer.status == 403
    assert "permissions" in answer.errors[""][0]


# --- the area round a point -----------------------------------------------------------------------


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
    stats.put_minute(
        {
            (PARIS, account.owner): Tally(active=3, free=2),
            (PARIS, "another"): Tally(active=2, free=1),
            (CHARENTON, account.owner): Tally(active=4, free=1),
        },
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


@pytest.mark.parametrize("path", [TOWNS, ZUPC, LIVE])
@pytest.mark.parametrize("key", [None, "wrong"])
def test_without_a_key_there_is_no_territory(path: str, key: str | None) -> None:
    answer = Caller(app, key=key).get(path)

    assert answer.status == 401
    assert "X-Api-Key" in answer.errors[""][0]


@pytest.mark.parametrize(
    "path",
    [TOWNS, ZUPC, LIVE, "/stations/all", "/stations/stations.csv", "/stations/stations.json"],
)
def test_the_territory_is_only_read(path: str) -> None:
    answer = Caller(app).post(path, {})

    assert (answer.status, [*answer.errors]) == (405, ["url"])


# --- stations -------------------------------------------------------------------------------------


def load_stations(folder: Path) -> None:
    """Two stations: one with all that there may be, one with as little as possible."""
    full = {
        "id": "38185-T-002",
        "nom": "Gare – Frise",
        "insee": "38185",
        "adresse": 'Rue "de la" Frise',
        "emplacements": 6,
        "no_appel": "0476544254",
        "info": "travaux; nuit",
    }
    bare = {"id": "06004-T-001", "nom": "Gare", "insee": "06004"}
    file = a_file(
        folder / "stations",
        [
            a_feature(full, [5.71363, 45.19129], kind="Point"),
            a_feature(bare, [7.06, 43.5], kind="Point"),
        ],
    )
    loads.load_stations(file, quiet=True)


def test_stations_are_for_everybody(tmp_path: Path) -> None:
    load_stations(tmp_path)

    answer = Caller(app).get("/stations/all")

    assert answer.data == [
        {
            "id": "06004-T-001",
            "name": "Gare",
            "places": 0,
            "geojson": {"type": "Point", "coordinates": [7.06, 43.5]},
        },
        {
            "id": "38185-T-002",
            "name": "Gare – Frise",
            "places": 6,
            "geojson": {"type": "Point", "coordinates": [5.71363, 45.19129]},
        },
    ]


def test_stations_come_as_csv_with_every_cell_quoted(tmp_path: Path) -> None:
    load_stations(tmp_path)

    text = Caller(app).get("/stations/stations.csv").text

    assert text.splitlines() == [
        '"id";"nom";"insee";"geopoint";"adresse";"emplacements";"no_appel";"info"',
        '"06004-T-001";"Gare";"06004";"7.06, 43.5";"";"";"";""',
        '"38185-T-002";"Gare – Frise";"38185";"5.71363, 45.19129";"Rue ""de la"" Frise";"6";"0476544254";"travaux; nuit"',
    ]
    assert len(list(csv.reader(io.StringIO(text), delimiter=";"))) == 3


def test_the_csv_of_stations_can_be_loaded_again(tmp_path: Path) -> None:
    load_stations(tmp_path)
    before = Caller(app).get("/stations/stations.json").json["features"]
    exported = tmp_path / "exported.csv"
    exported.write_text(Caller(app).get("/stations/stations.csv").text, newline="")

    loads.load_stations(exported, quiet=True)

    assert Caller(app).get("/stations/stations.json").json["features"] == before


def test_stations_come_as_geojson_without_what_is_empty(tmp_path: Path) -> None:
    load_stations(tmp_path)

    found = Caller(app).get("/stations/stations.json").json

    assert found["type"] == "FeatureCollection"
    assert found["properties"] == {
        "version": "0.0.3",
        "date": datetime.now(UTC).date().isoformat(),
        "producteur": "le.taxi",
    }
    assert found["features"][0] == {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [7.06, 43.5]},
        "properties": {"id": "06004-T-001", "nom": "Gare", "insee": "06004"},
    }
    assert found["features"][1]["properties"]["emplacements"] == 6


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_a_file_of_stations_may_be_kept_for_a_day(suffix: str) -> None:
    answer = Caller(app).get(f"/stations/stations.{suffix}")

    today = datetime.now(UTC)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Cache-Control"] == "public,max-age=86400"
    expires = parsedate_to_datetime(answer.headers["Expires"])
    assert 86_000 < (expires - today).total_seconds() <= 86_400
    assert (
        answer.headers["Content-Disposition"]
        == f'inline; filename="stationstaxi_LeTaxi_{today:%Y%m%d}.{suffix}"'
    )
