"""Where a point is and who may pick up there, and what each question costs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import shapely

from chalicelib.foundation import cache
from chalicelib.foundation.aws import clients
from chalicelib.foundation.geo import LngLat, to_e7
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import documents
from chalicelib.foundation.store import reads as dynamo
from chalicelib.foundation.store.reads import Item
from chalicelib.taxis.territory import borders, editions, service
from ops.cli.territory import geojson, loads
from tests.taxis.territory.drawing import drawn
from tests.taxis.territory.loaded import (
    BORDEAUX,
    CHARENTON,
    MULHOUSE,
    PARIS,
    RINGS,
    a_file,
    a_ring,
    a_town,
    load_exclusion,
    load_towns,
    load_zone,
)

pytestmark = pytest.mark.usefixtures("store")

IN_PARIS = LngLat(2.3339645305841, 48.8594281662316)
IN_BOTH = LngLat(2.41, 48.82)
IN_BORDEAUX = LngLat(-0.57, 44.84)
AT_SEA = LngLat(-8.0, 46.0)
EXCLUDED = LngLat(7.52638, 47.59732)


@contextmanager
def reads() -> Iterator[list[str]]:
    """Hears every call to DynamoDB: its tables, one line a call."""
    heard: list[str] = []

    def hear(params: dict[str, Any], **_: object) -> None:
        heard.append(" ".join(sorted(params.get("RequestItems") or [params.get("TableName", "")])))

    events = clients.dynamodb().meta.events
    events.register("provide-client-params.dynamodb.*", hear)
    try:
        yield heard
    finally:
        events.unregister("provide-client-params.dynamodb.*", hear)


def test_a_point_is_in_the_town_that_covers_it(tmp_path: Path) -> None:
    load_towns(tmp_path)

    assert service.place_of(IN_PARIS).towns == (PARIS,)
    assert service.place_of(IN_BORDEAUX).towns == (BORDEAUX,)


def test_where_towns_overlap_all_are_listed_and_the_lowest_code_comes_first(tmp_path: Path) -> None:
    load_towns(tmp_path)

    place = service.place_of(IN_BOTH)

    assert place.towns == (PARIS, CHARENTON)
    assert place.allowed == {PARIS}


@pytest.mark.parametrize("corner", RINGS[PARIS][1])
def test_a_corner_of_a_town_is_inside_to_the_last_decimal(
    corner: list[float], tmp_path: Path
) -> None:
    load_towns(tmp_path, PARIS)

    assert service.place_of(LngLat(*(round(degrees, 7) for degrees in corner))).towns == (PARIS,)


def test_two_points_a_centimetre_apart_are_in_different_towns(tmp_path: Path) -> None:
    border = 48.92032965
    file = a_file(
        tmp_path / "towns",
        [
            a_town("93066", "South", a_ring(2.4, 48.9, 2.5, 48.9203296)),
            a_town("93029", "North", a_ring(2.4, 48.9203297, 2.5, 49.0)),
        ],
    )
    loads.load_towns(file, quiet=True)

    south = service.place_of(LngLat(2.464370727539063, border - 5e-8))
    north = service.place_of(LngLat(2.464370727539063, border + 5e-8))

    assert (south.towns, north.towns) == (("93066",), ("93029",))


def test_a_town_alone_allows_its_own_licences_only(tmp_path: Path) -> None:
    load_towns(tmp_path)
    load_zone(tmp_path, CHARENTON, PARIS)

    assert service.place_of(IN_BORDEAUX).allowed == {BORDEAUX}


def test_a_zone_allows_the_licences_of_all_its_towns_in_each_of_them(tmp_path: Path) -> None:
    load_towns(tmp_path)
    load_zone(tmp_path, CHARENTON, PARIS)
    load_zone(tmp_path, PARIS, MULHOUSE, zupc_id="1889c818-6ab2-4ae1-8baa-b08a2d01bded")

    assert service.place_of(IN_PARIS).allowed == {PARIS, CHARENTON, MULHOUSE}


def test_a_point_costs_one_read_and_none_the_second_time(tmp_path: Path) -> None:
    load_towns(tmp_path)
    editions.edition.current()

    with reads() as first:
        service.place_of(IN_PARIS)
    with reads() as second:
        service.place_of(IN_BOTH)

    assert first == ["maraude-test-territory"]
    assert second == []


def test_the_read_may_ride_along_with_others(tmp_path: Path) -> None:
    load_towns(tmp_path)
    wanted = service.place(IN_PARIS)

    with reads() as heard:
        place, other = dynamo.read(wanted, service.place(IN_BOTH))

    assert place.towns == other.towns[:1] == (PARIS,)
    assert heard == ["maraude-test-territory"]
    assert service.place(IN_PARIS).keys == []


def test_a_point_at_sea_is_nowhere_and_costs_no_read(tmp_path: Path) -> None:
    load_towns(tmp_path)
    editions.edition.current()

    with reads() as heard:
        wanted, place = service.place(AT_SEA), service.place_of(AT_SEA)

    assert (wanted.keys, place.towns, place.allowed, heard) == ([], (), frozenset(), [])


def test_an_empty_registry_knows_no_place() -> None:
    assert service.place_of(IN_PARIS).towns == ()
    assert not service.excluded(EXCLUDED)
    assert service.towns() == []
    assert not service.town_exists(PARIS)
    assert service.stations() == []


def test_a_process_that_knows_an_edition_of_long_ago_still_finds_the_town(tmp_path: Path) -> None:
    load_towns(tmp_path, PARIS)
    old = an_edition_item()
    load_towns(tmp_path)
    load_towns(tmp_path, CHARENTON)
    loads.load_towns(
        a_file(tmp_path / "more", [a_town("01001", "X", a_ring(5, 46, 6, 47))]), quiet=True
    )
    editions.edition.current()
    with documents._lock:
        editions.edition.accept(old, float("inf"))
    cache.forget_all()

    assert service.place_of(IN_PARIS).towns == (PARIS,)
    assert service.town_names([BORDEAUX]) == {BORDEAUX: "Bordeaux"}


def an_edition_item() -> Item:
    """The document that says where everything is, as it stands now."""
    key = {"name": {"S": editions.edition.name}}
    return clients.dynamodb().get_item(TableName=table("config"), Key=key)["Item"]


def test_an_excluded_point_costs_no_read_besides_the_documents(tmp_path: Path) -> None:
    load_exclusion(tmp_path)
    editions.edition.current()

    with reads() as heard:
        excluded = service.excluded(EXCLUDED)

    assert excluded
    assert heard == []


def test_a_changed_exclusion_is_known_without_a_restart(tmp_path: Path) -> None:
    load_exclusion(tmp_path)
    assert service.excluded(EXCLUDED)

    load_exclusion(tmp_path, a_ring(7.6, 47.6, 7.7, 47.7))

    assert not service.excluded(EXCLUDED)
    assert service.excluded(LngLat(7.65, 47.65))


def test_names_are_read_for_the_towns_asked_only(tmp_path: Path) -> None:
    load_towns(tmp_path)
    editions.edition.current()

    with reads() as heard:
        names = service.town_names([PARIS, CHARENTON, "75999", "00000", ""])
        again = service.town_exists(PARIS)

    assert names == {PARIS: "Paris", CHARENTON: "Charenton-le-Pont"}
    assert again
    assert heard == ["maraude-test-territory"]


def test_all_towns_come_by_name(tmp_path: Path) -> None:
    load_towns(tmp_path)

    assert [town.insee for town in service.towns()] == [BORDEAUX, CHARENTON, MULHOUSE, PARIS]


# A horseshoe, whose middle is outside, and its neighbour; two towns overseas.
WEST = (
    "01001",
    "West",
    [[5, 46], [5.9, 46], [5.9, 46.1], [5.1, 46.1], [5.1, 46.9], [5, 46.9], [5, 46]],
)
NORTH = ("01002", "North", a_ring(5, 46.9, 5.9, 47))
ISLANDS = (
    ("97105", "Basse-Terre", a_ring(-61.8, 15.9, -61.7, 16)),
    ("97411", "Saint-Denis", a_ring(55.4, -21, 55.5, -20.8)),
)


def test_a_departement_s_point_is_inside_the_union_of_its_towns(tmp_path: Path) -> None:
    file = a_file(tmp_path / "towns", [a_town(*town) for town in (WEST, NORTH, *ISLANDS)])
    loads.load_towns(file, quiet=True)

    points = service.departement_points()

    assert points.keys() == {"01", "971", "974"}
    for number, towns in {"01": [WEST, NORTH], "971": ISLANDS[:1], "974": ISLANDS[1:]}.items():
        shape = [
            outline
            for _, _, ring in towns
            for outline in geojson.shape({"type": "Polygon", "coordinates": [ring]})
        ]
        point = to_e7(points[number])
        assert borders.covers(tuple(shape), point)
        assert shapely.union_all([drawn(one) for one in shape]).contains(shapely.Point(point))


def test_a_load_of_a_few_towns_keeps_the_other_departements_points(tmp_path: Path) -> None:
    load_towns(tmp_path, PARIS, BORDEAUX)
    before = service.departement_points()

    load_towns(tmp_path, CHARENTON)

    after = service.departement_points()
    assert after.keys() == {"75", "33", "94"}
    assert {number: after[number] for number in before} == before


def test_the_departements_points_cost_one_read_and_none_the_second_time(tmp_path: Path) -> None:
    load_towns(tmp_path)
    editions.edition.current()

    with reads() as first:
        service.departement_points()
    with reads() as second:
        service.departement_points()

    assert first == ["maraude-test-territory"]
    assert second == []


def test_without_towns_no_departement_has_a_point() -> None:
    assert service.departement_points() == {}
