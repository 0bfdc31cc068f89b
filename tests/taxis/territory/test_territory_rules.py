"""Zones and names, without any store."""

import time

import pytest

from chalicelib.taxis.territory import service
from chalicelib.taxis.territory.rules import Gazetteer, Town, Zone, Zones, departement_of

TOWNS = Gazetteer.of(
    Town(insee, name)
    for insee, name in (
        ("35238", "Rennes"),
        ("42218", "Saint-Étienne"),
        ("28134", "Évry"),
        ("91228", "Évry-Courcouronnes"),
        ("27229", "Évreux"),
        ("14117", "Œuilly"),
        ("59155", "100% [sic]_"),
        ("77294", "L'Haÿ"),
    )
)


def names(search: str) -> list[str]:
    return [town.name for town in TOWNS.beginning(search)]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("évr", ["Évreux", "Évry", "Évry-Courcouronnes"]),
        ("EVRY", ["Évry", "Évry-Courcouronnes"]),
        ("oeu", ["Œuilly"]),
        ("Œu", ["Œuilly"]),
        ("l'hay", ["L'Haÿ"]),
        ("%-", ["Évry-Courcouronnes", "Saint-Étienne"]),
        ("_enne", ["Rennes"]),
        ("enne", []),
        ("100\\% [", ["100% [sic]_"]),
        ("\\%", []),
        ("100*", []),
        ("r[ae]", []),
        ("\\", []),
        (".", []),
    ],
)
def test_a_search_is_a_prefix_whatever_its_case_and_accents(search: str, found: list[str]) -> None:
    assert names(search) == found


def test_an_empty_search_finds_all_by_name() -> None:
    assert names("") == [town.name for town in TOWNS.towns]
    assert [town.name for town in TOWNS.towns[-2:]] == ["Rennes", "Saint-Étienne"]


def test_a_hostile_pattern_takes_no_longer_than_another() -> None:
    towns = Gazetteer.of([Town("00000", "a" * 255)] * 50)
    started = time.process_time()

    assert towns.beginning("%a" * 40 + "b") == []

    assert time.process_time() - started < 5


def test_a_town_in_several_zones_allows_the_members_of_all_of_them() -> None:
    zones = Zones(
        (
            Zone("one", 1, "", frozenset({"a", "b"})),
            Zone("two", 2, "", frozenset({"b", "c"})),
            Zone("three", 3, "", frozenset({"c", "d"})),
        )
    )

    assert zones.allowed_in("b") == {"a", "b", "c"}
    assert zones.allowed_in("e") == {"e"}
    assert [zone.zone_id for zone in zones.of(["c", "b"])] == ["one", "two", "three"]


def test_the_departements_are_those_of_the_contract() -> None:
    metropolis = {f"{number:02}" for number in range(1, 96)} - {"20"} | {"2A", "2B"}

    names = service.departement_names()

    assert names.keys() == metropolis | {"971", "972", "973", "974", "976"}
    assert len(set(names.values())) == 101


@pytest.mark.parametrize(
    ("insee", "departement"),
    [("75056", "75"), ("2A004", "2A"), ("97105", "971"), ("98735", "987")],
)
def test_a_departement_has_two_characters_and_three_overseas(insee: str, departement: str) -> None:
    assert departement_of(insee) == departement
