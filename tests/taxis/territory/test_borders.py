"""Borders: exact on every corner, edge and neighbouring centimetre; packed and unpacked unchanged."""

import math
import random

import pytest
import shapely
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from chalicelib.foundation import geo
from chalicelib.foundation.geo import E7, E7Point
from chalicelib.taxis.territory import borders
from chalicelib.taxis.territory.borders import Outline
from chalicelib.taxis.territory.rules import Exclusion, is_excluded
from ops.cli.territory.tiles import reach
from tests.taxis.territory.drawing import (
    Tiles,
    a_polygon,
    a_rectangle,
    corners,
    drawn,
    middles,
    round_about,
    towns_by_shapely,
)

# Where the polygons are drawn: Paris, the corner of four root cells, Réunion, the world's east edge.
CENTRES = ((23_500_000, 488_500_000), (0, 0), (555_000_000, -211_000_000), (1_797_000_000, 10))


@st.composite
def polygons(draw: st.DrawFn, step: int = 2_000) -> Outline:
    """A star-shaped polygon of up to some 50 km, now and then with a hole, on a lattice of `step`."""
    west, south = draw(st.sampled_from(CENTRES))
    turns = sorted(draw(st.sets(st.integers(0, 23), min_size=3, max_size=14)))
    size = draw(st.sampled_from((3, 40, 900)))
    lengths = [draw(st.integers(size, 2 * size)) for _ in turns]
    centre = (
        west // step * step + draw(st.integers(0, 4)) * step * size,
        south // step * step + draw(st.integers(0, 4)) * step * size,
    )

    def ring(scale: float) -> list[tuple[int, int]]:
        return [
            (
                centre[0] + step * round(scale * length * math.cos(turn * math.pi / 12)),
                centre[1] + step * round(scale * length * math.sin(turn * math.pi / 12)),
            )
            for turn, length in zip(turns, lengths, strict=True)
        ]

    outline = a_polygon(ring(1), ring(0.4)) if draw(st.booleans()) else a_polygon(ring(1))
    assume(drawn(outline).is_valid)
    assume(all(-180 * E7 <= x <= 180 * E7 for x, _ in corners((outline,))))
    return outline


def interesting(*outlines: Outline) -> list[E7Point]:
    """Corners, middles of edges, their neighbours, and points strewn over the whole."""
    points = corners(outlines)
    west, east = min(x for x, _ in points), max(x for x, _ in points)
    south, north = min(y for _, y in points), max(y for _, y in points)
    strewn = random.Random(len(points))
    return [
        point
        for point in [
            *round_about(points + middles(outlines)),
            *(
                E7Point(strewn.randint(west - 9, east + 9), strewn.randint(south - 9, north + 9))
                for _ in range(40)
            ),
            *(E7Point(strewn.randint(west, east), y) for _, y in points),
        ]
        if abs(point.lng_e7) <= 180 * E7
    ]


