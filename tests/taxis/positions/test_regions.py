import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.foundation import geo
from chalicelib.foundation.geo import LngLat
from chalicelib.taxis.positions import regions
from tests.taxis.positions.fleets import e7


@pytest.mark.parametrize("name", regions.CENTRES)
def test_a_centre_is_in_its_own_region(name: str) -> None:
    assert regions.region_at(*e7(regions.CENTRES[name])) == name


@pytest.mark.parametrize(
    ("point", "name"),
    [
        (LngLat(2.5479, 49.0097), "paris"),  # CDG
        (LngLat(5.7245, 45.1885), "lyon"),  # Grenoble
        (LngLat(-52.3261, 4.9372), "pointe-a-pitre"),  # Cayenne
        (LngLat(45.2279, -12.7806), "saint-denis"),  # Mamoudzou
    ],
)
def test_a_place_belongs_to_the_nearest_centre(point: LngLat, name: str) -> None:
    assert regions.region_at(*e7(point)) == name


@given(st.integers(-180 * 10**7, 180 * 10**7), st.integers(-90 * 10**7, 90 * 10**7))
def test_a_root_cell_lies_in_one_region(lng_e7: int, lat_e7: int) -> None:
    rectangle = geo.box(geo.ancestor(geo.finest_cell(lng_e7, lat_e7), 9))
    middle = LngLat((rectangle.west + rectangle.east) / 2, (rectangle.south + rectangle.north) / 2)

    assert regions.region_at(lng_e7, lat_e7) == regions.region_at(*e7(middle))
