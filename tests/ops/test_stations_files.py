"""The two forms of the published schema of stations: each constraint, and where a fault is."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from app import app
from chalicelib.foundation.geo import LngLat, to_e7
from chalicelib.taxis.territory import borders, service
from chalicelib.taxis.territory.rules import Station
from ops.cli.territory import geojson, station_loads, stations
from ops.reading import FileFaulty, FileRefused
from tests.calls import Caller
from tests.taxis.territory.loaded import a_feature, a_file, a_ring

DATA = Path(os.environ.get("MARAUDE_SHARED_DATA") or Path(__file__).parents[3] / "shared" / "data")
needs_data = pytest.mark.skipif(
    not (DATA / "schemas").exists(),
    reason="the published schemas are not there (MARAUDE_SHARED_DATA names their folder)",
)

NAMES = ("id", "nom", "insee", "geopoint", "adresse", "emplacements", "no_appel", "info")
VALUES = {
    "id": "38185-T-001",
    "nom": "Vallier",
    "insee": "38185",
    "geopoint": "5.71, 45.18",
    "adresse": "Boulevard Vallier",
    "emplacements": "6",
    "no_appel": "0476544254",
    "info": "",
}
ABSENT = object()


def a_csv(folder: Path, *rows: dict[str, str], names: tuple[str, ...] = NAMES) -> Path:
    """A CSV file of stations: the first row is on line 2."""
    path = folder / "stations.csv"
    lines = [";".join(names)]
    lines += [";".join(f'"{(VALUES | row)[name]}"' for name in names) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def a_station(*, geometry: object = ABSENT, **changes: object) -> dict[str, Any]:
    """A station as a GeoJSON Feature; ABSENT takes a property away."""
    whole: dict[str, object] = {**VALUES, "emplacements": 6}
    del whole["geopoint"]
    properties = {name: value for name, value in (whole | changes).items() if value is not ABSENT}
    feature = a_feature(properties, [5.71, 45.18], kind="Point")
    return feature if geometry is ABSENT else {**feature, "geometry": geometry}


def read(path: Path) -> list[Station]:
    """The stations of a file."""
    return [one.station for one in stations.read(path)]


def refused(path: Path) -> str:
    """What the loader says of a faulty file, in which there is one fault."""
    with pytest.raises(FileFaulty) as caught:
        stations.read(path)
    first, *faults = str(caught.value).splitlines()
    assert first == f"{path}: 1 fault. Nothing was changed."
    assert len(faults) == 1
    return faults[0].strip()


# --- the schema files -----------------------------------------------------------------------------


@needs_data
def test_the_columns_are_those_of_the_published_table_schema() -> None:
    schema = json.loads((DATA / "schemas/stationstaxi-0.1.2.tableschema.json").read_text())

    checks = {check["params"]["column"] for check in schema["custom_checks"]}
    assert [
        {
            "name": column.name,
            "type": column.kind,
            "constraints": {
                "required": column.required,
                **({"pattern": f"^{column.pattern.pattern}$"} if column.pattern else {}),
            },
        }
        for column in stations.COLUMNS
    ] == [
        {name: field[name] for name in ("name", "type", "constraints")}
        for field in schema["fields"]
    ]
    assert [column.name for column in stations.COLUMNS if column.unique] == [schema["primaryKey"]]
    assert {column.name for column in stations.COLUMNS if column.telephone} == checks
    assert {check["name"] for check in schema["custom_checks"]} == {"phone-number-value"}
    assert list(stations.MISSING) == schema["missingValues"]


@needs_data
def test_the_properties_are_those_of_the_published_json_schema() -> None:
    schema = json.loads((DATA / "schemas/stationstaxi-geojson.schema.json").read_text())

    feature = schema["properties"]["features"]["items"]
    assert feature["required"] == ["properties"]
    properties = feature["properties"]["properties"]
    columns = [column for column in stations.COLUMNS if column.kind != "geopoint"]
    assert [(column.name, column.kind) for column in columns] == [
        (name, stated["type"]) for name, stated in properties["properties"].items()
    ]
    assert {column.name: f"^{column.pattern.pattern}$" for column in columns if column.pattern} == {
        name: stated["pattern"]
        for name, stated in properties["properties"].items()
        if "pattern" in stated
    }
    assert [column.name for column in columns if column.required] == properties["required"]


@needs_data
@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("name", ["stations-france-sample.geojson", "stations-grenoble.csv"])
@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_the_published_stations_come_back_as_they_were_loaded(
    name: str, suffix: str, tmp_path: Path
) -> None:
    station_loads.load_stations(DATA / name, quiet=True)
    loaded = sorted(read(DATA / name), key=lambda station: station.station_id)
    exported = tmp_path / f"exported.{suffix}"

    exported.write_text(Caller(app).get(f"/stations/stations.{suffix}").text, newline="")

    assert list(service.stations()) == loaded
    assert read(exported) == loaded


# --- each constraint ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("id", "", "is missing"),
        ("id", "null", "is missing"),
        ("id", "38185-T-1", "is not of the form"),
        ("id", "38185-T-0001", "is not of the form"),
        ("id", "20185-T-001", "is not of the form"),
        ("id", "38185-T-00١", "is not of the form"),
        ("id", " 38185-T-001", "is not of the form"),
        ("nom", "", "is missing"),
        ("nom", " ", "is missing"),
        ("nom", "X" * 256, "is longer than 255"),
        ("insee", "", "is missing"),
        ("insee", "3818", "is not of the form"),
        ("insee", "2C004", "is not of the form"),
        ("geopoint", "", "is missing"),
        ("geopoint", "5.71", "is not a longitude and a latitude"),
        ("geopoint", "5.71, 45.18, 200", "is not a longitude and a latitude"),
        ("geopoint", "nan, 45", "is not a longitude and a latitude"),
        ("geopoint", "1_0, 45", "is not a longitude and a latitude"),
        ("geopoint", "180.1, 45", "a longitude within"),
        ("geopoint", "5.71, -90.1", "a latitude within"),
        ("adresse", "X" * 256, "is longer than 255"),
        ("emplacements", "six", "is not a whole number"),
        ("emplacements", "6.5", "is not a whole number"),
        ("emplacements", "-1", "is not a number of places"),
        ("emplacements", "10000", "is not a number of places"),
        ("no_appel", "0476", "is not a telephone number"),
        ("no_appel", "taxi", "is not a telephone number"),
        ("info", "X" * 256, "is longer than 255"),
    ],
)
def test_a_cell_that_breaks_the_schema_is_named_by_row_and_column(
    column: str, value: str, reason: str, tmp_path: Path
) -> None:
    good = {"id": "38185-T-009"}

    said = refused(a_csv(tmp_path, good, {column: value}))

    assert said.startswith(f"line 3, row 2, column {column}: ")
    assert reason in said


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("id", ABSENT, "is missing"),
        ("id", 38185, "38185 is not a text"),
        ("id", "38185-T-1", "is not of the form"),
        ("nom", ABSENT, "is missing"),
        ("nom", "null", "is missing"),
        ("nom", 5, "5 is not a text"),
        ("nom", "\ud800", "is no text"),
        ("insee", ABSENT, "is missing"),
        ("insee", 38185, "38185 is not a text"),
        ("insee", "3818", "is not of the form"),
        ("adresse", None, "None is not a text"),
        ("emplacements", "6", "'6' is not a whole number"),
        ("emplacements", "", "'' is not a whole number"),
        ("emplacements", True, "True is not a whole number"),
        ("emplacements", 6.5, "6.5 is not a whole number"),
        ("emplacements", -1, "-1 is not a number of places"),
        ("no_appel", 476544254, "is not a text"),
        ("no_appel", "0476", "is not a telephone number"),
        ("info", [], "[] is not a text"),
    ],
)
def test_a_property_that_breaks_the_schema_is_named_by_feature(
    name: str, value: object, reason: str, tmp_path: Path
) -> None:
    good = a_station(id="38185-T-009")

    said = refused(a_file(tmp_path / "stations", [good, a_station(**{name: value})]))

    assert said.startswith(f"line 2, feature 2, property {name}: ")
    assert reason in said


FAR = [[5 + number / 1000, 45.0] for number in range(200)]


@pytest.mark.parametrize(
    ("geometry", "reason"),
    [
        (None, "is missing"),
        ({"type": "LineString", "coordinates": [[5, 45], [6, 46]]}, "is a LineString, not a Point"),
        ({"type": "GeometryCollection", "geometries": []}, "is a GeometryCollection, not"),
        ({"type": "Point", "coordinates": [5]}, "is not a longitude and a latitude"),
        ({"type": "Point", "coordinates": ["5", "45"]}, "is not a longitude and a latitude"),
        ({"type": "Point", "coordinates": [True, 45]}, "is not a longitude and a latitude"),
        ({"type": "Point", "coordinates": [5, 91]}, "a latitude within"),
        ({"type": "Point"}, "None is not a longitude"),
        ({"type": "Polygon", "coordinates": [a_ring(5, 45, 6, 46)[:-1]]}, "a ring is not closed"),
        ({"type": "Polygon", "coordinates": [[[5, 45]] * 4]}, "has no inside"),
    ],
)
def test_a_station_s_geometry_is_a_point_or_polygons(
    geometry: object, reason: str, tmp_path: Path
) -> None:
    said = refused(a_file(tmp_path / "stations", [a_station(geometry=geometry)]))

    assert said.startswith("line 1, feature 1, geometry: ")
    assert reason in said


@pytest.mark.parametrize(
    "number", ["0476544254", "04 76 54 42 54", "+33 4 76 54 42 54", "0590 48 30 00", "3949", "115"]
)
def test_french_numbers_are_taken_short_ones_and_those_from_overseas_too(
    number: str, tmp_path: Path
) -> None:
    (station,) = read(a_csv(tmp_path, {"no_appel": number}))

    assert station.call_number == number


@pytest.mark.parametrize("value", ["", "null"])
def test_what_is_not_required_may_be_missing(value: str, tmp_path: Path) -> None:
    optional = dict.fromkeys(("adresse", "emplacements", "no_appel", "info"), value)

    (station,) = read(a_csv(tmp_path, optional))

    assert (station.address, station.places, station.call_number, station.info) == ("", 0, "", "")


def test_an_id_is_there_once_only(tmp_path: Path) -> None:
    said = refused(a_csv(tmp_path, {}, {"nom": "Other"}))

    assert said == ("line 3, row 2, column id: '38185-T-001' is there already, at line 2, row 1")


def test_json_may_write_a_whole_number_of_places_with_a_point(tmp_path: Path) -> None:
    (station,) = read(a_file(tmp_path / "stations", [a_station(emplacements=6.0)]))

    assert station.places == 6


# --- files ----------------------------------------------------------------------------------------


def test_columns_that_are_not_required_may_be_left_out(tmp_path: Path) -> None:
    (station,) = read(a_csv(tmp_path, {}, names=NAMES[:4]))

    assert (station.station_id, station.lng, station.lat) == ("38185-T-001", 5.71, 45.18)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("id", "nom", "geopoint"), "line 1: the column insee is missing"),
        ((*NAMES, "nom"), "line 1: the column nom is there more than once"),
    ],
)
def test_the_columns_themselves_are_checked(
    names: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    assert refused(a_csv(tmp_path, {}, names=names)) == reason


def test_a_row_of_too_few_values_is_named(tmp_path: Path) -> None:
    path = a_csv(tmp_path, {})
    path.write_text(path.read_text() + "38185-T-002;Gare\n")

    assert refused(path) == "line 3, row 2: 2 values for 8 columns"


@pytest.mark.parametrize(
    ("feature", "reason"),
    [
        ({"type": "Point", "coordinates": [5, 45]}, "not a GeoJSON Feature"),
        ({"type": "Feature", "geometry": None}, "the Feature has no properties"),
    ],
)
def test_what_is_no_feature_is_named(feature: object, reason: str, tmp_path: Path) -> None:
    path = a_file(tmp_path / "stations", [a_station(), feature])

    assert refused(path) == f"line 2, feature 2: {reason}"


@pytest.mark.usefixtures("store")
def test_every_fault_is_named_the_first_fifty_in_full_and_nothing_changes(tmp_path: Path) -> None:
    rows = [{"id": f"38185-T-{number:03}", "nom": ""} for number in range(60)]
    path = a_csv(tmp_path, {"insee": "1", "emplacements": "x"}, *rows[2:])

    with pytest.raises(FileFaulty) as caught:
        station_loads.load_stations(path, quiet=True)

    lines = str(caught.value).splitlines()
    assert lines[0] == f"{path}: 60 faults. Nothing was changed."
    assert lines[1].startswith("  line 2, row 1, column insee: ")
    assert lines[2].startswith("  line 2, row 1, column emplacements: ")
    assert lines[50] == "  line 50, row 49, column nom: is missing"
    assert lines[51:] == ["  and 10 more"]
    assert service.stations() == []


def test_a_file_without_stations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="line 1: there is no station in it"):
        stations.read(a_csv(tmp_path))


# --- drawn stations -------------------------------------------------------------------------------

RING = a_ring(5.7, 45.1, 5.7002, 45.1003)
HOLE = a_ring(5.70005, 45.1001, 5.7001, 45.1002)
OTHER = a_ring(5.8, 45.1, 5.8001, 45.1001)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "Polygon", "coordinates": [RING]},
        {"type": "Polygon", "coordinates": [RING, HOLE]},
        {"type": "MultiPolygon", "coordinates": [[RING, HOLE], [OTHER]]},
    ],
)
def test_a_drawn_station_is_shown_as_it_is_drawn_and_a_point_inside_in_the_csv(
    geometry: dict[str, Any], tmp_path: Path
) -> None:
    station_loads.load_stations(
        a_file(tmp_path / "drawn", [a_station(geometry=geometry)]), quiet=True
    )
    caller = Caller(app)

    (shown,) = caller.get("/stations/all").data
    exported = caller.get("/stations/stations.json").text
    (tmp_path / "csv").write_text(caller.get("/stations/stations.csv").text, newline="")

    assert shown["geojson"] == geometry
    (in_csv,) = read(tmp_path / "csv")
    assert borders.covers(geojson.shape(geometry), to_e7(LngLat(in_csv.lng, in_csv.lat)))
    (tmp_path / "json").write_text(exported)
    assert read(tmp_path / "json") == list(service.stations())
