"""Recorded trips as something that moves."""

import json
from pathlib import Path

import pytest

from ops.cli import main
from ops.local import trips
from ops.local.trips import Trip

THERE = Trip(((0.0, 0.0), (1.0, 0.0), (1.0, 2.0)))


@pytest.mark.parametrize(
    ("elapsed_s", "where"),
    [
        (0, (0, 0)),
        (7.5, (0.5, 0)),
        (15, (1, 0)),
        (30, (1, 2)),
        (37.5, (1, 1)),
        (60, (0, 0)),
        (67.5, (0.5, 0)),
    ],
)
def test_a_car_that_goes_on_drives_there_and_back(
    elapsed_s: float, where: tuple[float, float]
) -> None:
    assert THERE.at(elapsed_s, again=True) == pytest.approx(where)


def test_a_car_waits_at_the_end_of_its_trip() -> None:
    assert THERE.at(15) == (1, 0)
    assert THERE.at(31) == THERE.at(1e9) == (1, 2)


def test_a_shift_is_added_to_every_point() -> None:
    assert trips.shifted([THERE], (10, 5))[0].points == ((10, 5), (11, 5), (11, 7))


def test_a_shift_off_the_map_is_refused() -> None:
    with pytest.raises(trips.TripsUnreadable, match="off the map"):
        trips.shifted([THERE], (0, 84))


def a_file(folder: Path, text: str) -> Path:
    path = folder / "trips.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_recording_of_one_point_is_left_out(tmp_path: Path) -> None:
    path = a_file(tmp_path, 'trip,polyline\n1,"[[1,2]]"\n2,"[[1,2],[3,4]]"\n')

    assert trips.read(path) == [Trip(((1, 2), (3, 4)), line=3)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("trip,way\n1,x\n", "column polyline is missing"),
        ('trip,polyline\n1,"[[1,2],[3,4]]"\n2,"[[1,2],[3]]"\n', "line 3"),
        ("trip,polyline\n1,nothing\n", "line 2"),
    ],
)
def test_a_file_that_is_no_recording_is_refused_with_its_line(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(trips.TripsUnreadable, match=reason):
        trips.read(a_file(tmp_path, text))


def test_the_published_recording_of_porto_is_read_under_its_own_header(tmp_path: Path) -> None:
    path = a_file(
        tmp_path,
        '"TRIP_ID","CALL_TYPE","ORIGIN_CALL","ORIGIN_STAND","TAXI_ID","TIMESTAMP","DAY_TYPE",'
        '"MISSING_DATA","POLYLINE"\n'
        '"1372636858620000589","C","","","20000589","1372636858","A","False",'
        '"[[-8.618643,41.141412],[-8.618499,41.141376]]"\n'
        '"1372637303620000596","B","","7","20000596","1372637303","A","False","[]"\n',
    )

    assert trips.read(path) == [Trip(((-8.618643, 41.141412), (-8.618499, 41.141376)), line=2)]


def test_a_recording_may_begin_with_a_mark_of_its_order_of_bytes(tmp_path: Path) -> None:
    path = a_file(tmp_path, '\ufeffpolyline\n"[[1,2],[3,4]]"\n')

    assert trips.read(path) == [Trip(((1, 2), (3, 4)), line=2)]


def test_a_trip_of_a_day_is_read_whole(tmp_path: Path) -> None:
    points = [[2.123456, 48.123456]] * 20_000
    path = a_file(tmp_path, f'polyline\n"{json.dumps(points)}"\n')

    assert len(trips.read(path)[0].points) == 20_000


def test_only_as_many_trips_are_read_as_are_driven(tmp_path: Path) -> None:
    path = a_file(tmp_path, 'polyline\n"[[1,2],[3,4]]"\n"[[5,6],[7,8]]"\nno polyline\n')

    assert len(trips.read(path, most=2)) == 2


@pytest.mark.parametrize(
    "point", ["[NaN,4]", "[3,Infinity]", "[181,4]", "[3,91]", '["3",4]', "[3]"]
)
def test_a_point_that_is_nowhere_is_refused_with_its_line(point: str, tmp_path: Path) -> None:
    path = a_file(
        tmp_path, f"polyline\n'[[1,2],{point}]'\n".replace("'", '"').replace('"3"', '""3""')
    )

    with pytest.raises(trips.TripsUnreadable, match="line 2: polyline must be"):
        trips.read(path)


@pytest.mark.parametrize("shift", ["nan,1", "1,inf", "1", "a,b"])
def test_a_shift_that_is_no_number_of_degrees_is_refused(
    shift: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main.main(["replay", "trips.csv", f"--shift={shift}"])

    assert "is not LON,LAT" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(trips.TripsUnreadable, match="cannot be read"):
        trips.read(tmp_path / "none.csv")


def test_a_drawn_way_becomes_points_at_even_steps() -> None:
    trip = trips.along([(2.0, 48.0), (2.0, 48.01), (2.0, 48.02)], step_m=555)

    assert trip.points[0] == (2.0, 48.0)
    assert trip.points[-1] == pytest.approx((2.0, 48.02))
    assert len(trip.points) == 5
    assert trip.points[1] == pytest.approx((2.0, 48.005))
