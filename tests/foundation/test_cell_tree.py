import random
from collections.abc import Callable
from functools import partial
from math import cos, pi, radians, sin, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.foundation import geo
from chalicelib.foundation.cell_tree import CellTree
from chalicelib.foundation.geo import E7, Circle, LngLat

CENTRES = [
    LngLat(2.3522, 48.8566),
    LngLat(179.9999, -16.5),
    LngLat(-180.0, 51.2),
    LngLat(25.0, 85.05),
    LngLat(0.0, 0.0),
    LngLat(-61.53, -85.05),
]


def a_tree(rng: random.Random, centre: LngLat, count: int = 60) -> CellTree:
    """Splits of any depth near a centre."""
    splits = []
    for _ in range(count):
        lng = (centre.lng + rng.gauss(0, 0.3) / cos(radians(centre.lat)) + 180) % 360 - 180
        lat = max(-90.0, min(90.0, centre.lat + rng.gauss(0, 0.1)))
        finest = geo.finest_cell(round(lng * E7), round(lat * E7))
        splits.append(finest >> rng.randint(1, 18))
    return CellTree(splits)


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

    assert CellTree.from_bytes(tree.to_bytes()) == tree


@given(st.binary(max_size=60))
@pytest.mark.parametrize("read", [CellTree.from_bytes, partial(CellTree.from_bytes, in_four=True)])
def test_any_bytes_are_a_tree_or_a_value_error(
    read: Callable[[bytes], CellTree], packed: bytes
) -> None:
    try:
        tree = read(packed)
    except ValueError:
        return
    assert CellTree.from_bytes(tree.to_bytes()) == tree


@pytest.mark.parametrize("seed", range(5))
def test_every_point_has_one_leaf_and_it_is_not_split(seed: int) -> None:
    rng = random.Random(seed)
    tree = a_tree(rng, CENTRES[0])
    for _ in range(500):
        finest = geo.finest_cell(rng.randrange(-10 * E7, 10 * E7), rng.randrange(40 * E7, 55 * E7))
        leaf = tree.leaf(finest)

        assert finest >> geo.halvings(leaf) == leaf
        assert leaf not in tree.splits
        assert geo.halvings(leaf) == 18 or leaf >> 1 in tree.splits
        assert list(tree.leaves_under(finest)) == [leaf]


@pytest.mark.parametrize("seed", range(5))
def test_the_leaves_under_a_cell_are_those_of_its_points_in_order(seed: int) -> None:
    rng = random.Random(seed)
    tree = a_tree(rng, CENTRES[0])
    cell = geo.finest_cell(*geo.to_e7(CENTRES[0])) >> rng.randint(0, 10)
    first, depth = cell << geo.halvings(cell), geo.halvings(cell)

    leaves = list(tree.leaves_under(cell))

    assert leaves == list(dict.fromkeys(map(tree.leaf, range(first, first + (1 << depth)))))


@pytest.mark.parametrize(
    ("packed", "named", "leaves"),
    [
        ("07404ea28800", "3100010321313", 16),
        ("07404ea288f00400", "31000103213133000", 31),
        ("07404ea288f00400", "310001032132", 31),
    ],
)
def test_a_tree_of_splits_in_four_is_read_as_halvings(packed: str, named: str, leaves: int) -> None:
    """The bytes were written by the registry when its splits made four."""
    tree = CellTree.from_bytes(bytes.fromhex(packed), in_four=True)

    split = geo.from_key(named)
    assert {split, *geo.halves(split)} <= tree.splits
    assert not tree.splits & set(geo.children(split))
    found = list(tree.leaves_under(geo.ancestor(split, 9)))
    assert len(found) == leaves
    assert not any(geo.key(leaf).endswith(("w", "e")) for leaf in found)


@pytest.mark.parametrize("level", [8, 18])
def test_cells_that_are_never_split_are_refused(level: int) -> None:
    with pytest.raises(ValueError, match="never split"):
        CellTree([geo.ancestor(geo.finest_cell(0, 0), level)])
