"""Where taxis are, as others ask for it."""

import pytest

from chalicelib.foundation import geo
from chalicelib.foundation.geo import Circle, LngLat
from chalicelib.foundation.store import reads
from chalicelib.taxis.positions import service
from chalicelib.taxis.positions.rules import LastPosition
from tests.taxis.positions.fleets import (
    NEXT_SQUARE,
    NOON,
    PARIS,
    a_report,
    at,
    e7,
    retire,
    stored,
    taxi_id,
)


@pytest.mark.usefixtures("split")
def test_a_last_position_is_exact_and_knows_its_time() -> None:
    exact = LngLat(2.3522219, 48.8566141)
    stored([a_report((1, exact), seen_at=at(0.3))], now=at(1))

    last = service.where_is([taxi_id(1), taxi_id(2), "nobody"], now=at(2))

    assert last == {taxi_id(1): LastPosition(exact, at(0.3))}


@pytest.mark.usefixtures("split")
def test_a_taxi_that_came_back_is_where_it_is_now_not_where_it_was_last() -> None:
    stored([a_report((1, PARIS))], now=NOON)
    retire(now=at(200))
    stored([a_report((1, NEXT_SQUARE), seen_at=at(300))], now=at(300))

    last = service.where_is([taxi_id(1)], now=at(301))

    assert last == {taxi_id(1): LastPosition(NEXT_SQUARE, at(300))}


@pytest.mark.usefixtures("split")
def test_a_search_needs_one_call_where_a_taxi_stands_on_a_corner_of_four_cells() -> None:
    corner = geo.box(geo.ancestor(geo.finest_cell(*e7(PARIS)), 15))
    point = LngLat(corner.east, corner.north)

    near = service.near(Circle(point, 500), now=NOON)

    assert len(near.keys) >= 4
    assert len(near.keys) <= reads.KEYS_A_CALL
