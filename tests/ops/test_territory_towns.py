"""Loads of towns: what they change and refuse, and what an interrupted one leaves."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chalicelib.foundation import cache
from chalicelib.foundation.aws import clients
from chalicelib.foundation.geo import LngLat
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import documents
from chalicelib.taxis.territory import editions, service
from ops.cli.territory import loads, switches
from ops.errors import CannotGoOn
from ops.reading import FileRefused
from tests.taxis.territory.loaded import (
    BORDEAUX,
    CHARENTON,
    MULHOUSE,
    PARIS,
    RINGS,
    a_feature,
    a_file,
    a_ring,
    a_town,
    load_towns,
    load_zone,
    towns_file,
)

pytestmark = pytest.mark.usefixtures("store")

IN_PARIS = LngLat(2.35, 48.85)
IN_BORDEAUX = LngLat(-0.57, 44.84)
SQUARE = a_ring(5, 46, 6, 47)


class PowerCut(Exception):
    """The process dies here."""


def cut_power_at(write: str, name: str) -> Callable[[], None]:
    """The process dies at the first call of this kind to a table; the answer repairs it."""
    events = clients.dynamodb().meta.events

    def die(params: dict[str, Any], **_: object) -> None:
        if table(name) in (params.get("RequestItems") or {}) or params.get("TableName") == table(
            name
        ):
            raise PowerCut

    events.register(f"provide-client-params.dynamodb.{write}", die)
    return lambda: events.unregister(f"provide-client-params.dynamodb.{write}", die)


def entries() -> set[str]:
    """Everything that the territory's table holds."""
    items = clients.dynamodb().scan(TableName=table("territory"))["Items"]
    return {item["entry"]["S"] for item in items}


def generations() -> set[str]:
    """The generations of tiles that the table holds."""
    return {entry.split("/")[1] for entry in entries() if entry.startswith("tile/")}


@pytest.mark.parametrize("form", ["lines", "collection", "indented", "gzip"])
def test_towns_load_from_every_form_of_file(form: str, tmp_path: Path) -> None:
    features = [a_town(insee, *ring) for insee, ring in RINGS.items()]
    collection = {"type": "FeatureCollection", "features": features}
    path = tmp_path / "towns"
    if form == "collection":
        path.write_text(json.dumps(collection))
    elif form == "indented":
        path.write_text("\ufeff" + json.dumps(collection, indent=2))
    else:
        a_file(path, features)
    if form == "gzip":
        path.write_bytes(gzip.compress(path.read_bytes()))

    loads.load_towns(path, quiet=True)

    assert len(service.towns()) == 4
    assert service.place_of(IN_PARIS).towns == (PARIS,)


@pytest.mark.parametrize(
    ("code", "name"),
    [("code", "nom"), ("INSEE_COM", "NOM"), ("code_insee", "nom_officiel")],
    ids=["geo.api.gouv.fr", "IGN", "IGN of 2025"],
)
def test_public_maps_call_a_town_s_code_otherwise(code: str, name: str, tmp_path: Path) -> None:
    town = a_feature({code: PARIS, name: "Paris"}, [RINGS[PARIS][1]])

    loads.load_towns(a_file(tmp_path / "towns", [town]), quiet=True)

    assert service.town_names([PARIS]) == {PARIS: "Paris"}


@pytest.mark.parametrize("heights", [[35], [35, 1.5], [None]])
def test_a_ring_may_have_heights_at_some_points_only(heights: list[object], tmp_path: Path) -> None:
    ring: list[list[Any]] = [[*point] for point in RINGS[PARIS][1]]
    ring[1] += heights

    loads.load_towns(a_file(tmp_path / "towns", [a_town(PARIS, "Paris", ring)]), quiet=True)

    assert service.place_of(IN_PARIS).towns == (PARIS,)


def test_a_load_says_what_it_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load_towns(tmp_path, PARIS, CHARENTON, BORDEAUX)
    file = a_file(
        tmp_path / "some",
        [
            a_town(PARIS, *RINGS[PARIS]),
            a_town(CHARENTON, "Charenton", RINGS[CHARENTON][1]),
            a_town(BORDEAUX, "Bordeaux", SQUARE),
            a_town(MULHOUSE, *RINGS[MULHOUSE]),
        ],
    )

    loads.load_towns(file)

    said = capsys.readouterr().out
    assert said.startswith("towns: 1 new, 2 changed, 1 unchanged, 0 merged away; 4 in all\n")


