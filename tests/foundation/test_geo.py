from math import cos, radians

import geohash2
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chalicelib.foundation import geo
from chalicelib.foundation.geo import E7, FINEST_LEVEL, Circle, LngLat

LNGS_E7 = st.integers(-180 * E7, 180 * E7)
LATS_E7 = st.integers(-90 * E7, 90 * E7)


@given(LNGS_E7, LATS_E7)
def test_a_point_lies_in_its_cell_and_in_every_ancestor(lng_e7: int, lat_e7: int) -> None:
    finest = geo.finest_cell(lng_e7, lat_e7)

    assert geo.level(finest) == FINEST_LEVEL
    for bits in range(2 * FINEST_LEVEL + 1):
        box = geo.box(finest >> bits)
        assert box.west <= lng_e7 / E7 <= box.east
        assert box.south <= lat_e7 / E7 <= box.north


@given(LNGS_E7, LATS_E7, st.integers(1, 7))
def test_the_geohash_of_a_cell_is_geohash2s_of_a_point_inside(
    lng_e7: int, lat_e7: int, characters: int
) -> None:
    finest = geo.finest_cell(lng_e7, lat_e7)
    box = geo.box(finest)
    # geohash2 puts a point on a border on the other side, so none is asked about
    assume(box.west < lng_e7 / E7 < box.east and box.south < lat_e7 / E7 < box.north)

    text = geo.geohash(finest, characters)

    assert text == geohash2.encode(lat_e7 / E7, lng_e7 / E7, characters)
    bits, count = geo.geohash_prefix(text)
    assert 1 << count | bits == finest >> 2 * FINEST_LEVEL - count


def test_the_last_edges_of_the_world_belong_to_its_last_cells() -> None:
    corner = geo.finest_cell(180 * E7, 90 * E7)

    assert corner == (1 << 2 * FINEST_LEVEL + 1) - 1


@given(st.integers(1, (1 << 2 * FINEST_LEVEL + 1) - 1))
def test_a_key_names_one_cell_or_half(cell: int) -> None:
    assert geo.from_key(geo.key(cell)) == cell


@given(st.integers(0, FINEST_LEVEL), st.data())
def test_a_key_begins_with_that_of_what_the_cell_is_a_quarter_of(
    level: int, data: st.DataObject
) -> None:
    cell = 1 << 2 * level | data.draw(st.integers(0, (1 << 2 * level) - 1))

    assert all(geo.key(child).startswith(geo.key(cell)) for child in geo.children(cell))


@pytest.mark.parametrize(
    ("bits", "key"), [(24, "310001032131"), (25, "310001032131e"), (26, "3100010321313")]
)
def test_a_half_has_one_character_more_than_what_it_is_a_half_of(bits: int, key: str) -> None:
    finest = geo.finest_cell(23522000, 488566000)

    assert geo.key(finest >> 2 * FINEST_LEVEL - bits) == key


@pytest.mark.parametrize("key", ["4", "ww", "w0", "31n", "é"])
def test_a_text_that_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        geo.from_key(key)


@given(st.integers(1, (1 << 2 * FINEST_LEVEL) - 1))
def test_the_halves_of_a_cell_share_its_ground(cell: int) -> None:
    whole = geo.box(cell)

    one, other = map(geo.box, geo.halves(cell))

    assert (one.west, one.south, other.east, other.north) == whole
    assert geo.halvings(geo.halves(cell)[0]) == geo.halvings(cell) - 1
    if cell.bit_length() % 2:  # west and east
        assert (one.east, one.north) == (other.west, whole.north)
    else:
        assert (one.east, one.north) == (whole.east, other.south)


@given(st.integers(0, FINEST_LEVEL), st.data())
def test_a_cell_is_where_its_column_and_row_say(level: int, data: st.DataObject) -> None:
    cell = 1 << 2 * level | data.draw(st.integers(0, (1 << 2 * level) - 1))

    assert geo.cell_at(*geo.column_and_row(cell), level) == cell


@pytest.mark.parametrize(
    ("one", "other", "metres"),
    [
        (LngLat(2.3522, 48.8566), LngLat(2.3522, 48.8566), 0),
        (LngLat(0, 0), LngLat(0, 1), geo.METRES_A_DEGREE),
        (LngLat(179.5, 0), LngLat(-179.5, 0), geo.METRES_A_DEGREE),
        (LngLat(0, -90), LngLat(0, 90), 180 * geo.METRES_A_DEGREE),
    ],
)
def test_distances_follow_the_sphere(one: LngLat, other: LngLat, metres: float) -> None:
    assert geo.distance_m(one, other) == pytest.approx(metres)


@given(
    st.floats(-180, 180), st.floats(-85, 85), st.floats(1, 5000), st.floats(-1, 1), st.floats(-1, 1)
)
def test_the_bounds_of_a_circle_hold_every_point_of_it(
    lng: float, lat: float, radius_m: float, across: float, up: float
) -> None:
    circle = Circle(LngLat(lng, lat), radius_m)
    reach = 2 * radius_m / geo.METRES_A_DEGREE
    point = LngLat(lng + across * reach / cos(radians(lat)), lat + up * reach)
    assume(geo.distance_m(circle.centre, point) <= radius_m)

    bounds = circle.bounds()

    assert bounds.west - 1e-9 <= point.lng <= bounds.east + 1e-9
    assert bounds.south - 1e-9 <= point.lat <= bounds.north + 1e-9


@pytest.mark.parametrize("text", ["a", "u09a", "U09", "é"])
def test_a_text_that_is_no_geohash_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a geohash"):
        geo.geohash_prefix(text)


@pytest.mark.parametrize("characters", [0, 8])
def test_a_geohash_is_not_finer_than_the_grid(characters: int) -> None:
    with pytest.raises(ValueError, match="finer"):
        geo.geohash(geo.finest_cell(0, 0), characters)


@given(LNGS_E7, LATS_E7)
def test_the_centre_of_a_geohash_is_in_the_middle_of_its_cell(lng_e7: int, lat_e7: int) -> None:
    point = LngLat(lng_e7 / E7, lat_e7 / E7)

    text = geo.geohash6(point)

    centre = geo.geohash_centre(text)
    assert len(text) == 6
    assert abs(centre.lng - point.lng) <= 180 / 2**15 + 1e-9
    assert abs(centre.lat - point.lat) <= 90 / 2**15 + 1e-9
    assert geo.geohash6(centre) == text


@pytest.mark.parametrize(
    ("point", "text"),
    [
        # From geohash.org and Wikipedia.
        (LngLat(-5.6, 42.6), "ezs42e"),
        (LngLat(10.40744, 57.64911), "u4pruy"),
        (LngLat(-49.265506, -25.382708), "6gkzwg"),
    ],
)
def test_a_geohash_of_six_characters_is_near_its_point(point: LngLat, text: str) -> None:
    assert geo.geohash6(point) == text
    centre = geo.geohash_centre(text)
    assert geo.geohash6(centre) == text
    assert abs(centre.lng - point.lng) <= 360 / 2**16
    assert abs(centre.lat - point.lat) <= 180 / 2**16


@pytest.mark.parametrize("text", ["", "u09tva", "U09TVN", "é"])
def test_what_is_no_geohash_has_no_centre(text: str) -> None:
    with pytest.raises(ValueError, match="not a geohash"):
        geo.geohash_centre(text)
