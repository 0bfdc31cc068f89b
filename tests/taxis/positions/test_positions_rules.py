import random
from datetime import timedelta
from math import cos, radians

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.foundation import geo
from chalicelib.foundation.geo import E7, Circle, LngLat
from chalicelib.taxis.positions import codec, rules
from chalicelib.taxis.positions.codec import Entry
from chalicelib.taxis.vocabulary import TaxiStatus
from tests.taxis.positions.fleets import FREE, NOON, OCCUPIED, PARIS, an_entry, at, taxi_id

NOW_TICK = codec.tick(NOON)

# Few values, so that ties are frequent.
COPIES = st.builds(
    lambda status, radius, lat, lng, seen, changed: (
        codec.head(7, status, radius),
        lat,
        lng,
        seen,
        changed,
    ),
    st.sampled_from(TaxiStatus),
    st.integers(0, 1),
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 2),
)


@given(COPIES, COPIES, COPIES)
def test_joining_is_commutative_associative_and_idempotent(
    one: Entry, two: Entry, three: Entry
) -> None:
    """[positions-index: I3]"""
    assert rules.joined(one, two) == rules.joined(two, one)
    assert rules.joined(rules.joined(one, two), three) == rules.joined(
        one, rules.joined(two, three)
    )
    assert rules.joined(one, one) == one


@given(COPIES, COPIES)
def test_joining_never_goes_back(one: Entry, two: Entry) -> None:
    """Monotone [positions-index: I3]."""
    both = rules.joined(one, two)

    assert rules.position(both) >= max(rules.position(one), rules.position(two))
    assert rules.register(both) >= max(rules.register(one), rules.register(two))


def test_a_newer_position_does_not_bring_an_older_status_back() -> None:
    moved = an_entry(seen_at=at(10), status=FREE, changed_at=at(0))
    taken = an_entry(seen_at=at(5), status=OCCUPIED, changed_at=at(6))

    both = rules.joined(moved, taken)

    assert rules.position(both) == rules.position(moved)
    assert rules.register(both) == rules.register(taken)


def test_of_two_changes_at_once_the_one_that_shows_less_stands() -> None:
    both = rules.joined(an_entry(status=FREE), an_entry(status=OCCUPIED))

    assert rules.register(both) == rules.register(an_entry(status=OCCUPIED))


# --- near ---------------------------------------------------------------------------------------


def near(circle: Circle, *cells: list[Entry], oldest: int = NOW_TICK - 1200) -> list[rules.Found]:
    return rules.near(
        circle, [codec.pack_entries(cell) for cell in cells], oldest=oldest, default_radius_m=500
    )


CENTRES = [
    PARIS,
    LngLat(179.9995, -16.5),
    LngLat(-179.9995, 51.2),
    LngLat(25.0, 85.04),
    LngLat(0.0, 0.0),
    LngLat(-61.53, 16.24),
]


def _fleet(rng: random.Random, centre: LngLat, cells: int) -> list[list[Entry]]:
    """Entries round a centre, some of one taxi in several cells, some old, some taken."""
    wide = 0.02 / cos(radians(centre.lat))
    made: list[list[Entry]] = [[] for _ in range(cells)]
    for taxi in range(300):
        for cell in rng.sample(range(cells), rng.choice([1, 1, 1, 2, 3])):
            lng = centre.lng + rng.uniform(-wide, wide)
            made[cell].append(
                an_entry(
                    taxi,
                    LngLat(
                        (lng + 180) % 360 - 180, min(85.05, centre.lat + rng.uniform(-0.02, 0.02))
                    ),
                    seen_at=at(-rng.randrange(200)),
                    status=rng.choice([FREE, FREE, OCCUPIED]),
                    radius_m=rng.choice([0, 150, 300]),
                    changed_at=at(-rng.randrange(200)),
                )
            )
    return made


