"""The simulated fleets: what they are said to be, and the same each time."""

import numpy as np
import pytest

from bench import fleets
from bench.fleets import POST
from chalicelib.taxis.positions import codec


def test_a_seed_makes_the_same_fleet_each_time() -> None:
    one, other = fleets.simulate("B", 1000), fleets.simulate("B", 1000)

    for fleet in (one, other):
        fleet.move(5)
        fleet.change_shifts(600)

    assert (one.lng == other.lng).all()
    assert (one.on == other.on).all()


@pytest.mark.parametrize("name", ["A", "B"])
def test_as_many_taxis_as_asked_for_are_at_work_whatever_the_shift(name: str) -> None:
    fleet = fleets.simulate(name, 2000)

    before = fleet.on.copy()
    fleet.change_shifts(600)

    assert before.sum() == fleet.on.sum() == 2000
    assert (before != fleet.on).sum() > 20


def test_three_in_ten_are_in_paris_and_two_in_a_hundred_at_charles_de_gaulle() -> None:
    fleet = fleets.simulate("A", 60_000)

    def near(lng: float, lat: float, degrees: float) -> int:
        return int((np.hypot(fleet.lng - lng, fleet.lat - lat)[fleet.on] < degrees).sum())

    assert near(2.3522, 48.8566, 0.5) == pytest.approx(18_000, rel=0.05)
    assert near(2.5710, 49.0040, 0.006) == pytest.approx(1200, rel=0.1)


def test_taxis_drive_at_10_to_50_km_an_hour_or_stand() -> None:
    fleet = fleets.simulate("A", 2000)
    lng, lat = fleet.lng, fleet.lat

    fleet.move(10)

    metres = np.hypot((fleet.lng - lng) * np.cos(np.radians(lat)), fleet.lat - lat) * 111_195
    moving = metres > 0
    assert moving.mean() == pytest.approx(0.6, abs=0.05)
    assert metres[moving].min() > 27
    assert metres[moving].max() < 140


def test_nobody_drifts_away() -> None:
    fleet = fleets.simulate("A", 2000)

    for _ in range(1000):
        fleet.move(10)

    away_m = np.hypot(fleet.lng - fleet.home[0], fleet.lat - fleet.home[1]) * 111_195
    assert (away_m > 4 * fleet.spread_m + 500).mean() < 0.05


def test_everybody_at_work_reports_once_a_period_but_for_what_is_lost() -> None:
    fleet = fleets.simulate("A", 5000)

    posts = [taxis for second in range(10) for _, taxis in fleet.posts(second, 10)]

    reported = np.concatenate(posts)
    assert len(set(reported.tolist())) == len(reported)
    assert fleet.on[reported].all()
    assert len(reported) == pytest.approx(5000 * 0.99, rel=0.01)
    assert max(map(len, posts)) <= POST


def test_numbers_are_ids_and_all_different() -> None:
    numbers = {fleets.number(taxi) for taxi in range(100_000)}

    assert len(numbers) == 100_000
    assert max(numbers) < codec.IDS
