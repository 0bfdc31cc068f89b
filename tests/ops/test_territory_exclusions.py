"""Loads of exclusions, and taking away."""

from pathlib import Path

import pytest

from chalicelib.foundation.geo import LngLat
from chalicelib.taxis.territory import editions, service
from ops.cli.territory import exclusions, loads
from ops.errors import CannotGoOn
from ops.reading import FileRefused
from tests.taxis.territory.loaded import (
    BORDEAUX,
    EXCLUDED,
    EXCLUSION,
    PARIS,
    ZONE,
    a_feature,
    a_file,
    a_ring,
    load_exclusion,
    load_towns,
    load_zone,
)

pytestmark = pytest.mark.usefixtures("store")

IN_PARIS = LngLat(2.35, 48.85)
SQUARE = a_ring(5, 46, 6, 47)


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

    exclusions.load_exclusion(path, quiet=True)

    assert editions.exclusions.current().exclusions["way/1"].name == name


def test_exclusions_are_upserted_by_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for exclusion_id, ring in (("way/1", EXCLUDED), (2, SQUARE), ("way/1", SQUARE), ("2", SQUARE)):
        feature = a_feature({"name": "X"}, [ring], id=exclusion_id)
        exclusions.load_exclusion(a_file(tmp_path / "exclusion", [feature]))

    assert set(editions.exclusions.current().exclusions) == {"way/1", "2"}
    assert capsys.readouterr().out.splitlines()[::2] == [
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

    with pytest.raises(FileRefused, match=f"line {line}: .*{reason}"):
        exclusions.load_exclusion(path, quiet=True)

    assert editions.exclusions.current().exclusions == {}


def test_a_zone_and_an_exclusion_can_be_taken_away(tmp_path: Path) -> None:
    load_towns(tmp_path)
    load_zone(tmp_path, PARIS, BORDEAUX)
    load_exclusion(tmp_path)

    loads.remove_zone(ZONE.upper(), quiet=True)
    exclusions.remove_exclusion(EXCLUSION, quiet=True)

    assert service.drawn_zones() == []
    assert service.place_of(IN_PARIS).allowed == {PARIS}
    assert editions.exclusions.current().exclusions == {}


def test_what_is_not_there_cannot_be_taken_away() -> None:
    with pytest.raises(CannotGoOn, match=f"There is no zone {ZONE}"):
        loads.remove_zone(ZONE, quiet=True)
    with pytest.raises(CannotGoOn, match="There is no exclusion way/1; there are: none"):
        exclusions.remove_exclusion("way/1", quiet=True)