def test_a_load_of_a_few_towns_keeps_the_others_as_they_were(tmp_path: Path) -> None:
    load_towns(tmp_path, PARIS, CHARENTON)

    load_towns(tmp_path, BORDEAUX)

    assert service.place_of(IN_PARIS).towns == (PARIS,)
    assert service.place_of(IN_BORDEAUX).towns == (BORDEAUX,)
    assert service.town_names([PARIS, BORDEAUX]) == {PARIS: "Paris", BORDEAUX: "Bordeaux"}


def test_a_town_that_is_loaded_again_has_its_new_border_and_name(tmp_path: Path) -> None:
    load_towns(tmp_path)

    loads.load_towns(a_file(tmp_path / "new", [a_town(PARIS, "Lutèce", SQUARE)]), quiet=True)

    assert service.place_of(IN_PARIS).towns == ()
    assert service.place_of(LngLat(5.5, 46.5)).towns == (PARIS,)
    assert service.town_names([PARIS]) == {PARIS: "Lutèce"}


def test_a_repeated_load_changes_nothing(tmp_path: Path) -> None:
    load_towns(tmp_path)
    load_zone(tmp_path, PARIS)
    before, kept = editions.edition.current(), entries()

    load_towns(tmp_path)
    load_zone(tmp_path, PARIS)

    assert editions.edition.current() == before
    assert generations() <= {entry.split("/")[1] for entry in kept}


@pytest.mark.parametrize(
    ("write", "name"),
    [("BatchWriteItem", "territory"), ("PutItem", "config")],
    ids=["while writing", "before the switch"],
)
def test_an_interrupted_load_has_changed_nothing_and_the_next_one_cleans_up(
    write: str, name: str, tmp_path: Path
) -> None:
    load_towns(tmp_path, PARIS)
    before = editions.edition.current()
    repair = cut_power_at(write, name)
    with pytest.raises(PowerCut):
        load_towns(tmp_path, PARIS, BORDEAUX)
    repair()
    documents.forget()
    cache.forget_all()

    assert editions.edition.current() == before
    assert service.place_of(IN_PARIS).towns == (PARIS,)
    assert service.place_of(IN_BORDEAUX).towns == ()

    load_towns(tmp_path, PARIS, BORDEAUX)
    assert service.place_of(IN_BORDEAUX).towns == (BORDEAUX,)
    assert generations() == {before.generation, editions.edition.current().generation}


def test_only_the_current_and_the_last_generation_are_kept(tmp_path: Path) -> None:
    load_towns(tmp_path, PARIS)
    load_towns(tmp_path, BORDEAUX)
    last = editions.edition.current().generation

    load_towns(tmp_path, CHARENTON)

    assert generations() == {last, editions.edition.current().generation}


def test_of_two_loads_at_once_the_later_one_gives_way(tmp_path: Path) -> None:
    load_towns(tmp_path, PARIS)
    file = towns_file(tmp_path, BORDEAUX)
    meanwhile = a_file(tmp_path / "other", [a_town(CHARENTON, *RINGS[CHARENTON])])
    events = clients.dynamodb().meta.events

    def overtake(**_: object) -> None:
        events.unregister("provide-client-params.dynamodb.BatchWriteItem", overtake)
        loads.load_towns(meanwhile, quiet=True)

    events.register("provide-client-params.dynamodb.BatchWriteItem", overtake)

    with pytest.raises(switches.LoadGaveWay, match=r"Run it again"):
        loads.load_towns(file, quiet=True)

    assert {town.insee for town in service.towns()} == {PARIS, CHARENTON}
    assert service.place_of(LngLat(2.41, 48.82)).towns == (PARIS, CHARENTON)


def with_ring(*ring: list[Any]) -> dict[str, Any]:
    """A town with this ring."""
    return a_town("01001", "X", ring)


