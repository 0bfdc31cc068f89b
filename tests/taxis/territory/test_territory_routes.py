"""`/towns` and the stations over HTTP: bodies, roles and every refusal."""

import csv
import io
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from app import app
from chalicelib.foundation import clock
from chalicelib.foundation.store import documents
from chalicelib.taxis.vocabulary import Role
from ops.cli.territory import station_loads
from tests.calls import Caller
from tests.factories import an_account
from tests.taxis.territory.loaded import (
    BORDEAUX,
    CHARENTON,
    MULHOUSE,
    PARIS,
    a_feature,
    a_file,
    load_towns,
)

pytestmark = pytest.mark.usefixtures("store")

TOWNS, AREAS = "/towns", ("/zupc", "/zupc/live")


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


@pytest.mark.parametrize("path", [TOWNS, *AREAS])
@pytest.mark.parametrize("key", [None, "wrong"])
def test_without_a_key_there_is_no_territory(path: str, key: str | None) -> None:
    answer = Caller(app, key=key).get(path)

    assert answer.status == 401
    assert "X-Api-Key" in answer.errors[""][0]


@pytest.mark.parametrize(
    "path",
    [TOWNS, *AREAS, "/stations/all", "/stations/stations.csv", "/stations/stations.json"],
)
def test_the_territory_is_only_read(path: str) -> None:
    answer = Caller(app).post(path, {})

    assert (answer.status, [*answer.errors]) == (405, ["url"])


# --- stations -------------------------------------------------------------------------------------


def load_stations(folder: Path, *, places: int = 6) -> None:
    """Two stations: one with all that there may be, one with as little as possible."""
    full = {
        "id": "38185-T-002",
        "nom": "Gare – Frise",
        "insee": "38185",
        "adresse": 'Rue "de la" Frise',
        "emplacements": places,
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
    station_loads.load_stations(file, quiet=True)


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


@pytest.mark.parametrize(
    "path", ["/stations/all", "/stations/stations.csv", "/stations/stations.json"]
)
def test_what_anybody_may_ask_of_the_stations_is_made_once_a_load_and_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    load_stations(tmp_path)
    first, again = (Caller(app).get(path).text for _ in range(2))
    assert again is first  # not only as long: the same text

    load_stations(tmp_path, places=7)
    documents.forget()  # half a minute later
    of_another_load = Caller(app).get(path).text
    assert of_another_load != first

    tomorrow = clock.now() + timedelta(days=1)
    monkeypatch.setattr(clock, "now", lambda: tomorrow)
    assert Caller(app).get(path).text is not of_another_load


def test_the_csv_of_stations_can_be_loaded_again(tmp_path: Path) -> None:
    load_stations(tmp_path)
    before = Caller(app).get("/stations/stations.json").json["features"]
    exported = tmp_path / "exported.csv"
    exported.write_text(Caller(app).get("/stations/stations.csv").text, newline="")

    station_loads.load_stations(exported, quiet=True)

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
