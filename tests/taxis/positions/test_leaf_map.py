import random

import pytest

from chalicelib.foundation import geo
from chalicelib.foundation.cell_tree import CellTree
from chalicelib.foundation.geo import Circle, LngLat
from chalicelib.taxis.positions import leaf_map
from chalicelib.taxis.positions.leaf_map import CAPACITY, FIRST, LeafMap
from tests.taxis.positions.fleets import PARIS, e7, somewhere

SPLIT = CellTree([geo.ancestor(geo.finest_cell(*e7(PARIS)), 12)])
MAPS = [LeafMap(1, 0, CellTree()), LeafMap(2, 1000, SPLIT)]


def versions(maps: leaf_map.Maps) -> list[int]:
    return [one.version for one in maps]


@pytest.mark.parametrize(("now_s", "version"), [(0, 1), (999.9, 1), (1000, 2)])
def test_writers_change_to_a_map_when_its_time_has_come(now_s: float, version: int) -> None:
    assert leaf_map.for_writers(MAPS, now_s=now_s).version == version


@pytest.mark.parametrize(
    ("now_s", "expected"),
    [(990, [1]), (995, [1, 2]), (1000, [1, 2]), (1125, [1, 2]), (1125.1, [2])],
)
def test_searches_read_both_maps_round_the_change(now_s: float, expected: list[int]) -> None:
    read = leaf_map.for_searches(MAPS, now_s=now_s, freshness_s=120)

    assert versions(read) == expected


def test_a_taxi_is_looked_up_in_the_replaced_map_until_the_next_change() -> None:
    assert versions(leaf_map.for_lookups(MAPS, now_s=10**6)) == [1, 2]


def test_an_announced_map_begins_when_every_process_has_it() -> None:
    maps = leaf_map.announced([FIRST], SPLIT, now_s=500.5)

    assert maps == [FIRST, LeafMap(1, 620, SPLIT)]


def test_the_map_in_use_and_its_predecessor_outlive_an_announcement() -> None:
    maps = leaf_map.announced([FIRST, *MAPS], SPLIT, now_s=2000)

    assert versions(maps) == [1, 2, 3]


def test_fitted_leaves_hold_no_more_than_their_capacity() -> None:
    rng = random.Random(3)
    taxis = [geo.finest_cell(*e7(somewhere(rng, spread=0.1))) for _ in range(5000)]

    tree = leaf_map.fitted(taxis)

    counts: dict[int, int] = {}
    for taxi in taxis:
        counts[tree.leaf(taxi)] = counts.get(tree.leaf(taxi), 0) + 1
    assert max(counts.values()) <= CAPACITY
    assert all(
        sum(taxi >> geo.halvings(split) == split for taxi in taxis) > CAPACITY
        for split in tree.splits
    )


def test_a_crowd_in_one_finest_cell_ends_the_splitting() -> None:
    cell = geo.finest_cell(*e7(PARIS))

    assert leaf_map.fitted([cell] * 1000).leaf(cell) == cell


def test_the_capacity_itself_is_not_split() -> None:
    cell = geo.finest_cell(*e7(PARIS))

    assert leaf_map.fitted([cell] * CAPACITY).splits == frozenset()


def test_a_crowd_a_little_too_large_is_halved_not_quartered() -> None:
    west, east = geo.halves(geo.ancestor(geo.finest_cell(*e7(PARIS)), 9))
    crowd = [half << geo.halvings(half) for half in (west, east)]

    tree = leaf_map.fitted([*crowd * (CAPACITY // 2), crowd[0]])

    assert list(tree.leaves_under(west >> 1)) == [west, east]


def test_a_cover_holds_the_leaves_of_both_maps_once() -> None:
    cover = leaf_map.cover(MAPS, Circle(PARIS, 500))

    assert len(cover) == len(set(cover))
    leaf = SPLIT.leaf(geo.finest_cell(*e7(PARIS)))
    assert {leaf, geo.ancestor(leaf, 9)} <= set(cover)


@pytest.mark.parametrize("seed", range(5))
def test_the_leaves_under_a_square_hold_all_its_points(seed: int) -> None:
    rng = random.Random(seed)
    tree = leaf_map.fitted([geo.finest_cell(*e7(somewhere(rng, spread=0.3))) for _ in range(9000)])
    square = leaf_map.square_of(*e7(PARIS))

    leaves = set(leaf_map.leaves_under([LeafMap(1, 0, tree)], square))

    inside = [
        point
        for point in (e7(somewhere(rng, spread=0.05)) for _ in range(2000))
        if leaf_map.square_of(*point) == square
    ]
    assert inside
    assert {tree.leaf(geo.finest_cell(*point)) for point in inside} <= leaves


def test_a_square_is_named_by_its_geohash() -> None:
    square = leaf_map.square_of(*e7(LngLat(2.3522, 48.8566)))

    assert leaf_map.square_name(square) == "u09tv"
    assert leaf_map.square_from_name("u09tv") == square


@pytest.mark.parametrize("text", ["u09t", "u09tvm", "u09ta", ""])
def test_another_text_names_no_square(text: str) -> None:
    with pytest.raises(ValueError, match="geohash"):
        leaf_map.square_from_name(text)