@given(outline=polygons(), eastward=st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_polygon_covers_what_shapely_says_whichever_way_the_ray_goes(
    outline: Outline, *, eastward: bool
) -> None:
    points = interesting(outline)

    found = [Outline(outline.paths, eastward).covers(point) for point in points]

    assert found == list(shapely.intersects_xy(drawn(outline), points))


@given(outlines=st.lists(polygons(step=1), max_size=3) | st.lists(polygons(step=7_000), max_size=3))
@settings(max_examples=40, deadline=None)
def test_outlines_come_back_from_their_bytes_unchanged(outlines: list[Outline]) -> None:
    assert borders.unpack(borders.pack(outlines)) == tuple(outlines)


@given(
    outlines=st.lists(polygons(), min_size=1, max_size=4), room=st.sampled_from((260, 400, 8192))
)
@settings(max_examples=60, deadline=None)
def test_tiles_of_any_size_find_the_same_towns_as_shapely(
    outlines: list[Outline], room: int
) -> None:
    shapes = {f"{number:05}": (outline,) for number, outline in enumerate(outlines)}
    points = interesting(*outlines)

    tiles = Tiles(shapes, room=room)

    assert [set(tiles.towns_at(point)) for point in points] == towns_by_shapely(shapes, points)


def test_a_tile_that_is_too_full_is_split_and_its_parts_fit() -> None:
    rows = {
        f"{row:02}{column:03}": (
            a_rectangle(column * 10_000, row * 10_000, (column + 1) * 10_000, (row + 1) * 10_000),
        )
        for row in range(20)
        for column in range(20)
    }

    tiles = Tiles(rows, room=600)

    assert max(tiles.levels()) > 12
    assert tiles.towns_at(E7Point(10_000, 10_000)) == ("00000", "00001", "01000", "01001")
    assert tiles.towns_at(E7Point(10_001, 10_001)) == ("01001",)


def test_a_tile_that_no_border_comes_near_is_still_in_its_town() -> None:
    guiana = {"97300": (a_rectangle(-545_000_000, 20_000_000, -515_000_000, 58_000_000),)}

    tiles = Tiles(guiana)

    assert tiles.towns_at(E7Point(-530_000_000, 40_000_000)) == ("97300",)
    assert tiles.towns_at(E7Point(-546_000_000, 40_000_000)) == ()


@given(
    point=st.tuples(st.integers(-180 * E7, 180 * E7), st.integers(-90 * E7, 90 * E7)),
    level=st.integers(9, 18),
)
@settings(max_examples=100, deadline=None)
@example(point=(180 * E7, 90 * E7), level=9)
@example(point=(0, 0), level=18)
def test_a_cell_reaches_exactly_as_far_as_the_points_that_the_grid_puts_into_it(
    point: tuple[int, int], level: int
) -> None:
    cell = geo.ancestor(geo.finest_cell(*point), level)

    west, south, east, north = reach(cell)

    for x, y, inside in (
        (west, south, True),
        (east, north, True),
        (west - 1, south, False),
        (west, south - 1, False),
        (east + 1, north, False),
        (east, north + 1, False),
    ):
        if abs(x) <= 180 * E7 and abs(y) <= 90 * E7:
            assert (geo.ancestor(geo.finest_cell(x, y), level) == cell) is inside


@pytest.mark.parametrize(
    ("point", "inside"),
    [
        (E7Point(0, 5), True),  # on the western side
        (E7Point(10, 10), True),  # a corner
        (E7Point(5, 10), True),  # on the northern side, which lies along a parallel
        (E7Point(5, 11), False),
        (E7Point(4, 5), True),  # on the hole's border
        (E7Point(5, 5), False),  # in the hole
        (E7Point(-1, 4), False),  # west of two corners of the hole
    ],
)
def test_a_border_point_is_inside_and_a_hole_is_outside(point: E7Point, *, inside: bool) -> None:
    square = a_polygon([(0, 0), (10, 0), (10, 10), (0, 10)], [(4, 4), (6, 4), (6, 6), (4, 6)])

    assert borders.covers((square,), point) == inside


def test_of_two_polygons_that_overlap_either_covers_the_point() -> None:
    overlapping = (a_rectangle(0, 0, 10, 10), a_rectangle(5, 5, 15, 15))

    assert borders.covers(overlapping, E7Point(7, 7))
    assert Tiles({"75056": overlapping}).towns_at(E7Point(7, 7)) == ("75056",)


def test_an_exclusion_is_its_exact_shape_and_not_its_bounding_box() -> None:
    triangle = Exclusion("way/1", "", (a_polygon([(100, 100), (300, 100), (100, 300)]),))

    assert is_excluded(E7Point(200, 200), [triangle])  # on the long side
    assert not is_excluded(E7Point(201, 200), [triangle])  # a centimetre beyond, in the box
    assert not is_excluded(E7Point(290, 290), [triangle])


def test_the_point_zero_is_never_excluded() -> None:
    everywhere = Exclusion("way/1", "", (a_rectangle(-100, -100, 100, 100),))

    assert is_excluded(E7Point(0, 1), [everywhere])
    assert not is_excluded(E7Point(0, 0), [everywhere])