@pytest.mark.parametrize(
    ("town", "reason"),
    [
        (a_town("1001", "X", SQUARE), "insee '1001' is not a code"),
        (a_town("2a004", "X", SQUARE), "insee '2a004' is not a code"),
        (a_feature({"insee": 1001, "nom": "X"}, [SQUARE]), "insee 1001 is not a code"),
        (a_feature({"nom": "X"}, [SQUARE]), "insee None is not a code"),
        (a_feature({"insee": "01001"}, [SQUARE]), "nom is missing"),
        (a_town("01001", " ", SQUARE), "nom is missing"),
        (a_town("01001", "X" * 256, SQUARE), "longer than 255"),
        (a_town("01001", "\ud800", SQUARE), "nom is no text"),
        (a_town("01001", "a\0b", SQUARE), "nom has a NUL character"),
        (a_town(PARIS, "X", SQUARE), f"{PARIS} is there already, on line 1"),
        (with_ring(*SQUARE[:-1]), "not closed"),
        (with_ring(*SQUARE[:2], SQUARE[0]), "3 points, fewer than four"),
        (with_ring([5, 46], [181, 46], [6, 47], [5, 46]), r"\[181.0, 46.0\] is not a longitude"),
        (with_ring([5, 46], [6, 91], [6, 47], [5, 46]), r"\[6.0, 91.0\] is not a longitude"),
        (with_ring([5, 46], [6, float("nan")], [6, 47], [5, 46]), "not a list of points"),
        (with_ring([5, 46], [6, 1e999], [6, 47], [5, 46]), "not a list of points"),
        (with_ring([5, 46], ["6", "46"], [6, 47], [5, 46]), "not a list of points"),
        (with_ring([5, 46], [6], [6, 47], [5, 46]), "not a list of points"),
        (with_ring(), "not a list of points"),
        (a_feature({"insee": "01001", "nom": "X"}, []), "a polygon has no ring"),
        (a_feature({"insee": "01001", "nom": "X"}, [], kind="MultiPolygon"), "has no polygon"),
        (a_feature({"insee": "01001", "nom": "X"}, [5, 46], kind="Point"), "is a Point, not"),
        ({**a_town("01001", "X", SQUARE), "geometry": None}, "there is no geometry"),
        (a_feature(None, [SQUARE]), "has no properties"),
        ({"type": "Point", "coordinates": [5, 46]}, "not a GeoJSON Feature"),
    ],
)
@pytest.mark.parametrize("form", ["lines", "collection"])
def test_a_malformed_town_is_refused_with_its_line_and_nothing_changes(
    town: dict[str, Any], reason: str, form: str, tmp_path: Path
) -> None:
    load_towns(tmp_path, BORDEAUX)
    before = editions.edition.current()
    good = a_town(PARIS, *RINGS[PARIS])
    path = a_file(tmp_path / "bad", [good, town])
    if form == "collection":
        lines = path.read_text().splitlines()
        path.write_text('{"type": "FeatureCollection", "features": [' + ",\n".join(lines) + "]}")

    with pytest.raises(FileRefused, match=rf"bad, line 2: .*{reason}"):
        loads.load_towns(path, quiet=True)

    documents.forget()
    assert editions.edition.current() == before


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"", 1, "empty"),
        (b"\n \n", 1, "empty"),
        (b"[]", 1, "neither"),
        (b'{"type": "FeatureCollection"}', 1, "no list of features"),
        (b'{"type": "FeatureCollection", "features": []}', 1, "no town"),
        (b'{"type": "FeatureCollection",\n"features": [}', 2, "not JSON"),
        (b"[" * 100_000, 1, "nested too deeply"),
        (b"\n\n\xff", 3, "not UTF-8"),
        (gzip.compress(b"{}" * 99, mtime=0)[:-9], 1, "damaged"),
        (b"\x1f\x8bno gzip", 1, "damaged"),
    ],
)
def test_a_file_that_is_no_geojson_is_refused_with_its_line(
    content: bytes, line: int, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "bad"
    path.write_bytes(content)

    with pytest.raises(FileRefused, match=rf"line {line}: .*{reason}"):
        loads.load_towns(path, quiet=True)


def test_a_line_that_is_no_json_is_refused_with_its_number(tmp_path: Path) -> None:
    path = towns_file(tmp_path)
    path.write_text(path.read_text() + "\n{oops\n")

    with pytest.raises(FileRefused, match="line 6: not JSON"):
        loads.load_towns(path, quiet=True)


def test_a_separator_of_lines_inside_a_name_is_no_end_of_line(tmp_path: Path) -> None:
    towns = [a_town(BORDEAUX, "Bordeaux", SQUARE), a_town(PARIS, "Pa\u2028ris", SQUARE)]
    path = tmp_path / "towns"
    path.write_text("\n".join(json.dumps(town, ensure_ascii=False) for town in towns))

    loads.load_towns(path, quiet=True)

    assert service.town_names([PARIS]) == {PARIS: "Pa\u2028ris"}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotGoOn, match="none cannot be read: No such file"):
        loads.load_towns(tmp_path / "none", quiet=True)
