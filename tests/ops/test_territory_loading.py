"""The desk's loaders: what they change, what they refuse, and what an interrupted one leaves."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app import app
from chalicelib.foundation import cache
from chalicelib.foundation.aws import clients
from chalicelib.foundation.geo import LngLat
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import documents
from chalicelib.taxis.territory import service, store
from chalicelib.taxis.territory.rules import Conurbation
from chalicelib.taxis.vocabulary import Role
from ops.cli import main
from ops.cli.territory import files, loads
from ops.errors import CannotGoOn
from tests.calls import Caller
from tests.factories import an_account
from tests.taxis.territory.loaded import (
    BORDEAUX,
    CHARENTON,
    EXCLUDED,
    EXCLUSION,
    MULHOUSE,
    PARIS,
    RINGS,
    ZONE,
    a_feature,
    a_file,
    a_ring,
    a_town,
    a_zone,
    load_exclusion,
    load_towns,
    load_zone,
    towns_file,
    zones_file,
)

pytestmark = pytest.mark.usefixtures("store")

IN_PARIS = LngLat(2.35, 48.85)
IN_BORDEAUX = LngLat(-0.57, 44.84)
SQUARE = a_ring(5, 46, 6, 47)
OTHER = "1889c818-6ab2-4ae1-8baa-b08a2d01bded"


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


# --- towns ----------------------------------------------------------------------------------------


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
    assert said == "towns: 1 new, 2 changed, 1 unchanged, 0 merged away; 4 in all\n"


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
    before, kept = store.edition.current(), entries()

    load_towns(tmp_path)
    load_zone(tmp_path, PARIS)

    assert store.edition.current() == before
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
    before = store.edition.current()
    repair = cut_power_at(write, name)
    with pytest.raises(PowerCut):
        load_towns(tmp_path, PARIS, BORDEAUX)
    repair()
    documents.forget()
    cache.forget_all()

    assert store.edition.current() == before
    assert service.place_of(IN_PARIS).towns == (PARIS,)
    assert service.place_of(IN_BORDEAUX).towns == ()

    load_towns(tmp_path, PARIS, BORDEAUX)
    assert service.place_of(IN_BORDEAUX).towns == (BORDEAUX,)
    assert generations() == {before.generation, store.edition.current().generation}


def test_only_the_current_and_the_last_generation_are_kept(tmp_path: Path) -> None:
    load_towns(tmp_path, PARIS)
    load_towns(tmp_path, BORDEAUX)
    last = store.edition.current().generation

    load_towns(tmp_path, CHARENTON)

    assert generations() == {last, store.edition.current().generation}


def test_of_two_loads_at_once_the_later_one_gives_way(tmp_path: Path) -> None:
    load_towns(tmp_path, PARIS)
    file = towns_file(tmp_path, BORDEAUX)
    meanwhile = a_file(tmp_path / "other", [a_town(CHARENTON, *RINGS[CHARENTON])])
    events = clients.dynamodb().meta.events

    def overtake(**_: object) -> None:
        events.unregister("provide-client-params.dynamodb.BatchWriteItem", overtake)
        loads.load_towns(meanwhile, quiet=True)

    events.register("provide-client-params.dynamodb.BatchWriteItem", overtake)

    with pytest.raises(loads.LoadGaveWay, match=r"Run it again"):
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
    before = store.edition.current()
    good = a_town(PARIS, *RINGS[PARIS])
    path = a_file(tmp_path / "bad", [good, town])
    if form == "collection":
        lines = path.read_text().splitlines()
        path.write_text('{"type": "FeatureCollection", "features": [' + ",\n".join(lines) + "]}")

    with pytest.raises(files.FileRefused, match=rf"bad, line 2: .*{reason}"):
        loads.load_towns(path, quiet=True)

    documents.forget()
    assert store.edition.current() == before


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

    with pytest.raises(files.FileRefused, match=rf"line {line}: .*{reason}"):
        loads.load_towns(path, quiet=True)


def test_a_line_that_is_no_json_is_refused_with_its_number(tmp_path: Path) -> None:
    path = towns_file(tmp_path)
    path.write_text(path.read_text() + "\n{oops\n")

    with pytest.raises(files.FileRefused, match="line 6: not JSON"):
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


# --- merges ---------------------------------------------------------------------------------------


def merges_file(folder: Path, *pairs: tuple[str, str]) -> Path:
    """A list of merges."""
    path = folder / "merges.csv"
    rows = "".join(f"{old},Old,{new},New\n" for old, new in pairs)
    path.write_text("ancien_insee,ancien_nom,nouveau_insee,nouveau_nom\n" + rows)
    return path


def test_a_merged_town_gives_way_in_the_list_on_the_map_and_in_zones(tmp_path: Path) -> None:
    load_towns(tmp_path, CHARENTON, BORDEAUX)
    load_zone(tmp_path, CHARENTON, BORDEAUX)
    merges = merges_file(tmp_path, (CHARENTON, PARIS), ("99001", "99002"))

    loads.load_towns(towns_file(tmp_path, PARIS), merges=merges, quiet=True)

    assert {town.insee for town in service.towns()} == {PARIS, BORDEAUX}
    assert service.place_of(LngLat(2.41, 48.82)).towns == (PARIS,)
    assert service.place_of(IN_PARIS).allowed == {PARIS, BORDEAUX}


def test_a_merged_town_that_the_file_still_draws_stays_on_the_map(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_towns(tmp_path, CHARENTON)
    merges = merges_file(tmp_path, (CHARENTON, PARIS))

    loads.load_towns(towns_file(tmp_path, PARIS, CHARENTON), merges=merges)

    assert "1 new, 0 changed, 1 unchanged, 0 merged away; 2 in all" in capsys.readouterr().out
    assert service.place_of(LngLat(2.41, 48.82)).towns == (PARIS, CHARENTON)


def test_licences_of_a_merged_town_get_the_new_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_towns(tmp_path, CHARENTON)
    operator = Caller(app, key=an_account("operator", Role.OPERATEUR)[1])
    operator.post("/ads", {"numero": "7", "insee": CHARENTON})
    merges = merges_file(tmp_path, (CHARENTON, PARIS), ("99001", "99002"))

    loads.load_towns(towns_file(tmp_path, PARIS), merges=merges)

    assert "licences: 1 moved" in capsys.readouterr().out
    assert operator.post("/ads", {"numero": "7", "insee": PARIS}).status == 200
    assert operator.post("/ads", {"numero": "7", "insee": CHARENTON}).status == 404


def test_a_merge_into_a_town_that_is_not_there_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_towns(tmp_path, CHARENTON)
    load_zone(tmp_path, CHARENTON)
    merges = merges_file(tmp_path, ("99001", "99002"), (CHARENTON, PARIS))

    loads.load_towns(towns_file(tmp_path, BORDEAUX), merges=merges)

    assert "merges: 0 followed, 2 into towns that are not there" in capsys.readouterr().out
    assert {town.insee for town in service.towns()} == {BORDEAUX, CHARENTON}
    assert service.zones()[0].members == {CHARENTON}


@pytest.mark.parametrize(
    ("pairs", "line", "reason"),
    [
        ([("01001", "01002"), ("1", "01002")], 3, "ancien_insee '1'"),
        ([("01001", "")], 2, "nouveau_insee ''"),
        ([("01001", "01001")], 2, "into itself"),
        ([("01001", "01002"), ("01001", "01003")], 3, "into 01002 on line 2"),
        ([("01001", "01002"), ("01002", "01003")], 2, "01002 is itself merged, on line 3"),
    ],
)
def test_malformed_merges_are_refused_with_their_line(
    pairs: list[tuple[str, str]], line: int, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(files.FileRefused, match=f"merges.csv, line {line}: .*{reason}"):
        loads.load_towns(towns_file(tmp_path), merges=merges_file(tmp_path, *pairs), quiet=True)

    assert service.towns() == []


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("ancien_insee,nouveau\n", 1, "the column nouveau_insee is missing"),
        ("ancien_insee,nouveau_insee\n01001\n", 2, "1 values for 2 columns"),
        ('ancien_insee,nouveau_insee\n01001,"a"b\n', 2, "not CSV"),
        ("", 1, "the column ancien_insee is missing"),
    ],
)
def test_merges_that_are_no_csv_are_refused_with_their_line(
    text: str, line: int, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "merges"
    path.write_text(text)

    with pytest.raises(files.FileRefused, match=f"merges, line {line}: .*{reason}"):
        files.merges(path)


# --- zones ----------------------------------------------------------------------------------------


def test_zones_are_upserted_and_the_others_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_towns(tmp_path)
    load_zone(tmp_path, PARIS, CHARENTON)

    loads.load_zones(
        zones_file(tmp_path, a_zone(PARIS, nom="new"), a_zone(BORDEAUX, zupc_id=OTHER))
    )

    said = capsys.readouterr().out
    assert said.startswith("zones: 1 new, 1 changed, 0 unchanged, 0 left out")
    assert [
        (zone.zone_id, zone.number, zone.nom, set(zone.members)) for zone in service.zones()
    ] == [
        (ZONE, 1, "new", {PARIS}),
        (OTHER, 2, "ZUPC des taxis parisiens", {BORDEAUX}),
    ]


def test_a_zone_without_present_codes_takes_the_published_ones_moved(tmp_path: Path) -> None:
    load_towns(tmp_path)
    zone = a_zone("99001", BORDEAUX)
    del zone["insee_2026"]
    merges = merges_file(tmp_path, ("99001", PARIS))

    loads.load_zones(zones_file(tmp_path, zone), merges=merges, quiet=True)

    assert service.zones()[0].members == {PARIS, BORDEAUX}


def test_a_zone_of_a_special_polygon_only_is_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_towns(tmp_path)

    loads.load_zones(zones_file(tmp_path, a_zone(has_feature=True)))

    assert "1 left out" in capsys.readouterr().out
    assert service.zones() == ()


def test_a_town_that_is_drawn_inside_another_may_be_in_a_zone(tmp_path: Path) -> None:
    load_towns(tmp_path)

    load_zone(tmp_path, PARIS, "14666")

    assert service.place_of(IN_PARIS).allowed == {PARIS, "14666"}


@pytest.mark.parametrize(
    ("zone", "reason"),
    [
        (a_zone(PARIS, "75101", "75102", zupc_id=OTHER), "unknown towns: 75101, 75102"),
        (a_zone(PARIS, zupc_id="no uuid"), "id 'no uuid' is not a UUID"),
        (a_zone(PARIS, nom="", zupc_id=OTHER), "nom is missing"),
        (a_zone(zupc_id=OTHER), "the zone has no towns"),
        (a_zone(PARIS, insee_2026=[75056], zupc_id=OTHER), "75056 is not a code"),
        (a_zone(PARIS, insee_2026="75056", zupc_id=OTHER), "neither insee_2026 nor insee_publies"),
        (a_zone(PARIS), "is there already"),
        ([], "not an object"),
    ],
)
def test_a_malformed_zone_is_refused_with_its_line_and_nothing_changes(
    zone: object, reason: str, tmp_path: Path
) -> None:
    load_towns(tmp_path)
    path = zones_file(tmp_path, a_zone(BORDEAUX), zone)
    line = path.read_text().split(",\n  {" if zone else ",\n  []")[0].count("\n") + 2

    with pytest.raises(files.FileRefused, match=f"zupc.json, line {line}: .*{reason}"):
        loads.load_zones(path, quiet=True)

    assert service.zones() == ()


YAML = f"id: {ZONE}\nname: ZUPC parisienne\nallowed:\n  75056: Paris\n  01004: Ambérieu\n"


def a_folder(folder: Path, **texts: str) -> Path:
    """A repository of zones: a folder each, with `_` for the name's own."""
    for name, text in texts.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "zone.yaml").write_text(text)
    return folder


