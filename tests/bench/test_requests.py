"""The measurement itself, of a small fleet; the goals, which depend on the machine, are not asserted."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench import requests, requests_page, timed
from bench.page import PAGE, ROOT
from bench.requests import BEGIN, END
from bench.timed import Cost
from ops.local.process import environment


@pytest.mark.prove
def test_every_kind_of_request_is_measured_on_a_small_fleet(tmp_path: Path) -> None:
    results = tmp_path / "bench" / "requests.json"

    subprocess.run(
        [sys.executable, "-m", "bench.requests", "--quick", "--figures", str(results)],
        cwd=ROOT,
        env=environment({}),
        check=True,
        timeout=120,
    )

    costs = {name: Cost(**cost) for name, cost in json.loads(results.read_text()).items()}
    assert costs.keys() == {
        *("no-op server 300", "json.loads 300", "trivial 300", "search 300", "positions 300"),
        *("hail beside the dispatcher", "hail"),
    }
    for cost in costs.values():
        assert cost.cpu_ms > 0
        assert 0 < cost.p50_ms <= cost.p90_ms <= cost.p99_ms
    assert costs["no-op server 300"].cpu_ms < costs["trivial 300"].cpu_ms < costs["hail"].cpu_ms


@pytest.mark.parametrize(
    ("name", "cpu_ms", "p50_ms", "verdict"),
    [
        ("search 5000", 5.0, 8.0, "| 5, 8 | met | 19, 19 |"),
        ("search 5000", 5.01, 8.0, "| 5, 8 | **missed** |"),
        ("search 5000", 5.0, 8.01, "| 5, 8 | **missed** |"),
        ("positions 5000", 3.0, 99.0, "| 3, — | met | 6, — |"),
        ("hail", 99.0, 20.0, "| —, 20 | met |"),
        ("trivial 5000", 99.0, 99.0, "|  |  |  |"),
    ],
)
def test_a_request_meets_its_goals_where_it_has_any(
    name: str, cpu_ms: float, p50_ms: float, verdict: str
) -> None:
    costs = {name: Cost(1, cpu_ms, p50_ms, p50_ms, p50_ms)}

    *_, row = requests_page.markdown(costs, began_at=datetime(2026, 1, 1, tzinfo=UTC)).splitlines()

    assert verdict in row


def test_the_page_has_a_place_for_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert text.count(BEGIN) == text.count(END) == 1
    assert text.index(BEGIN) < text.index(END)


def test_the_processor_time_of_another_process_is_its_own() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            requests._until(
                lambda: timed.cpu_s(busy.pid) > 0.2, within_s=10, what="it uses processor time"
            )
        finally:
            busy.kill()
