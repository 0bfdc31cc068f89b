"""Where the tables go, and the line that is fitted through them."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench import cpu, figures, hails, report, searches
from bench.figures import RunIncomplete
from bench.page import PAGE
from bench.positions import Cost, Scenario
from bench.report import BEGIN, END
from bench.results import Measured, Results
from ops.cli.cost import command, estimate
from ops.pages import MarkersMissing


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

    report.keep(some_results(), page)
    once = page.read_text()
    report.keep(some_results(), page)

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
        report.keep(some_results(), page)

    assert page.read_text() == text


def test_a_target_that_is_missed_is_said_to_be() -> None:
    assert (
        "| T1 | write units per 1,000 positions, A, each 10 s | 90.0 | ≤ 85.0 | **missed** |"
        in (report.tables(some_results()))
    )


def test_half_a_run_makes_no_figures(tmp_path: Path) -> None:
    results = some_results()

    with pytest.raises(RunIncomplete):
        figures.write(results, tmp_path / "figures.json")

    assert list(tmp_path.iterdir()) == []


def test_a_whole_run_makes_the_figures_that_costs_are_reckoned_with(tmp_path: Path) -> None:
    results = Results(datetime(2026, 3, 2, tzinfo=UTC), taxis=1000)
    for period_s, taxis, units in ((10, 1000, 160), (5, 1000, 80), (10, 4000, 200)):
        cost = Cost(Scenario("A", taxis, 5, period_s), positions=2000, posts=40, records=60)
        cost.writes, cost.reads = {"maraude-test-cells": units}, {"maraude-test-cells": 60}
        found = [searches.Cost("dense", 9, 5.0), searches.Cost("national", 9, 2.0, near=7.0)]
        results.add(Measured(cost, found if period_s == 10 else []))
    results.hail = hails.Cost(writes=100, reads=50.0)
    results.timed = cpu.Cost(3e5, 1e5, 1e6, 2e6, 100.0, 90.0, 40, 1000, {}, {}, 200.0, 300.0)
    file = tmp_path / "figures.json"

    figures.write(results, file)

    kept = json.loads(file.read_text())
    prices = command.loaded()[1]
    assert [one["write_units_per_1000"] for one in kept["fleets"]] == [80.0, 100.0]
    assert kept["of_5_s_to_10_s"]["write_units"] == 0.5
    assert estimate.lines(estimate.Load(2000), kept, prices)


def test_a_power_is_found_again() -> None:
    assert report.fitted([10, 100, 1000], [2 * size**0.5 for size in (10, 100, 1000)]) == (
        pytest.approx(0.5)
    )


def test_the_page_of_the_docs_has_its_markers() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert text.index(BEGIN) < text.index(END)