def test_a_folder_of_yaml_files_is_loaded_with_its_leading_zeros(tmp_path: Path) -> None:
    load_towns(tmp_path)
    loads.load_towns(a_file(tmp_path / "more", [a_town("01004", "A", SQUARE)]), quiet=True)
    folder = a_folder(tmp_path / "repository", a_75_ZUPC_Paris=YAML)

    loads.load_zones(folder, quiet=True)

    zone = service.zones()[0]
    assert (zone.zone_id, zone.nom) == (ZONE, "ZUPC parisienne")
    assert zone.members == {PARIS, "01004"}


def test_of_a_folder_airports_with_a_polygon_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_towns(tmp_path)
    folder = a_folder(
        tmp_path / "repository",
        a_75_ZUPC_Paris=YAML.replace("  01004: Ambérieu\n", ""),
        a_13_Aeroport=YAML + "feature: airport.geojson\n",
    )

    loads.load_zones(folder)

    assert "1 left out" in capsys.readouterr().out
    assert len(service.zones()) == 1


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (YAML + "feature: x.geojson\n", 6, "feature is not supported"),
        (YAML + "include: x\n", 6, "include is not supported"),
        (YAML + "exclude: x\n", 6, "exclude is not supported"),
        (YAML.replace(ZONE, "nonsense"), 1, "not a UUID"),
        (YAML.replace("name:", "nom:"), 1, "name is missing"),
        (YAML.replace("  75056", "  7505"), 4, "insee '7505'"),
        (f"id: {ZONE}\nname: X\nallowed:\n", 3, "allowed is not a mapping"),
        (f"id: {ZONE}\nname: X\n", 1, "allowed is not a mapping"),
        ("id: [\n", 2, "not YAML"),
        ("- id\n", 1, "not a mapping"),
        (YAML, 1, "unknown towns: 01004"),
    ],
)
def test_a_malformed_yaml_file_is_refused_with_its_line(
    text: str, line: int, reason: str, tmp_path: Path
) -> None:
    load_towns(tmp_path)
    folder = a_folder(tmp_path / "repository", a_75_ZUPC_Paris=text)

    with pytest.raises(files.FileRefused, match=rf"zone.yaml, line {line}: .*{reason}"):
        loads.load_zones(folder, quiet=True)

    assert service.zones() == ()


