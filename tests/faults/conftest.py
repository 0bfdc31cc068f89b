"""What faults came to: each test tells its row, and `make faults` prints and keeps the table."""

import os
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults import table

Tell = Callable[..., None]
TIMES = int(os.environ.get("MARAUDE_FAULTS_TIMES", "1"))  # how much more of everything

_rows: list[table.Row] = []


@pytest.fixture
def tell() -> Tell:
    """Adds a row: the fault, what was offered and what became of it, and what was lost.

    `guard` names what prevents a loss, without which the test was seen to fail: a function of ours,
    and behind a colon which part of it.
    """

    def told(fault: str, *, seen: str, lost: int, guard: str, named: str = "") -> None:
        pkgutil.resolve_name(guard.partition(":")[0])  # the page names nothing that is gone
        _rows.append(table.Row(fault, seen, lost, guard, named))

    return told


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints the rows, and puts them into the page that MARAUDE_FAULTS_PAGE names."""
    page = os.environ.get("MARAUDE_FAULTS_PAGE")
    if not page or not _rows:
        return
    terminalreporter.write_line(table.made(_rows))
    if not terminalreporter.stats.get("failed"):
        table.written(_rows, Path(page))
