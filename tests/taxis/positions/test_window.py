"""What a window of reports amounts to, on values alone."""

import itertools

from chalicelib.taxis.positions import window
from chalicelib.taxis.positions.codec import Report


def test_of_two_positions_of_one_tick_the_more_northern_then_the_more_eastern_counts() -> None:
    places = [(10, 5), (20, 3), (20, 4)]  # latitude, longitude

    for order in itertools.permutations(places):
        reports = [Report(7, [1], [lat_e7], [lng_e7]) for lat_e7, lng_e7 in order]

        assert window.newest(reports) == {1: (7, 20, 4)}


def test_a_newer_position_counts_wherever_it_is_and_whenever_it_comes() -> None:
    older, newer = Report(7, [1, 2], [20, 20], [4, 4]), Report(8, [1], [10], [3])

    for reports in ([older, newer], [newer, older]):
        assert window.newest(reports) == {1: (8, 10, 3), 2: (7, 20, 4)}
