"""What looks misplaced in the files that are loaded, and what does not."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from chalicelib.foundation.geo import LngLat
from ops.cli import replay
from ops.cli.territory import conurbations, exclusions, loads, misplaced, station_loads
from ops.cli.territory.misplaced import ELSEWHERE, NOWHERE, SWAPPED, Misplaced
from ops.errors import CannotGoOn
from ops.local.trips import Trip
from tests.taxis.territory.loaded import (
    BORDEAUX,
    CHARENTON,
    EXCLUDED,
    MULHOUSE,
    PARIS,
    RINGS,
    a_feature,
    a_file,
    a_ring,
    a_town,
    a_zone,
    load_towns,
    zones_file,
)

# Rectangles of a town and of its neighbour in another departement, and of one overseas.
MAP = {
    "38185": (5.68, 45.15, 5.75, 45.21),
    "73008": (5.90, 45.67, 5.95, 45.73),
    "97209": (-61.11, 14.58, -61.02, 14.70),
}
GRENOBLE, FORT_DE_FRANCE = LngLat(5.71, 45.18), LngLat(-61.06, 14.61)


def towns_at(point: LngLat) -> Sequence[str]:
    assert abs(point.lat) <= 90  # no map has another
    return [
        insee
        for insee, (west, south, east, north) in MAP.items()
        if west <= point.lng <= east and south <= point.lat <= north
    ]


@pytest.mark.parametrize(
    ("point", "insee", "looks"),
    [
        (GRENOBLE, "38185", ""),
        (GRENOBLE, "", ""),
        (LngLat(5.754, 45.18), "38185", ""),  # 300 m beside the town
        (LngLat(5.768, 45.18), "38185", ""),  # 1.4 km
        (LngLat(5.80, 45.18), "38185", NOWHERE),  # 4 km
        (LngLat(45.18, 5.71), "38185", SWAPPED),
        (LngLat(45.18, 5.71), "", SWAPPED),
        (LngLat(5.92, 45.70), "38185", ELSEWHERE),
        (LngLat(5.92, 45.70), "", ""),
        (LngLat(0, 0), "38185", NOWHERE),
        (LngLat(179.9999, 89.9999), "", NOWHERE),
        (FORT_DE_FRANCE, "97209", ""),
        (FORT_DE_FRANCE, "38185", ELSEWHERE),
        (LngLat(14.61, -61.06), "97209", SWAPPED),
        (LngLat(165.9, -21.5), "97209", NOWHERE),  # no latitude when swapped
    ],
)
def test_a_point_is_measured_by_the_borders_of_the_departement_s_towns(
    point: LngLat, insee: str, looks: str
) -> None:
    assert misplaced.of_point(point, towns_at, insee=insee) == looks


@pytest.mark.parametrize(
    ("point", "looks"),
    [
        (LngLat(5.3, 45.5), ""),
        (GRENOBLE, ""),
        (LngLat(45.5, 5.3), SWAPPED),
        (LngLat(5.92, 45.70), ELSEWHERE),
        (FORT_DE_FRANCE, ELSEWHERE),
        (LngLat(-30, 45), NOWHERE),
    ],
)
def test_the_point_of_a_town_that_is_not_loaded_may_be_anywhere_between_the_loaded_ones(
    point: LngLat, looks: str
) -> None:
    assert misplaced.of_point(point, towns_at, insee="38999", known=False) == looks


@pytest.mark.parametrize(
    ("insee", "point", "looks"),
    [
        ("38001", LngLat(5.5, 45.5), None),
        ("38001", LngLat(45.5, 5.5), SWAPPED),
        ("38001", LngLat(5.5, 46.2), ELSEWHERE),  # 80 km from the others
        ("38001", LngLat(2.35, 48.85), ELSEWHERE),
        ("38001", LngLat(-30, 45), ELSEWHERE),
        ("90010", LngLat(2.35, 48.85), None),  # the only one of its departement
        ("97105", LngLat(-61.7, 16.0), None),
        ("97105", LngLat(16.0, -61.7), SWAPPED),
        ("97105", LngLat(-61.0, 14.6), ELSEWHERE),
        ("97353", LngLat(-54.0, 4.0), None),
        ("97353", LngLat(4.0, -54.0), SWAPPED),
        ("97411", LngLat(55.45, -20.9), None),
        ("97608", LngLat(-12.78, 45.23), SWAPPED),
        ("2A004", LngLat(8.74, 41.92), None),
        ("98818", LngLat(166.45, -22.27), None),
    ],
)
def test_a_town_is_measured_by_its_part_of_france_and_the_towns_of_its_departement(
    insee: str, point: LngLat, looks: str | None
) -> None:
    known = {
        "38185": GRENOBLE,
        "38002": LngLat(5.4, 45.4),
        "97302": LngLat(-52.3, 4.9),
        "2B033": LngLat(9.45, 42.70),
    }

    assert misplaced.of_towns({insee: point}, known).get(insee) == looks


def test_a_departement_that_is_swapped_as_a_whole_is_found_out() -> None:
    drawn = {f"380{number:02}": LngLat(45.2 + number / 100, 5.7) for number in range(1, 20)}

    assert misplaced.of_towns(drawn, {}) == dict.fromkeys(drawn, SWAPPED)


def test_a_town_that_moves_far_is_measured_by_what_was_loaded_not_by_itself() -> None:
    moved = {"38185": LngLat(2.0, 47.0), "38002": LngLat(2.1, 47.0)}

    found = misplaced.of_towns(moved, {"38185": GRENOBLE, "38002": LngLat(5.4, 45.4)})

    assert found == dict.fromkeys(moved, ELSEWHERE)
    assert misplaced.of_towns({"75056": GRENOBLE}, {"75056": LngLat(2.35, 48.85)}) == {
        "75056": ELSEWHERE
    }


def test_the_first_three_are_named() -> None:
    found = [Misplaced(f"line {number}", "it", "looks odd") for number in range(1, 6)]

    assert misplaced.sentence(found) == (
        "looks misplaced: 5; line 1 (it) looks odd; line 2 (it) looks odd; line 3 (it) looks odd"
    )
    assert misplaced.sentence([]) == "looks misplaced: 0"


# --- loads ----------------------------------------------------------------------------------------


@pytest.fixture
def folder(store: object, tmp_path: Path) -> Path:  # noqa: ARG001  # the tables
    return tmp_path


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.splitlines()[-1]


def test_a_load_of_towns_ends_with_those_that_look_misplaced(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (west, south), _, (east, north), *_ = RINGS[BORDEAUX][1]
    towns = [
        a_town(PARIS, *RINGS[PARIS]),
        a_town(BORDEAUX, "Bordeaux", a_ring(south, west, north, east)),
    ]

    loads.load_towns(a_file(folder / "towns", towns))

    assert last_line(capsys) == f"looks misplaced: 1; line 2 (33063 Bordeaux) {SWAPPED}"


@pytest.mark.parametrize("again", [False, True])
def test_a_load_of_zones_ends_with_the_towns_that_are_far_from_the_others(
    again: bool,  # noqa: FBT001  # a table
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    load_towns(folder)
    path = zones_file(folder, a_zone(PARIS, CHARENTON, BORDEAUX))
    if again:
        loads.load_zones(path, quiet=True)

    loads.load_zones(path)

    assert last_line(capsys) == (
        "looks misplaced: 1; zupc.json, line 4 (33063 of ZUPC des taxis parisiens) looks far from the others"
    )


def test_a_load_of_conurbations_ends_with_the_towns_that_are_far_from_the_others(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_towns(folder)
    path = folder / "conurbations.json"
    path.write_text(
        '[{"conurbation_id": "x", "name": "X", "members": ["75056", "94018", "68224"]}]'
    )

    conurbations.load_conurbations(path)

    assert last_line(capsys) == "looks misplaced: 1; line 1 (68224 of X) looks far from the others"


def test_a_load_of_stations_ends_with_those_that_look_misplaced(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_towns(folder, PARIS, BORDEAUX)
    path = folder / "stations.csv"
    places = {
        "75056-T-001": "2.35, 48.85",
        "75056-T-002": "48.85, 2.35",
        "33063-T-001": "2.35, 48.85",
        "75056-T-003": "2.35, 47.0",
        "69123-T-001": "4.8, 45.7",
        "69123-T-002": "45.7, 4.8",
    }
    path.write_text(
        "id;nom;insee;geopoint;adresse;emplacements;no_appel;info\n"
        + "".join(f'{one};X;{one[:5]};"{where}";;;;\n' for one, where in places.items())
    )

    station_loads.load_stations(path)

    assert last_line(capsys) == (
        f"looks misplaced: 4; line 3, row 2 (75056-T-002) {SWAPPED}; "
        f"line 4, row 3 (33063-T-001) {ELSEWHERE}; line 5, row 4 (75056-T-003) {NOWHERE}"
    )


@pytest.mark.parametrize(
    ("ring", "said"),
    [
        (RINGS[MULHOUSE][1], "looks misplaced: 0"),
        (
            [[lat, lng] for lng, lat in RINGS[MULHOUSE][1]],
            f"looks misplaced: 1; line 1 (way/1) {SWAPPED}",
        ),
        (EXCLUDED, f"looks misplaced: 1; line 1 (way/1) {NOWHERE}"),
    ],
)
def test_a_load_of_an_exclusion_ends_with_whether_it_looks_misplaced(
    ring: Sequence[Sequence[float]],
    said: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    load_towns(folder, MULHOUSE)
    feature = a_feature({"name": "Somewhere"}, [ring], id="way/1")

    exclusions.load_exclusion(a_file(folder / "exclusion", [feature]))

    assert last_line(capsys) == said


# --- recorded trips -------------------------------------------------------------------------------


def test_trips_that_leave_the_map_are_named_with_their_first_such_point() -> None:
    fine = Trip(((5.70, 45.18), (5.71, 45.18)), line=2)
    swapped = Trip(((5.70, 45.18), (45.18, 5.71), (45.18, 5.72)), line=3)
    at_sea = Trip(((5.70, 45.18), (5.71, 45.18), (-3.0, 45.18)), line=4)

    found = replay.look([fine, swapped, at_sea, swapped], towns_at)

    assert found == [
        Misplaced("line 3", "point 2", SWAPPED),
        Misplaced("line 4", "point 3", NOWHERE),
    ]


@pytest.mark.parametrize(
    ("start", "said"), [((45.18, 5.71), f"It {SWAPPED}."), ((-3.0, 45.18), "--shift.")]
)
def test_a_trip_that_starts_in_no_town_is_refused_and_said_to_be_swapped_where_it_is(
    start: tuple[float, float], said: str
) -> None:
    with pytest.raises(CannotGoOn) as refused:
        replay.cars([Trip((start, start), line=7)], towns_at)

    assert str(refused.value).startswith("Trip 1 (line 7) starts at ")
    assert str(refused.value).endswith(said)
