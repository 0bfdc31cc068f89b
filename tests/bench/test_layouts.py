"""The two usual layouts: what a position costs in each, and that their searches miss nobody."""

import random

import pytest

from bench.fleets import PARIS, apart
from bench.layouts import GeoLibrary, OnePerTaxi
from chalicelib.foundation import geo
from chalicelib.foundation.geo import Circle, LngLat, to_e7

HERE = to_e7(PARIS)
NEXT_DOOR = to_e7(apart(PARIS, 5, 5))
ELSEWHERE = to_e7(apart(PARIS, 3000, 0))
FAR_AWAY = to_e7(LngLat(-0.5792, 44.8378))


@pytest.mark.parametrize(
    ("moves", "units"),
    [
        ([HERE], 1),
        ([HERE, HERE], 1 + 1),
        ([HERE, ELSEWHERE], 1 + 2),  # a put there, and a deletion here
        ([HERE, ELSEWHERE, ELSEWHERE], 1 + 2 + 1),
    ],
)
def test_an_item_a_taxi_is_put_anew_for_each_position(
    moves: list[tuple[int, int]], units: int
) -> None:
    layout = OnePerTaxi()

    for lng_e7, lat_e7 in moves:
        layout.store(1, lng_e7, lat_e7)

    assert layout.writes == units


@pytest.mark.parametrize(
    ("moves", "units"),
    [
        ([HERE], 2),  # the item and its entry in the index
        ([HERE, HERE], 2 + 2),
        ([HERE, NEXT_DOOR], 2 + 3),  # the index removes one entry and puts another
        ([HERE, FAR_AWAY], 2 + 4),  # and the item is under another hash key
    ],
)
def test_a_local_index_is_written_once_or_twice_for_each_position(
    moves: list[tuple[int, int]], units: int
) -> None:
    layout = GeoLibrary()

    for lng_e7, lat_e7 in moves:
        layout.store(1, lng_e7, lat_e7)

    assert layout.writes == units


@pytest.mark.parametrize("seed", range(20))
def test_what_the_library_reads_holds_everybody_in_the_circle(seed: int) -> None:
    rng = random.Random(seed)
    layout = GeoLibrary()
    centre = apart(PARIS, rng.uniform(-40_000, 40_000), rng.uniform(-40_000, 40_000))
    points = [apart(centre, rng.uniform(-350, 350), rng.uniform(-350, 350)) for _ in range(200)]
    for taxi, point in enumerate(points):
        layout.store(taxi, *to_e7(point))

    everybody, _ = layout.search(Circle(centre, 500))

    assert all(geo.distance_m(centre, point) < 500 for point in points)
    assert everybody >= 0.5 * (layout.size * len(points) / 4096)


def test_an_empty_place_costs_half_a_unit_a_query() -> None:
    units, queries = OnePerTaxi().search(Circle(PARIS, 500))

    assert units == queries / 2
    assert queries >= 4
