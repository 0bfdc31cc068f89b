"""The point that stands for all that happened in a town, and hails that are blurred to it."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.foundation.geo import LngLat, to_e7
from chalicelib.taxis.hails import retention
from chalicelib.taxis.hails.rules import Status
from chalicelib.taxis.territory import service as territory
from chalicelib.taxis.territory.borders import Outline, covers
from chalicelib.taxis.territory.interior import interior_point
from tests.taxis.hails.hail_factories import CUSTOMER, TAXI, Scene
from tests.taxis.territory import loaded
from tests.taxis.territory.drawing import a_polygon, a_rectangle

M = 1_000_000


@pytest.mark.parametrize(
    "outlines",
    [
        [a_rectangle(0, 0, M, M)],
        # a horseshoe, whose middle is outside
        [a_polygon([(0, 0), (9 * M, 0), (9 * M, 9 * M), (8 * M, 9 * M), (8 * M, M), (0, M)])],
        # a hole in the middle
        [
            a_polygon(
                [(0, 0), (9 * M, 0), (9 * M, 9 * M), (0, 9 * M)],
                [(M, M), (M, 8 * M), (8 * M, 8 * M), (8 * M, M)],
            )
        ],
        [a_rectangle(0, 0, 3, 3), a_rectangle(5 * M, 0, 6 * M, M)],
    ],
)
def test_the_point_is_inside_however_a_town_is_shaped(outlines: list[Outline]) -> None:
    point = interior_point(tuple(outlines))

    assert point is not None
    assert covers(tuple(outlines), point)


CORNER = st.tuples(st.integers(-M, M), st.integers(-M, M))


@given(st.tuples(CORNER, CORNER, CORNER))
def test_the_point_is_inside_any_triangle_or_there_is_none(
    corners: tuple[tuple[int, int], tuple[int, int], tuple[int, int]],
) -> None:
    triangle = (a_polygon(corners),)

    point = interior_point(triangle)

    assert point is None or covers(triangle, point)


def test_nothing_is_inside_a_town_without_borders() -> None:
    assert interior_point(()) is None


def test_a_hail_is_blurred_to_the_point_of_its_town(store: None, tmp_path: Path) -> None:  # noqa: ARG001
    loaded.load_towns(tmp_path)
    scene = Scene(with_towns=False)
    hail = scene.hail(Status.FINISHED)

    retention.blur(now=scene.now + timedelta(days=61))

    blurred = scene.read(hail)
    inside = territory.interior_point(loaded.PARIS)
    assert inside is not None
    assert territory.place_of(inside).towns == (loaded.PARIS,)
    assert (blurred.customer_lon, blurred.customer_lat) == inside
    assert (blurred.initial_taxi_lon, blurred.initial_taxi_lat) == inside
    assert to_e7(LngLat(*inside)) not in (to_e7(CUSTOMER), to_e7(TAXI))


def test_no_town_has_a_point_that_is_not_known(store: None, tmp_path: Path) -> None:  # noqa: ARG001
    loaded.load_towns(tmp_path)

    assert territory.interior_point("75057") is None
    assert territory.interior_point("") is None