def test_a_folder_without_zones_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotGoOn, match=r"There is no zone\.yaml"):
        loads.load_zones(tmp_path, quiet=True)


# --- conurbations ---------------------------------------------------------------------------------


def a_conurbation(*members: str, **changes: object) -> dict[str, object]:
    """A conurbation of a file."""
    return {
        "conurbation_id": "lutece",
        "name": "Grand Lutèce",
        "declared_ads": 1417,
        "members": list(members or (PARIS, CHARENTON)),
        **changes,
    }


def conurbations_file(folder: Path, *conurbations: object) -> Path:
    """A list of conurbations, one a line from the second line on."""
    path = folder / "conurbations.json"
    path.write_text("[\n" + ",\n".join(map(json.dumps, conurbations)) + "\n]")
    return path


def test_the_conurbations_of_a_file_take_the_place_of_all_there_were(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_towns(tmp_path)
    other = a_conurbation(BORDEAUX, conurbation_id="bordeaux", name="Bordeaux", declared_ads=None)
    loads.load_conurbations(conurbations_file(tmp_path, a_conurbation(), other))

    loads.load_conurbations(
        conurbations_file(
            tmp_path, a_conurbation(PARIS), a_conurbation(MULHOUSE, conurbation_id="a")
        )
    )

    assert service.conurbations() == (
        Conurbation("a", "Grand Lutèce", 1417, frozenset({MULHOUSE})),
        Conurbation("lutece", "Grand Lutèce", 1417, frozenset({PARIS})),
    )
    assert capsys.readouterr().out.splitlines() == [
        "conurbations: 2 new, 0 changed, 0 unchanged, 0 removed; 2 in all",
        "conurbations: 1 new, 1 changed, 0 unchanged, 1 removed; 2 in all",
    ]


def test_a_conurbation_may_have_declared_no_number_of_licences(tmp_path: Path) -> None:
    load_towns(tmp_path)

    loads.load_conurbations(
        conurbations_file(tmp_path, a_conurbation(declared_ads=None)), quiet=True
    )

    assert service.conurbations()[0].declared_ads is None


@pytest.mark.parametrize(
    ("conurbation", "reason"),
    [
        ([], "not an object"),
        (a_conurbation(conurbation_id=""), "conurbation_id is missing"),
        (a_conurbation(name=None), "name is missing"),
        (a_conurbation(declared_ads=0), "declared_ads 0 is not"),
        (a_conurbation(declared_ads=1.5), "declared_ads 1.5 is not"),
        (a_conurbation(declared_ads=True), "declared_ads True is not"),
        (a_conurbation(members=[]), "members is not a list"),
        (a_conurbation("7505"), "members '7505' is not a code"),
        (a_conurbation(town=PARIS), "town is not one of conurbation_id"),
        (a_conurbation(conurbation_id="first"), "first is there already, on line 2"),
        (a_conurbation(PARIS, "75101", "75102"), "lutece are unknown towns: 75101, 75102"),
    ],
)
def test_a_malformed_conurbation_is_refused_with_its_line_and_nothing_changes(
    conurbation: object, reason: str, tmp_path: Path
) -> None:
    load_towns(tmp_path)
    path = conurbations_file(tmp_path, a_conurbation(conurbation_id="first"), conurbation)

    with pytest.raises(files.FileFaulty, match=rf"1 fault\. Nothing[^\n]*\n  line 3: .*{reason}"):
        loads.load_conurbations(path, quiet=True)

    assert service.conurbations() == ()


def test_every_fault_of_a_list_of_conurbations_is_named(tmp_path: Path) -> None:
    path = conurbations_file(tmp_path, a_conurbation(name=""), a_conurbation(declared_ads="6"))

    with pytest.raises(files.FileFaulty, match=r"(?s)2 faults.*line 2: name.*line 3: declared_ads"):
        loads.load_conurbations(path, quiet=True)


def test_a_file_without_a_list_of_conurbations_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad"
    path.write_text("{}")

    with pytest.raises(files.FileRefused, match="line 1: not a list"):
        loads.load_conurbations(path, quiet=True)


def test_the_conurbations_that_come_with_the_registry_are_those_of_the_reference() -> None:
    listed = files.conurbations(Path(loads.__file__).with_name("conurbations.json"))

    assert {
        one.conurbation.conurbation_id: (one.conurbation.declared_ads, len(one.conurbation.members))
        for one in listed
    } == {
        "lyon": (1417, 58),
        "grenoble": (213, 49),
        "rouen": (301, 71),
        "toulouse": (251, 37),
        "stetienne": (86, 53),
    }


# --- exclusions and stations ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        ({"name:fr": "Aéroport", "name": "Airport"}, "Aéroport"),
        ({"name": "Airport"}, "Airport"),
        ({}, "way/1"),
    ],
)
def test_an_exclusion_has_its_french_name_or_another(
    properties: dict[str, str], name: str, tmp_path: Path
) -> None:
    path = a_file(tmp_path / "exclusion", [a_feature(properties, [EXCLUDED], id="way/1")])

    loads.load_exclusion(path, quiet=True)

    assert store.exclusions.current().exclusions["way/1"].name == name


