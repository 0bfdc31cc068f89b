"""Sizes of what is stored: ten times more of everything than is published today."""

import math
import random
from itertools import product
from pathlib import Path

import pytest

from chalicelib.foundation import geo
from chalicelib.foundation.aws import clients
from chalicelib.foundation.geo import E7, LngLat
from chalicelib.foundation.settings import table
from chalicelib.taxis.territory import editions, entries, service, store
from chalicelib.taxis.territory.editions import Conurbations, Edition, Exclusions
from chalicelib.taxis.territory.rules import Conurbation, Exclusion, Station, Town, Zone, Zones
from ops.cli.territory import geojson, items, loads, switches, towns, writing
from tests.taxis.territory.drawing import a_polygon
from tests.taxis.territory.loaded import BORDEAUX, MULHOUSE, a_file, a_town, load_towns

pytestmark = pytest.mark.usefixtures("store")

DYNAMODB_BYTES = 400 * 1024 * 3 // 4  # as the local one counts
INSEES = [f"{number:05}" for number in range(1000, 36_000)]


def a_coast(lng: float, lat: float, corners: int) -> list[list[float]]:
    """A closed ring round a point, as ragged as a shore, to seven decimals."""
    anywhere = random.Random(corners)
    ring = [
        [
            round(lng + radius * math.cos(math.tau * corner / corners), 7),
            round(lat + radius * math.sin(math.tau * corner / corners), 7),
        ]
        for corner in range(corners)
        for radius in [anywhere.uniform(0.02, 0.022)]
    ]
    return [*ring, ring[0]]


def sizes() -> dict[str, int]:
    """How large the packed bytes of each item of the territory's table are."""
    found = clients.dynamodb().scan(TableName=table("territory"))["Items"]
    return {
        item["entry"]["S"]: max(len(bytes(value["B"])) for value in item.values() if "B" in value)
        for item in found
    }


def test_towns_drawn_ten_times_as_finely_as_one_item_holds_are_loaded_whole(tmp_path: Path) -> None:
    fine = [
        a_town(f"010{number:02}", f"Town {number}", a_coast(5 + number / 20, 46, 11_000))
        for number in range(12)
    ]
    path = a_file(tmp_path / "towns", fine)

    loads.load_towns(path, quiet=True)

    edition = editions.edition.current()
    drawn = {town.insee: town.shape for town in towns.read(path, seen=lambda _: None)}
    assert store.outlines(edition, ["010"]) == drawn
    assert f"outlines/{edition.generation}/010/1" in sizes()
    assert max(sizes().values()) < DYNAMODB_BYTES
    assert service.place_of(LngLat(5.5, 46)).towns == ("01010",)

    load_towns(tmp_path, BORDEAUX)
    load_towns(tmp_path, MULHOUSE)  # the next load but one leaves nothing of this one
    assert store.outlines(editions.edition.current(), ["010"]) == drawn
    assert not any(edition.generation in entry for entry in sizes())


def test_ten_times_the_towns_of_a_departement_have_their_names() -> None:
    anywhere = random.Random(1)
    names = [
        Town(f"01{chr(65 + a)}{b:02}", "".join(anywhere.choices("abcdefghijklmnopq é-", k=200)))
        for a, b in product(range(26), range(100))
    ]

    writing.put_all(items.names_items("g", names))

    entry = entries.entry_name("names", "g", "01")
    assert store.names([entry])[entry] == dict(names)
    assert f"{entry}/1" in sizes()
    assert max(sizes().values()) < DYNAMODB_BYTES


def test_a_zone_of_ten_times_the_corners_is_shown_whole() -> None:
    zone = Zone("z", 1, "Z", frozenset())
    shape = {"type": "MultiPolygon", "coordinates": [[a_coast(5, 46, 60_000)]]}

    writing.put_all([items.zone_item("g", "z", shape)])

    assert store.zone_shapes(Edition(zones=Zones((zone,)), shapes="g")) == {"z": shape}
    assert len(sizes()) > 1
    assert max(sizes().values()) < DYNAMODB_BYTES


def test_stations_may_be_drawn_ten_times_as_finely_as_they_are() -> None:
    shape = geojson.shape({"type": "Polygon", "coordinates": [a_coast(5.7, 45.1, 2000)]})
    drawn = [
        Station(f"38185-T-{number:03}", "Gare", "38185", 5.7, 45.1, polygons=shape)
        for number in range(250)
    ]
    stored = items.stations_items("g", drawn)

    writing.put_all(stored)

    assert len(stored) == 3
    assert store.stations(editions.Shelf(1, "g", len(stored))) == drawn
    assert max(sizes().values()) < DYNAMODB_BYTES


def test_what_fits_in_an_item_is_read_once() -> None:
    (item,) = items.names_items("g", [Town("01001", "A")])

    assert list(items.divided(item)) == [item]


def test_the_documents_hold_ten_times_what_there_is() -> None:
    anywhere = random.Random(1)
    every = Edition(
        version=1,
        generation="g",
        tiles=frozenset(
            geo.ancestor(geo.finest_cell(x, y), 14)
            for x in range(-48_000_000, 80_000_000, 900_000)
            for y in range(430_000_000, 510_000_000, 600_000)
        ),
        prefixes=tuple(f"{number:03}" for number in range(990)),
        zones=Zones(
            tuple(
                Zone(f"{number:08}-544f", number, "ZUPC", frozenset(anywhere.sample(INSEES, 140)))
                for number in range(390)
            )
        ),
        shapes="g",
        merged={insee: anywhere.choice(INSEES) for insee in anywhere.sample(INSEES, 6000)},
    )
    ring = geojson.shape({"type": "Polygon", "coordinates": [a_coast(5, 46, 600)]})
    exclusions = {f"way/{one}": Exclusion(f"way/{one}", "X", ring) for one in range(100)}
    conurbations = tuple(
        Conurbation(f"{number:04}", "X", 1, frozenset(anywhere.sample(INSEES, 60)))
        for number in range(50)
    )

    switches.switch_edition(every)
    switches.switch_exclusions(Exclusions(1, exclusions))
    switches.switch_conurbations(Conurbations(1, conurbations))

    assert len(every.tiles) > 10_000
    assert editions.edition.current() == every
    assert editions.exclusions.current().exclusions == exclusions
    assert editions.conurbations.current().conurbations == conurbations


def test_a_document_that_is_too_large_is_refused_before_it_is_written() -> None:
    anywhere = random.Random(1)
    corners = [(anywhere.randint(0, 90 * E7), anywhere.randint(0, 90 * E7)) for _ in range(60_000)]
    exclusion = Exclusion("way/1", "X", (a_polygon(corners),))

    with pytest.raises(switches.DocumentTooLarge, match=r"document exclusions would have \d+ KB"):
        switches.switch_exclusions(Exclusions(1, {"way/1": exclusion}))

    assert editions.exclusions.current().exclusions == {}
