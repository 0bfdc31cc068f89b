"""Towns that merged: their list, and what a load does to zones and licences."""

from pathlib import Path

import pytest

from app import app
from chalicelib.foundation.geo import LngLat
from chalicelib.taxis.territory import service
from chalicelib.taxis.vocabulary import Role
from ops.cli.territory import loads, towns
from ops.reading import FileRefused
from tests.calls import Caller
from tests.factories import an_account
from tests.taxis.territory.loaded import (
    BORDEAUX,
    CHARENTON,
    PARIS,
    load_towns,
    load_zone,
    merges_file,
    towns_file,
)

pytestmark = pytest.mark.usefixtures("store")

IN_PARIS = LngLat(2.35, 48.85)


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
    with pytest.raises(FileRefused, match=f"merges.csv, line {line}: .*{reason}"):
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

    with pytest.raises(FileRefused, match=f"merges, line {line}: .*{reason}"):
        towns.merges(path)
