"""Recorded trips as something that moves."""

from pathlib import Path

import pytest

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

    assert trips.read(path) == [Trip(((1, 2), (3, 4)))]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("trip,way\n1,x\n", "no column `polyline`"),
        ('trip,polyline\n1,"[[1,2],[3,4]]"\n2,"[[1,2],[3]]"\n', "line 3"),
        ("trip,polyline\n1,nothing\n", "line 2"),
    ],
)
def test_a_file_that_is_no_recording_is_refused_with_its_line(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(trips.TripsUnreadable, match=reason):
        trips.read(a_file(tmp_path, text))


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(trips.TripsUnreadable, match="cannot be read"):
        trips.read(tmp_path / "none.csv")


def test_a_drawn_way_becomes_points_at_even_steps() -> None:
    trip = trips.along([(2.0, 48.0), (2.0, 48.01), (2.0, 48.02)], step_m=555)

    assert trip.points[0] == (2.0, 48.0)
    assert trip.points[-1] == pytest.approx((2.0, 48.02))
    assert len(trip.points) == 5
    assert trip.points[1] == pytest.approx((2.0, 48.005))