@pytest.mark.parametrize("centre", CENTRES)
@pytest.mark.parametrize("radius_m", [500, 1500])
def test_a_search_finds_what_brute_force_finds(centre: LngLat, radius_m: float) -> None:
    """[positions-index: I1] [positions-index: I2] [positions-index: T9]"""
    rng = random.Random(f"{centre} {radius_m}")
    cells = _fleet(rng, centre, 5)

    found = near(Circle(centre, radius_m), *cells)

    newest: dict[int, Entry] = {}
    for entry in (entry for cell in cells for entry in cell):
        taxi = entry[0] & codec.ID
        newest[taxi] = rules.joined(entry, newest.get(taxi, entry))
    expected = []
    for taxi, (head, lat_e7, lng_e7, seen, _) in newest.items():
        distance_m = geo.distance_m(centre, LngLat(lng_e7 / E7, lat_e7 / E7))
        free = head >> codec.STATUS_SHIFT & 7 == codec.STATUS_CODES[FREE]
        if free and seen >= NOW_TICK - 1200 and distance_m <= radius_m:
            expected.append((distance_m, taxi_id(taxi), head >> 48 or 500))
    assert expected
    assert [(one.taxi_id, one.reach_m) for one in found] == [
        (taxi, reach_m) for _, taxi, reach_m in sorted(expected)
    ]
    assert [one.distance_m for one in found] == pytest.approx(
        [distance_m for distance_m, _, _ in sorted(expected)], abs=1e-4
    )


def test_taxis_at_the_same_distance_are_ordered_by_id() -> None:
    found = near(Circle(PARIS, 500), [an_entry(9), an_entry(3)], [an_entry(5)])

    assert [one.taxi_id for one in found] == [taxi_id(3), taxi_id(5), taxi_id(9)]


def test_exactly_120_seconds_is_fresh_and_a_tenth_more_is_not() -> None:
    """The border, in ticks [positions-index: I1]."""
    oldest = codec.first_tick_from(NOON - timedelta(seconds=120))

    fresh = near(Circle(PARIS, 500), [an_entry(seen_at=at(-120))], oldest=oldest)
    stale = near(Circle(PARIS, 500), [an_entry(seen_at=at(-120.1))], oldest=oldest)

    assert (len(fresh), len(stale)) == (1, 0)


def test_an_older_copy_inside_the_circle_does_not_stand_for_a_taxi_that_has_left_it() -> None:
    """[positions-index: I2]"""
    gone = LngLat(PARIS.lng + 0.02, PARIS.lat)

    found = near(Circle(PARIS, 500), [an_entry(seen_at=at(-5))], [an_entry(point=gone)])

    assert found == []


def test_a_newer_status_in_the_cell_that_a_taxi_left_counts() -> None:
    left = an_entry(seen_at=at(-5), status=OCCUPIED, changed_at=at(1))

    assert near(Circle(PARIS, 500), [left], [an_entry()]) == []


def test_two_taxis_whose_ids_share_their_lower_bits_are_two() -> None:
    other = 1 | 1 << 32

    found = near(Circle(PARIS, 500), [an_entry(1)], [an_entry(other)])

    assert {one.taxi_id for one in found} == {taxi_id(1), taxi_id(other)}


def test_a_damaged_entry_hides_one_taxi_and_not_a_town() -> None:
    head, *rest = an_entry(1)
    damaged = [(codec.IDS | head & ~codec.ID, *rest), (head | codec.STATUS << 41, *rest)]

    found = near(Circle(PARIS, 500), [*damaged, an_entry(2)])

    assert [taxi.taxi_id for taxi in found] == [taxi_id(2)]


def test_a_found_taxi_says_where_and_when_it_was_seen_exactly() -> None:
    [found] = near(Circle(PARIS, 500), [an_entry(seen_at=at(-3))])

    assert (found.point, found.seen_at) == (PARIS, at(-3))


@pytest.mark.parametrize(("days", "point"), [(60, PARIS), (60.001, LngLat(0.0, 0.0))])
def test_a_last_position_loses_its_coordinates_after_60_days(days: float, point: LngLat) -> None:
    last = rules.position(an_entry())

    shown = rules.shown(last, now=NOON + timedelta(days=days))

    assert shown == rules.LastPosition(point, NOON)
