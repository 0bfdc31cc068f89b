"""Loads of conurbations."""

import json
from pathlib import Path

import pytest

from chalicelib.taxis.territory import service
from chalicelib.taxis.territory.rules import Conurbation
from ops.cli.territory import conurbations, loads
from ops.reading import FileFaulty, FileRefused
from tests.taxis.territory.loaded import (
    BORDEAUX,
    CHARENTON,
    MULHOUSE,
    PARIS,
    load_towns,
)

pytestmark = pytest.mark.usefixtures("store")


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
    conurbations.load_conurbations(conurbations_file(tmp_path, a_conurbation(), other))

    conurbations.load_conurbations(
        conurbations_file(
            tmp_path, a_conurbation(PARIS), a_conurbation(MULHOUSE, conurbation_id="a")
        )
    )

    assert service.conurbations() == (
        Conurbation("a", "Grand Lutèce", 1417, frozenset({MULHOUSE})),
        Conurbation("lutece", "Grand Lutèce", 1417, frozenset({PARIS})),
    )
    assert capsys.readouterr().out.splitlines()[::2] == [
        "conurbations: 2 new, 0 changed, 0 unchanged, 0 removed; 2 in all",
        "conurbations: 1 new, 1 changed, 0 unchanged, 1 removed; 2 in all",
    ]


def test_a_conurbation_may_have_declared_no_number_of_licences(tmp_path: Path) -> None:
    load_towns(tmp_path)

    conurbations.load_conurbations(
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

    with pytest.raises(FileFaulty, match=rf"1 fault\. Nothing[^\n]*\n  line 3: .*{reason}"):
        conurbations.load_conurbations(path, quiet=True)

    assert service.conurbations() == ()


def test_every_fault_of_a_list_of_conurbations_is_named(tmp_path: Path) -> None:
    path = conurbations_file(tmp_path, a_conurbation(name=""), a_conurbation(declared_ads="6"))

    with pytest.raises(FileFaulty, match=r"(?s)2 faults.*line 2: name.*line 3: declared_ads"):
        conurbations.load_conurbations(path, quiet=True)


def test_a_file_without_a_list_of_conurbations_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad"
    path.write_text("{}")

    with pytest.raises(FileRefused, match="line 1: not a list"):
        conurbations.load_conurbations(path, quiet=True)


def test_the_conurbations_that_come_with_the_registry_are_those_of_the_reference() -> None:
    listed = conurbations.read(Path(loads.__file__).with_name("conurbations.json"))

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
