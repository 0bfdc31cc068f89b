"""Start of a process: the entry points do it, and importing anything else calls nothing."""

import ast
import logging
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def calls_on_import(source: str) -> list[str]:
    """The calls that a module makes for their effect when it is imported."""
    return [
        ast.unparse(statement)
        for statement in ast.parse(source).body
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
    ]


@pytest.mark.parametrize("entry", ["app", "ingest_lambda.handler", "ingest_lambda.searches"])
def test_an_entry_point_sets_garbage_collection_and_the_level_of_logs(entry: str) -> None:
    asked = (
        f"import {entry}, gc, logging;"
        "print(gc.get_threshold()[0], logging.getLogger('maraude').level)"
    )

    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["200000", str(logging.INFO)]


def test_importing_a_module_of_the_library_calls_nothing() -> None:
    sources = sorted((ROOT / "chalicelib").rglob("*.py"))
    assert len(sources) > 100

    found = {
        str(source.relative_to(ROOT)): calls
        for source in sources
        if (calls := calls_on_import(source.read_text()))
    }

    assert found == {}