def test_exclusions_are_upserted_by_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for exclusion_id, ring in (("way/1", EXCLUDED), (2, SQUARE), ("way/1", SQUARE), ("2", SQUARE)):
        feature = a_feature({"name": "X"}, [ring], id=exclusion_id)
        loads.load_exclusion(a_file(tmp_path / "exclusion", [feature]))

    assert set(store.exclusions.current().exclusions) == {"way/1", "2"}
    assert capsys.readouterr().out.splitlines() == [
        "exclusions: 1 new, 0 changed, 0 unchanged; 1 in all",
        "exclusions: 1 new, 0 changed, 0 unchanged; 2 in all",
        "exclusions: 0 new, 1 changed, 0 unchanged; 2 in all",
        "exclusions: 0 new, 0 changed, 1 unchanged; 2 in all",
    ]


@pytest.mark.parametrize(
    ("features", "line", "reason"),
    [
        ([a_feature({}, [SQUARE])], 1, "id is missing"),
        ([a_feature({}, [SQUARE[:-1]], id="way/1")], 1, "not closed"),
        ([a_feature({}, [5, 46], kind="Point", id="way/1")], 1, "is a Point"),
        ([a_feature({}, [SQUARE], id="way/1")] * 2, 2, "must be one Feature"),
    ],
)
def test_a_malformed_exclusion_is_refused_with_its_line(
    features: list[object], line: int, reason: str, tmp_path: Path
) -> None:
    path = a_file(tmp_path / "exclusion", features)

    with pytest.raises(files.FileRefused, match=f"line {line}: .*{reason}"):
        loads.load_exclusion(path, quiet=True)

    assert store.exclusions.current().exclusions == {}


