"""Towns that merged: their list, and what a load does to zones and licences."""

import json
from pathlib import Path

import pytest

from app import app
from chalicelib.foundation.geo import LngLat
from chalicelib.taxis.territory import service
from chalicelib.taxis.vocabulary import Role
from ops.cli.territory import conurbations, loads, mergers
from ops.reading import FileRefused
from tests.calls import Caller
from tests.factories import an_account
from tests.taxis.territory.loaded import (
    BORDEAUX,
    CHARENTON,
    PARIS,
    a_zone,
    load_towns,
    load_zone,
    merges_file,
    towns_file,
    zones_file,
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


def test_a_licence_named_by_a_merged_town_s_code_is_the_new_town_s(tmp_path: Path) -> None:
    load_towns(tmp_path, CHARENTON)
    merges = merges_file(tmp_path, (CHARENTON, PARIS))
    loads.load_towns(towns_file(tmp_path, PARIS), merges=merges, quiet=True)
    operator = Caller(app, key=an_account("operator", Role.OPERATEUR)[1])

    new = operator.post("/ads", {"numero": "7", "insee": CHARENTON})
    again = operator.post("/ads", {"numero": "7", "insee": PARIS})

    assert (new.status, new.json["data"][0]["insee"]) == (201, PARIS)
    assert again.status == 200
    assert service.town_names([CHARENTON]) == {CHARENTON: "Paris"}


def test_a_taxi_named_by_a_merged_town_s_code_is_the_one_there_is(tmp_path: Path) -> None:
    load_towns(tmp_path, CHARENTON)
    operator = Caller(app, key=an_account("operator", Role.OPERATEUR)[1])
    operator.post("/ads", {"numero": "7", "insee": CHARENTON})
    operator.post(
        "/drivers",
        {
            "departement": {"numero": "75"},
            "professional_licence": "1",
            "first_name": "A",
            "last_name": "B",
        },
    )
    operator.post("/vehicles", {"licence_plate": "AB-123-CD"})
    taxi = {
        "ads": {"insee": CHARENTON, "numero": "7"},
        "vehicle": {"licence_plate": "AB-123-CD"},
        "driver": {"departement": "75", "professional_licence": "1"},
    }
    before = operator.post("/taxis", taxi)
    merges = merges_file(tmp_path, (CHARENTON, PARIS))
    loads.load_towns(towns_file(tmp_path, PARIS), merges=merges, quiet=True)

    after = operator.post("/taxis", taxi)

    assert (before.status, after.status) == (201, 200)
    assert after.json["data"][0]["id"] == before.json["data"][0]["id"]
    assert after.json["data"][0]["ads"]["insee"] == PARIS


def test_mergers_are_kept_for_the_zones_and_conurbations_that_come_later(tmp_path: Path) -> None:
    merges = merges_file(tmp_path, (CHARENTON, PARIS))
    loads.load_towns(towns_file(tmp_path, PARIS, BORDEAUX), merges=merges, quiet=True)
    listed = tmp_path / "conurbations.json"
    listed.write_text(json.dumps([{"conurbation_id": "x", "name": "X", "members": [CHARENTON]}]))

    load_zone(tmp_path, CHARENTON, BORDEAUX)
    conurbations.load_conurbations(listed, quiet=True)

    assert service.zones()[0].members == {PARIS, BORDEAUX}
    assert service.conurbations()[0].members == {PARIS}


def test_a_conurbation_follows_a_merger_that_comes_after_it(tmp_path: Path) -> None:
    load_towns(tmp_path, CHARENTON)
    listed = tmp_path / "conurbations.json"
    listed.write_text(json.dumps([{"conurbation_id": "x", "name": "X", "members": [CHARENTON]}]))
    conurbations.load_conurbations(listed, quiet=True)

    merges = merges_file(tmp_path, (CHARENTON, PARIS))
    loads.load_towns(towns_file(tmp_path, PARIS), merges=merges, quiet=True)

    assert service.conurbations()[0].members == {PARIS}


def test_a_merger_into_a_town_that_comes_later_is_followed_then(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_towns(tmp_path, CHARENTON)
    load_zone(tmp_path, CHARENTON)
    operator = Caller(app, key=an_account("operator", Role.OPERATEUR)[1])
    operator.post("/ads", {"numero": "7", "insee": CHARENTON})
    merges = merges_file(tmp_path, (BORDEAUX, PARIS))
    loads.load_zones(zones_file(tmp_path, a_zone(CHARENTON)), merges=merges, quiet=True)
    assert service.present_code(BORDEAUX) == PARIS

    loads.load_towns(towns_file(tmp_path, PARIS))

    assert "licences: 0 moved" in capsys.readouterr().out
    load_zone(tmp_path, CHARENTON, BORDEAUX)
    assert service.zones()[0].members == {CHARENTON, PARIS}


def test_a_town_that_is_drawn_again_is_no_longer_merged(tmp_path: Path) -> None:
    merges = merges_file(tmp_path, (CHARENTON, PARIS))
    loads.load_towns(towns_file(tmp_path, PARIS), merges=merges, quiet=True)

    load_towns(tmp_path, CHARENTON)

    assert service.present_code(CHARENTON) == CHARENTON
    assert service.town_names([CHARENTON]) == {CHARENTON: "Charenton-le-Pont"}


def test_a_town_that_merged_twice_has_its_last_code(tmp_path: Path) -> None:
    merges = merges_file(tmp_path, ("99001", CHARENTON))
    loads.load_towns(towns_file(tmp_path, CHARENTON), merges=merges, quiet=True)

    merges = merges_file(tmp_path, (CHARENTON, PARIS))
    loads.load_towns(towns_file(tmp_path, PARIS), merges=merges, quiet=True)

    assert service.present_code("99001") == PARIS


# --- INSEE's own file -----------------------------------------------------------------------------


def movements_file(folder: Path, *movements: tuple[str, str, str, str, str, str]) -> Path:
    """Movements as INSEE publishes them (mvtcommune_2026.csv), whole but for names.

    Each is MOD, DATE_EFF, TYPECOM_AV, COM_AV, TYPECOM_AP, COM_AP.
    """
    path = folder / "mvtcommune_2026.csv"
    rows = "".join(
        f"{mod},{on},{kind},{old},0,OLD,Old,Old,{kind_after},{new},0,NEW,New,New\n"
        for mod, on, kind, old, kind_after, new in movements
    )
    path.write_text(
        "MOD,DATE_EFF,TYPECOM_AV,COM_AV,TNCC_AV,NCC_AV,NCCENR_AV,LIBELLE_AV,"
        "TYPECOM_AP,COM_AP,TNCC_AP,NCC_AP,NCCENR_AP,LIBELLE_AP\n" + rows
    )
    return path


def test_the_movements_that_insee_publishes_are_followed_to_the_last_code(tmp_path: Path) -> None:
    path = movements_file(
        tmp_path,
        ("32", "2019-01-01", "COM", "01002", "COM", "01003"),
        ("31", "1973-01-01", "COM", "01001", "COM", "01002"),
        ("32", "2019-01-01", "COM", "01003", "COM", "01003"),  # the town that the others join
        ("32", "2019-01-01", "COM", "01002", "COMD", "01002"),
        ("41", "1968-01-01", "COM", "75900", "COM", "93001"),  # another departement
        ("10", "2020-01-01", "COM", "01003", "COM", "01003"),  # another name
    )

    assert mergers.read(path) == {"01001": "01003", "01002": "01003", "75900": "93001"}


def test_a_commune_that_is_one_again_has_its_own_code(tmp_path: Path) -> None:
    path = movements_file(
        tmp_path,
        ("21", "1989-01-01", "COM", "01003", "COM", "01002"),
        ("21", "1989-01-01", "COM", "01003", "COM", "01003"),
        ("33", "1973-01-01", "COM", "01002", "COM", "01003"),
        ("33", "1973-01-01", "COM", "01001", "COM", "01003"),
    )

    assert mergers.read(path) == {"01001": "01003"}


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
        mergers.read(path)
