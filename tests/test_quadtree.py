import random
from math import cos, pi, radians, sin, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import geo
from chalicelib.geo import E7, Circle, LngLat
from chalicelib.quadtree import Quadtree

CENTRES = [
    LngLat(2.3522, 48.8566),
    LngLat(179.9999, -16.5),
    LngLat(-180.0, 51.2),
    LngLat(25.0, 85.05),
    LngLat(0.0, 0.0),
    LngLat(-61.53, -85.05),
]


def a_tree(rng: random.Random, centre: LngLat, count: int = 60) -> Quadtree:
    """Splits of any depth near a centre."""
    splits = []
    for _ in range(count):
        lng = (centre.lng + rng.gauss(0, 0.3) / cos(radians(centre.lat)) + 180) % 360 - 180
        lat = max(-90.0, min(90.0, centre.lat + rng.gauss(0, 0.1)))
        finest = geo.finest_cell(round(lng * E7), round(lat * E7))
        splits.append(geo.ancestor(finest, rng.randint(9, 17)))
    return Quadtree(splits)


@pytest.mark.parametrize("centre", CENTRES)
@pytest.mark.parametrize("radius_m", [20.0, 500.0, 3000.0])
def test_no_leaf_that_a_circle_touches_is_missing_from_its_cover(
    centre: LngLat, radius_m: float
) -> None:
    """Against brute force: points all over the circle and on its edge, over the date line too."""
    rng = random.Random(f"{centre} {radius_m}")
    for _ in range(4):
        tree = a_tree(rng, centre)
        cover = tree.leaves_touching(Circle(centre, radius_m))
        assert len(cover) == len(set(cover))
        for _ in range(500):
            far_m = radius_m * sqrt(rng.random()) if rng.random() < 0.7 else radius_m
            angle = rng.uniform(0, 2 * pi)
            lat = centre.lat + far_m * sin(angle) / geo.METRES_A_DEGREE
            lng = centre.lng + far_m * cos(angle) / geo.METRES_A_DEGREE / cos(radians(lat))
            point = LngLat((lng + 180) % 360 - 180, lat)
            if geo.distance_m(centre, point) <= radius_m:
                leaf = tree.leaf(geo.finest_cell(round(point.lng * E7), round(lat * E7)))
                assert leaf in cover


@pytest.mark.parametrize("seed", range(20))
def test_a_tree_comes_back_from_its_bytes(seed: int) -> None:
    rng = random.Random(seed)
    tree = a_tree(rng, rng.choice(CENTRES), rng.randrange(80))

    assert Quadtree.from_bytes(tree.to_bytes()) == tree


@given(st.binary(max_size=60))
def test_any_bytes_are_a_tree_or_a_value_error(packed: bytes) -> None:
    try:
        tree = Quadtree.from_bytes(packed)
    except ValueError:
        return
    assert Quadtree.from_bytes(tree.to_bytes()) == tree


@pytest.mark.parametrize("seed", range(5))
def test_every_point_has_one_leaf_and_it_is_not_split(seed: int) -> None:
    rng = random.Random(seed)
    tree = a_tree(rng, CENTRES[0])
    for _ in range(500):
        finest = geo.finest_cell(rng.randrange(-10 * E7, 10 * E7), rng.randrange(40 * E7, 55 * E7))
        leaf = tree.leaf(finest)

        assert geo.ancestor(finest, geo.level(leaf)) == leaf
        assert leaf not in tree.splits
        assert geo.level(leaf) == 9 or leaf >> 2 in tree.splits
        assert list(tree.leaves_under(finest)) == [leaf]


@pytest.mark.parametrize("level", [8, 18])
def test_cells_that_are_never_split_are_refused(level: int) -> None:
    with pytest.raises(ValueError, match="never split"):
        Quadtree([geo.ancestor(geo.finest_cell(0, 0), level)])