HEAD = "id;nom;insee;geopoint;adresse;emplacements;no_appel;info\n"
ROW = '"38185-T-001";"Vallier";38185;"5.71, 45.18";"Boulevard Vallier";6;;null\n'


def test_stations_load_from_csv_and_are_upserted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "stations.csv"
    path.write_text(HEAD + ROW + ROW.replace("T-001", "T-002"))
    loads.load_stations(path)
    path.write_text(HEAD + ROW.replace("Vallier", "Renamed"))

    loads.load_stations(path)

    assert [(one.station_id, one.name, one.places, one.info) for one in service.stations()] == [
        ("38185-T-001", "Renamed", 6, ""),
        ("38185-T-002", "Vallier", 6, ""),
    ]
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("stations: 2 new, 0 changed, 0 unchanged; 2 in all; 2 in a town")
    assert said[1].startswith("stations: 0 new, 1 changed, 0 unchanged; 2 in all")


# --- taking away ----------------------------------------------------------------------------------


def test_a_zone_and_an_exclusion_can_be_taken_away(tmp_path: Path) -> None:
    load_towns(tmp_path)
    load_zone(tmp_path, PARIS, BORDEAUX)
    load_exclusion(tmp_path)

    loads.remove_zone(ZONE.upper(), quiet=True)
    loads.remove_exclusion(EXCLUSION, quiet=True)

    assert service.drawn_zones() == []
    assert service.place_of(IN_PARIS).allowed == {PARIS}
    assert store.exclusions.current().exclusions == {}


def test_what_is_not_there_cannot_be_taken_away() -> None:
    with pytest.raises(CannotGoOn, match=f"There is no zone {ZONE}"):
        loads.remove_zone(ZONE, quiet=True)
    with pytest.raises(CannotGoOn, match="There is no exclusion way/1; there are: none"):
        loads.remove_exclusion("way/1", quiet=True)


# --- the command ----------------------------------------------------------------------------------


def test_the_command_says_in_one_sentence_that_nothing_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = towns_file(tmp_path)

    code = main.main(["territory", "load-towns", str(file), "--data", str(tmp_path / "none")])

    assert code != 0
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
