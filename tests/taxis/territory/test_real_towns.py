"""The registry's towns against the public map of all of them, where the files are at hand."""

import gzip
import json
import os
import random
from pathlib import Path

import pytest

from chalicelib.foundation.geo import E7Point, LngLat
from chalicelib.taxis.territory import borders, service
from chalicelib.taxis.territory.borders import Shape
from chalicelib.taxis.territory.rules import departement_of
from ops.cli.territory import conurbations, drawing, items, loads, misplaced, station_loads, towns
from tests.taxis.territory.drawing import Tiles, corners, middles, round_about, towns_by_shapely

DATA = Path(os.environ.get("MARAUDE_SHARED_DATA") or Path(__file__).parents[4] / "shared" / "data")
TOWNS = DATA / "communes-2026.geojsonl.gz"

pytestmark = pytest.mark.skipif(
    not TOWNS.exists(), reason=f"{TOWNS.name} is not there (MARAUDE_SHARED_DATA names its folder)"
)


@pytest.fixture(scope="module")
def shapes() -> dict[str, Shape]:
    """Every town's outline."""
    return {town.insee: town.shape for town in towns.read(TOWNS, seen=lambda _: None)}


@pytest.fixture(scope="module")
def tiles(shapes: dict[str, Shape]) -> Tiles:
    """The whole country in tiles."""
    return Tiles(shapes)


def test_no_tile_of_the_country_costs_more_than_two_units(tiles: Tiles) -> None:
    assert len(tiles.items) > 1000
    assert max(map(items.item_bytes, tiles.items.values())) <= 2 * 4096


def test_every_kind_of_point_is_in_the_towns_that_shapely_finds(
    shapes: dict[str, Shape], tiles: Tiles
) -> None:
    drawn = random.Random(2026)
    overseas = [insee for insee in shapes if insee.startswith("97")]
    with_holes = [
        insee for insee, shape in shapes.items() if any(len(one.paths) > 1 for one in shape)
    ]
    sample = {
        *("75056", "69123", "13055", "33063", "2A004"),
        *drawn.sample(sorted(shapes), 60),
        *drawn.sample(overseas, 10),
        *drawn.sample(with_holes, 10),
    }
    on_borders = [point for insee in sample for point in corners(shapes[insee])]
    on_edges = [point for insee in sample for point in middles(shapes[insee])]
    beside = round_about(drawn.sample(on_borders + on_edges, 1000))
    anywhere = [
        E7Point(drawn.randint(-52_000_000, 97_000_000), drawn.randint(412_000_000, 512_000_000))
        for _ in range(5000)
    ]
    points = on_borders + on_edges + beside + anywhere

    wrong = [
        point
        for point, expected in zip(points, towns_by_shapely(shapes, points), strict=True)
        if tiles.towns_at(point) != tuple(sorted(expected))
    ]

    assert len(points) > 15_000
    assert wrong == []


def test_every_departement_has_a_point_in_one_of_its_towns(
    shapes: dict[str, Shape],
) -> None:
    points = drawing.departement_points(shapes)

    assert points.keys() == service.departement_names().keys()
    towns = towns_by_shapely(shapes, list(points.values()))
    for (number, point), found in zip(points.items(), towns, strict=True):
        assert {departement_of(insee) for insee in found} == {number}
        assert all(borders.covers(shapes[insee], point) for insee in found)


@pytest.mark.usefixtures("store")
def test_the_published_zones_load_and_hold_what_they_publish(
    capsys: pytest.CaptureFixture[str],
) -> None:
    loads.load_towns(DATA / "zupc-communes.geojson")

    loads.load_zones(DATA / "zupc.json")

    assert capsys.readouterr().out.count("looks misplaced: 0\n") == 2
    zones = service.zones()
    assert len(zones) == 37
    paris = service.place_of(LngLat(2.35, 48.85))
    assert paris.towns == ("75056",)
    assert len(paris.allowed) == 80
    assert len(service.drawn_zones()) == 37


@pytest.mark.usefixtures("store")
def test_of_the_published_files_only_three_stations_look_misplaced(
    shapes: dict[str, Shape], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Those of Juan-les-Pins, which the published sample has 23 km out at sea.
    listed = json.loads((DATA / "stations-france-sample.geojson").read_text())["features"]
    departements = {departement_of(station["properties"]["insee"]) for station in listed}
    some = tmp_path / "towns.geojsonl"
    with gzip.open(TOWNS, "rt", encoding="utf-8") as lines:
        some.write_text(
            "".join(
                line
                for line in lines
                if departement_of(json.loads(line)["properties"]["insee"]) in departements
            )
        )
    loads.load_towns(some)
    for name in ("stations-france-sample.geojson", "stations-grenoble.csv"):
        station_loads.load_stations(DATA / name)

    looks = [line for line in capsys.readouterr().out.splitlines() if "misplaced" in line]

    middles = {insee: misplaced.middle(shape) for insee, shape in shapes.items()}
    assert misplaced.of_towns(middles, {}) == {}
    assert looks[0] == looks[2] == "looks misplaced: 0"
    first, *stations = looks[1].split("; line ")
    assert first == "looks misplaced: 3"
    assert [one.split(" (")[1].split(")")[0] for one in stations] == [
        *("06004-T-002", "06004-T-003", "06004-T-014")
    ]
    assert all(one.endswith(misplaced.NOWHERE) for one in stations)


@pytest.mark.usefixtures("store")
def test_the_zones_codes_as_published_follow_the_list_of_mergers(tmp_path: Path) -> None:
    loads.load_towns(DATA / "zupc-communes.geojson", quiet=True)
    published = json.loads((DATA / "zupc.json").read_text())
    present = {zone["zupc_id"]: {*zone.pop("insee_2026")} for zone in published["zones"]}
    file = tmp_path / "zupc.json"
    file.write_text(json.dumps(published))

    loads.load_zones(file, merges=DATA / "communes-fusions-2018-2026.csv", quiet=True)

    assert {zone.zone_id: zone.members for zone in service.zones()} == {
        zone_id: members for zone_id, members in present.items() if members
    }


def test_every_member_of_the_conurbations_that_come_with_the_registry_is_a_town(
    shapes: dict[str, Shape],
) -> None:
    listed = conurbations.read(Path(loads.__file__).with_name("conurbations.json"))

    members = {insee for one in listed for insee in one.conurbation.members}

    assert members <= shapes.keys()


@pytest.mark.usefixtures("store")
def test_the_published_stations_load_in_both_forms() -> None:
    station_loads.load_stations(DATA / "stations-france-sample.geojson", quiet=True)
    station_loads.load_stations(DATA / "stations-grenoble.csv", quiet=True)

    stations = {station.station_id: station for station in service.stations()}

    assert len(stations) == 425
    assert stations["38185-T-001"].places == 6
