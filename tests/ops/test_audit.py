"""The audit: what decisions must say, what they skip, what scanners report, and how it ends."""

from typing import Any

import pytest

from ops.errors import CannotGoOn
from ops.release.audit import decisions, outcome, template
from ops.release.audit.decisions import Found, Skip, Undecided, sift
from ops.release.audit.outcome import Outcome
from ops.release.tools import ToolFailed

TABLES = Skip(("CKV_1",), ("*Table",), "why")
LICENCES = "licences: {allowed: {MIT: permissive}, spelled: {}}\n"


def a_finding(what: str = "CKV_1", where: str = "HailsTable") -> Found:
    return Found(what, where, f"{what} of {where}")


def test_a_finding_that_nobody_decided_of_is_kept() -> None:
    found = sift([a_finding(), a_finding(what="CKV_2"), a_finding(where="Stream")], [TABLES])

    assert found == ["CKV_1 of Stream", "CKV_2 of HailsTable"]


def test_a_decision_that_skips_nothing_any_more_is_a_finding() -> None:
    both = Skip(("CKV_1", "CKV_2"), ("*Table", "Stream"), "why")

    found = sift([a_finding()], [both])

    assert len(found) == 2
    assert "skips CKV_2, which is no longer found" in found[0]
    assert "skips Stream, which is no longer found" in found[1]


def test_what_was_looked_at_in_part_makes_no_decision_idle() -> None:
    assert sift([a_finding()], [TABLES, Skip(("CKV_2",), ("*",), "why")], complete=False) == []


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ("{checks: [CKV_1], resources: [ATable]}", r"template\[0\].*reason"),
        ("{checks: [CKV_1], resources: [ATable], reason: ' '}", r"template\[0\].reason"),
        ("{checks: [CKV_1], resources: [], reason: why}", r"template\[0\].resources"),
        ("{checks: CKV_1, resources: [ATable], reason: why}", r"template\[0\].checks"),
        ("{checks: [CKV_1], reason: why}", r"template\[0\].*resources"),
        ("{checks: [CKV_1], resources: [ATable], reason: why, until: 2027}", r"template.*until"),
    ],
)
def test_an_entry_without_a_field_or_its_reason_is_refused(entry: str, field: str) -> None:
    with pytest.raises(Undecided, match=field):
        decisions.read(f"{LICENCES}template: [{entry}]")


def test_a_section_that_no_check_reads_is_refused() -> None:
    with pytest.raises(Undecided, match="templates"):
        decisions.read(f"{LICENCES}templates: []")


def test_the_decisions_of_this_registry_can_be_read() -> None:
    decided = decisions.read(decisions.DECISIONS.read_text("utf-8"))

    assert decided.skips["template"]
    assert "AGPL-3.0-or-later" in decided.licences


def a_report(**summary: int) -> dict[str, Any]:
    """checkov's, of a table that failed one check."""
    failed = {
        "check_id": "CKV_1",
        "check_name": "A key",
        "resource": "AWS::DynamoDB::Table.HailsTable",
    }
    return {
        "results": {"failed_checks": [failed]},
        "summary": {"passed": 3, "failed": 1, "parsing_errors": 0, **summary},
    }


def test_checkov_s_findings_are_known_by_check_and_logical_name() -> None:
    [found] = template.found(a_report())

    assert (found.what, found.where) == ("CKV_1", "HailsTable")


@pytest.mark.parametrize(
    "report",
    [a_report(parsing_errors=1), {"passed": 0, "failed": 0, "parsing_errors": 0}],
    ids=["a file that cannot be read", "nothing that it knows"],
)
def test_a_template_that_checkov_could_not_read_has_not_been_checked(
    report: dict[str, Any],
) -> None:
    with pytest.raises(ToolFailed):
        list(template.found(report))


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (Outcome("one", "all"), 0),
        (Outcome("one", "all", findings=("bad",)), 1),
        (Outcome("one", "all", not_checked=("no service",)), 3),
        (Outcome("one", "all", findings=("bad",), not_checked=("no service",)), 1),
    ],
)
def test_what_is_found_and_what_is_not_checked_are_told_apart_and_neither_is_success(
    made: Outcome, code: int
) -> None:
    assert outcome.exit_code([Outcome("other", "all"), made]) == code


def test_a_check_that_cannot_be_made_is_not_checked_and_the_others_go_on() -> None:
    def fails() -> Outcome:
        raise CannotGoOn("This clone lacks the older commits.")

    made = [outcome.of("secrets", fails), outcome.of("one", lambda: Outcome("one", "all"))]

    assert outcome.exit_code(made) == 3
    assert outcome.table(made).splitlines()[1:] == [
        "secrets        NOT CHECKED nothing",
        "one            none        all",
        "secrets: not checked: This clone lacks the older commits.",
    ]


def test_the_table_never_calls_unchecked_what_it_calls_clean() -> None:
    table = outcome.table([Outcome("one", "half of it", not_checked=("no service",))])

    assert "none" not in table
    assert "NOT CHECKED" in table
    assert "one: not checked: no service" in table
