"""`docs/contract.md` and the routes of the app say the same of the contract's operations."""

import re
from pathlib import Path

from app import app

ROOT = Path(__file__).resolve().parents[3]
OPERATIONS = 42  # 41 of the reference [contract: Roles], and GET /health


def rows() -> dict[str, list[str]]:
    """The table: by operation, who may ask, the tests and the differences."""
    found = {}
    for line in (ROOT / "docs" / "contract.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if re.match(r"(GET|POST|PUT) /", cells[0]):
            assert cells[0] not in found, f"{cells[0]} is in the table twice"
            found[cells[0]] = cells[1:]
    return found


def routed() -> dict[str, str]:
    """The app's documented operations, and who may ask, as the table says it."""
    return {
        f"{verb} {path}": "anybody"
        if route.roles is None
        else ", ".join(sorted(route.roles)) or "any account"
        for path, verbs in app.table.items()
        for verb, route in verbs.items()
        if verb != "HEAD" and route.answers is not None
    }


def test_every_operation_of_the_contract_is_in_the_table() -> None:
    assert len(rows()) == OPERATIONS


def test_the_table_has_the_operations_of_the_app_and_no_others() -> None:
    assert rows().keys() == routed().keys()


def test_the_table_says_who_may_ask() -> None:
    assert {operation: cells[0] for operation, cells in rows().items()} == routed()


def test_the_tests_that_the_table_names_are_there_and_ask_for_the_operation() -> None:
    known = {path.name: path for path in (ROOT / "tests").rglob("test_*.py")}

    for operation, (_, tests, _) in rows().items():
        assert tests, f"{operation} names no test"
        beginning = operation.split()[1].partition("{")[0].rstrip("/") or "/"
        for name in tests.split(", "):
            assert name in known, f"{operation} names {name}"
            assert beginning in known[name].read_text("utf-8"), f"{name} never asks {operation}"
