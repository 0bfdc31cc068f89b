"""Loads of zones: zupc.json, zone.yaml, folders."""

from pathlib import Path

import pytest

from chalicelib.foundation.geo import LngLat
from chalicelib.taxis.territory import service
from ops.cli.territory import loads
from ops.errors import CannotGoOn
from ops.reading import FileRefused
from tests.taxis.territory.loaded import (
    BORDEAUX,
    CHARENTON,
    PARIS,
    ZONE,
    a_file,
    a_ring,
    a_town,
    a_zone,
    load_towns,
    load_zone,
    merges_file,
    zones_file,
)

pytestmark = pytest.mark.usefixtures("store")

IN_PARIS = LngLat(2.35, 48.85)
SQUARE = a_ring(5, 46, 6, 47)
OTHER = "1889c818-6ab2-4ae1-8baa-b08a2d01bded"


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


def test_codes_of_yaml_files_are_moved_along_the_mergers_given(tmp_path: Path) -> None:
    load_towns(tmp_path)
    folder = a_folder(tmp_path / "repository", a_75_ZUPC_Paris=YAML)
    merges = merges_file(tmp_path, ("01004", BORDEAUX))

    loads.load_zones(folder, merges=merges, quiet=True)

    assert service.zones()[0].members == {PARIS, BORDEAUX}


def test_a_single_yaml_file_follows_the_mergers_given(tmp_path: Path) -> None:
    load_towns(tmp_path)
    folder = a_folder(tmp_path / "repository", a_75_ZUPC_Paris=YAML)
    merges = merges_file(tmp_path, ("01004", BORDEAUX))

    loads.load_zones(folder / "a_75_ZUPC_Paris" / "zone.yaml", merges=merges, quiet=True)

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

    with pytest.raises(FileRefused, match=f"zupc.json, line {line}: .*{reason}"):
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

    with pytest.raises(FileRefused, match=rf"zone.yaml, line {line}: .*{reason}"):
        loads.load_zones(folder, quiet=True)

    assert service.zones() == ()


def test_a_folder_without_zones_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotGoOn, match=r"There is no zone\.yaml"):
        loads.load_zones(tmp_path, quiet=True)
