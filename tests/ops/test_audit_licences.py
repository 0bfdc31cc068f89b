"""The audit's licences: how a distribution says its own, what may be shipped, and the page."""

from importlib.metadata import Distribution, PathDistribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from ops.errors import CannotGoOn
from ops.release.audit import decisions, licences
from ops.release.audit.decisions import Decisions
from ops.release.audit.licences import Licensed

DECIDED = Decisions(
    skips={}, licences={"MIT": "permissive", "BSD-3-Clause": "permissive"}, spelled={"Expat": "MIT"}
)
OURS = Licensed("ours", "1.0", "MIT")
STRANGE = Licensed("strange", "2.0", "SSPL-1.0")


def a_distribution(folder: Path, *lines: str) -> Distribution:
    """One whose metadata has these lines beside its name and version."""
    about = folder / "some-1.0.dist-info"
    about.mkdir()
    text = "\n".join(["Metadata-Version: 2.4", "Name: some", "Version: 1.0", *lines, "", ""])
    (about / "METADATA").write_text(text)
    return PathDistribution(about)


def test_what_is_installed_on_other_machines_only_has_not_been_looked_at() -> None:
    asked = [
        Requirement("one==1.0"),
        Requirement("two==1.0; python_version > '3'"),
        Requirement("three==1.0; sys_platform == 'plan9'"),
    ]

    assert list(licences.elsewhere(asked)) == [
        'three: it is installed where sys_platform == "plan9"'
    ]


@pytest.mark.parametrize(
    ("lines", "licence"),
    [
        (["License-Expression: MIT OR Zlib", "License: other"], "MIT OR Zlib"),
        (["License: BSD-3-Clause", "Classifier: License :: OSI Approved :: Other"], "BSD-3-Clause"),
        (["License: Expat"], "MIT"),
        (
            ["License: All of the text", "        on many lines", "Classifier: License :: Expat"],
            "MIT",
        ),
        (
            ["Classifier: License :: One", "Classifier: License :: OSI Approved :: Two"],
            "One AND Two",
        ),
        (["Classifier: Programming Language :: Python"], "not said"),
    ],
)
def test_a_distribution_s_licence_is_read_where_it_says_it(
    tmp_path: Path, lines: list[str], licence: str
) -> None:
    assert licences.declared(a_distribution(tmp_path, *lines), DECIDED.spelled) == licence


def test_a_licence_that_only_its_text_names_is_read_there(tmp_path: Path) -> None:
    said = a_distribution(tmp_path, "License-File: COPYING")
    text = tmp_path / "some-1.0.dist-info" / "licenses" / "COPYING"
    text.parent.mkdir()
    text.write_text("\n      The Licence\n   Version 9\n\nTerms\n")
    spelled = {"The Licence, Version 9": "MIT"}

    assert licences.declared(said, spelled) == "MIT"
    assert licences.declared(said, {}) == "not said"


def test_a_requirement_for_other_machines_is_none_of_ours() -> None:
    assert licences.closure([Requirement('no-such-distribution; sys_platform == "none"')]) == {}


@pytest.mark.parametrize(
    ("expression", "may"),
    [
        ("MIT", True),
        ("SSPL-1.0", False),
        ("SSPL-1.0 OR MIT", True),
        ("MIT AND BSD-3-Clause", True),
        ("MIT AND SSPL-1.0", False),
        ("(MIT AND SSPL-1.0) OR SSPL-1.0", False),
        ("MIT AND (SSPL-1.0 OR BSD-3-Clause)", True),
        ("not said", False),
    ],
)
def test_only_what_can_be_met_with_allowed_licences_is_allowed(
    expression: str, *, may: bool
) -> None:
    assert licences.is_allowed(expression, DECIDED.licences) is may


def test_a_shipped_licence_that_is_not_allowed_is_found_and_one_at_the_desk_is_not() -> None:
    page = licences.page([STRANGE], [], DECIDED)
    other_page = licences.page([], [STRANGE], DECIDED)

    [found] = licences.faults([STRANGE], [], DECIDED, page)

    assert "strange 2.0 is shipped under SSPL-1.0" in found
    assert licences.faults([], [STRANGE], DECIDED, other_page) == []


def test_a_distribution_at_the_desk_that_says_no_licence_is_found() -> None:
    silent = Licensed("silent", "1.0", licences.UNSTATED)

    found = licences.faults([], [silent], DECIDED, licences.page([], [silent], DECIDED))

    assert found == ["silent 1.0 says no licence"]


def test_a_page_that_lacks_a_distribution_or_has_it_in_the_wrong_part_is_found() -> None:
    assert licences.faults([OURS], [], DECIDED, licences.page([], [], DECIDED)) == [
        "docs/evidence/licences.md lacks: | ours | 1.0 | MIT |"
    ]
    assert len(licences.faults([OURS], [], DECIDED, licences.page([], [OURS], DECIDED))) == 2


def test_a_requirement_takes_what_its_extra_takes() -> None:
    bare = licences.closure([Requirement("moto")])
    dynamodb = licences.closure([Requirement("moto[dynamodb]")])

    assert "py-partiql-parser" not in bare
    assert "py-partiql-parser" in dynamodb
    assert "botocore" in bare


def test_a_requirement_that_is_not_installed_is_named() -> None:
    with pytest.raises(CannotGoOn, match="no-such-distribution"):
        licences.closure([Requirement("no-such-distribution")])


def test_all_that_is_shipped_may_be_and_the_page_has_it() -> None:
    decided = decisions.read(decisions.DECISIONS.read_text("utf-8"))
    travels, stays = licences.shipped(decided), licences.at_the_desk(decided)

    found = licences.faults(travels, stays, decided, licences.PAGE.read_text("utf-8"))

    assert {"boto3", "chalice", "geohash2"} <= {one.name for one in travels}
    assert found == []
