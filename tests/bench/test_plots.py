"""The drawings: what is in them, and that the same figures make the same file."""

import re
from datetime import UTC, datetime
from pathlib import Path

from bench import plots, requests_page, searches
from bench.positions import Cost, Scenario
from bench.results import Measured, Results
from bench.timed import Cost as Timed


def said(svg: str) -> list[str]:
    """The words of a drawing."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_percentiles_are_drawn_for_each_kind_of_request(tmp_path: Path) -> None:
    costs = {
        "search 5000": Timed(9, 3.0, 4.0, 5.0, 10.0),
        "hail": Timed(9, 12.0, 20.0, 30.0, 99.0),
    }

    for name in ("1", "2"):
        requests_page.latencies(costs, tmp_path / name / "latency.svg")

    drawn = [(tmp_path / name / "latency.svg").read_text() for name in ("1", "2")]
    assert drawn[0] == drawn[1]
    assert {*costs, "p50", "p90", "p99", "cpu"} <= set(said(drawn[0]))


def test_costs_are_drawn_against_the_size_of_the_fleet_beside_other_layouts(tmp_path: Path) -> None:
    results = Results(datetime(2026, 3, 2, tzinfo=UTC), taxis=1000)
    for taxis in (1000, 4000):
        cost = Cost(Scenario("A", taxis, 5, 10), positions=2000, posts=40, records=60)
        cost.writes = {"maraude-test-cells": taxis // 10}
        found = [
            searches.Cost(place, 9, units, others={"another": (units, 5)})
            for place, units in (("dense", 5.0), ("national", 2.0))
        ]
        results.add(Measured(cost, found, {"another": 1081.0}))

    plots.fleet_sizes(results, tmp_path / "fleets.svg")

    words = said((tmp_path / "fleets.svg").read_text())
    assert {"another", "this index", "read units, dense", "taxis"} <= set(words)
