"""Where the tables go, and the line that is fitted through them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench import report
from bench.page import PAGE, MarkersMissing
from bench.positions import Cost, Scenario
from bench.report import BEGIN, END, Measured, Results


def some_results() -> Results:
    cost = Cost(Scenario("A", 1000, 5, 10), positions=2000, posts=40, records=60, record_bytes=4000)
    cost.writes = {"maraude-test-cells": 150, "maraude-test-last-positions": 30}
    cost.cells_written = 100
    results = Results(datetime(2026, 3, 2, tzinfo=UTC), taxis=1000)
    results.add(Measured(cost))
    return results


def test_a_rerun_replaces_the_tables_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"# Title\n\n{BEGIN}\nyesterday's\n{END}\n\nLast words\n")

    report.written(some_results(), page)
    once = page.read_text()
    report.written(some_results(), page)

    assert page.read_text() == once
    assert once.startswith("# Title\n\n" + BEGIN)
    assert once.endswith(END + "\n\nLast words\n")
    assert "yesterday's" not in once
    assert "**90.0**" in once


@pytest.mark.parametrize("text", ["", BEGIN, f"{END} {BEGIN}"])
def test_a_page_without_its_markers_is_left_alone(tmp_path: Path, text: str) -> None:
    page = tmp_path / "performance.md"
    page.write_text(text)

    with pytest.raises(MarkersMissing):
        report.written(some_results(), page)

    assert page.read_text() == text


def test_a_target_that_is_missed_is_said_to_be() -> None:
    assert (
        "| T1 | write units per 1,000 positions, A, each 10 s | 90.0 | ≤ 85.0 | **missed** |"
        in (report.made(some_results()))
    )


def test_a_power_is_found_again() -> None:
    assert report.fitted([10, 100, 1000], [2 * size**0.5 for size in (10, 100, 1000)]) == (
        pytest.approx(0.5)
    )


def test_the_page_of_the_docs_has_its_markers() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert text.index(BEGIN) < text.index(END)
