"""Heat maps: which cells there are, in which order, and where they are drawn."""

from chalicelib.foundation.geo import geohash_centre
from chalicelib.taxis.stats import heat
from chalicelib.taxis.stats.heat import HEAVIEST, Cell


def test_the_heaviest_cells_come_first_and_equals_by_name() -> None:
    found = heat.heaviest({"b": 1, "a": 1, "c": 2, "d": 1})

    assert found == [Cell("c", 2), Cell("a", 1), Cell("b", 1), Cell("d", 1)]


def test_a_map_has_no_more_cells_than_it_may_and_the_lightest_are_left_out() -> None:
    weights = {f"{number:05}": 1 + (number % 7 == 0) for number in range(HEAVIEST + 7)}

    found = heat.heaviest(weights)

    assert len(found) == HEAVIEST
    assert [cell.weight for cell in found] == sorted(weights.values(), reverse=True)[:HEAVIEST]


def test_cells_are_drawn_at_their_centres() -> None:
    centre = geohash_centre("u09tvw")

    assert heat.points([Cell("u09tvw", 3)]) == [(centre.lat, centre.lng, 3)]
