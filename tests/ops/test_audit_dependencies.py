"""The audit's dependencies: pins that agree, and advisories that were really looked up."""

from pathlib import Path
from typing import Any

import pytest

from ops.release.audit import dependencies
from ops.release.audit.decisions import ROOT

HASH = f"--hash=sha256:{'0a' * 32}"


def a_folder(folder: Path, *, asked: str = "one==1.0", constrained: str = "one==1.0") -> Path:
    (folder / "requirements.txt").write_text("# a comment\n" + asked)
    (folder / "requirements-desk.txt").write_text("-r requirements.txt\n")
    (folder / "constraints.txt").write_text(f"# a comment\n{constrained} \\\n    {HASH}\n")
    return folder


@pytest.mark.parametrize("asked", ["one", "one>=1.0", "one==1.*", "one==1.0,!=1.1"])
def test_a_requirement_that_names_no_one_version_is_found(tmp_path: Path, asked: str) -> None:
    _, faults = dependencies.pins(a_folder(tmp_path, asked=asked))

    assert [fault for fault in faults if "requirements.txt does not pin one" in fault]


def test_a_requirement_that_the_constraints_know_otherwise_or_not_is_found(tmp_path: Path) -> None:
    _, faults = dependencies.pins(a_folder(tmp_path, asked="one[more]==1.1\nT_wo==2.0"))

    assert faults == [
        "requirements.txt asks for one 1.1, constraints.txt for 1.0",
        "requirements.txt asks for t-wo 2.0, constraints.txt for none",
    ]


def test_a_version_without_a_hash_is_found_in_every_list_that_is_installed_from(
    tmp_path: Path,
) -> None:
    folder = a_folder(tmp_path)
    (folder / "infra").mkdir()
    (folder / "infra" / "tool.txt").write_text(
        f"# by hand\nt_wo==1.0 \\\n    {HASH}\nthree==1.0 ; sys_platform == 'linux'\nfour==1\n"
    )
    (folder / "constraints.txt").write_text(f"one==1.0\ntwo==2.0 \\\n    {HASH}\n")

    constrained, faults = dependencies.pins(folder)

    assert constrained == {"one": "1.0", "two": "2.0"}
    assert faults == [
        "constraints.txt has no hash of one==1.0",
        "infra/tool.txt has no hash of three==1.0",
        "infra/tool.txt has no hash of four==1",
    ]


def test_what_is_installed_otherwise_or_unasked_is_found_and_the_installer_is_not() -> None:
    installed = {"one": "1.1", "more": "1.0", "pip": "26.0", "maraude": "0.1.0"}

    assert dependencies.unlike(installed, {"one": "1.0"}) == [
        "more 1.0 is installed, constraints.txt says nothing of it",
        "one 1.1 is installed, constraints.txt says 1.0",
    ]


def test_the_registry_s_own_pins_agree() -> None:
    constrained, faults = dependencies.pins(ROOT)

    assert len(constrained) > 100
    assert faults == []


def a_report(*dependencies: dict[str, Any]) -> dict[str, Any]:
    return {"dependencies": list(dependencies)}


HOLE = {"id": "PYSEC-1", "fix_versions": ["1.1"], "aliases": [], "description": "bad"}
ANSWERED = {"name": "one", "version": "1.0", "vulns": [HOLE]}
CLEAN = {"name": "two", "version": "2.0", "vulns": []}
SKIPPED = {"name": "three", "skip_reason": "Dependency not found on PyPI"}


def test_an_advisory_is_known_by_its_id_and_distribution() -> None:
    [found] = dependencies.advisories(a_report(ANSWERED, CLEAN, SKIPPED))

    assert (found.what, found.where) == ("PYSEC-1", "one")
    assert found.words == "one 1.0: PYSEC-1, mended in 1.1"


def test_what_the_index_has_no_answer_for_has_not_been_checked() -> None:
    [said] = dependencies.unanswered(a_report(ANSWERED, CLEAN, SKIPPED))

    assert said.startswith("advisories of 1 of 3 versions")
    assert dependencies.unanswered(a_report(ANSWERED, CLEAN)) == ()
