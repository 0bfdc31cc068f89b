"""Figures for `maraude cost`, from a whole run: `bench/figures.json`, kept with the code."""

import json
from pathlib import Path
from typing import Any

from bench import page
from bench.fleets import POST
from bench.results import Results

FILE = Path(__file__).with_name("figures.json")


class RunIncomplete(Exception):
    """The run has not measured all that the figures are made of."""


def collect(results: Results) -> dict[str, Any]:
    """The figures of a run of `make bench`. Raises RunIncomplete."""
    periods = {period_s: results.cost("A", 5, period_s) for period_s in (5, 10)}
    five, ten, timed, hail = periods[5], periods[10], results.timed, results.hail
    if results.waiting or results.quick or not (five and ten and timed and hail):
        raise RunIncomplete("only a whole run of `make bench` makes figures")
    return {
        "made_on": f"{results.began_at:%Y-%m-%d}",
        "commit": page.commit(),
        "fleets": [
            {
                "taxis": one.cost.scenario.taxis,
                "write_units_per_1000": round(one.cost.write_units, 2),
                "read_units_per_1000": round(one.cost.read_units, 2),
                "search_units": round(one.found[1].warm_units, 3),  # nationally
                "taxis_found": round(one.found[1].near, 2),
            }
            for one in results.scaling
        ],
        "of_5_s_to_10_s": {
            "write_units": round(five.write_units / ten.write_units, 4),
            "read_units": round(five.read_units / ten.read_units, 4),
        },
        "post": {
            "positions": POST,
            "records": round(ten.records / ten.posts, 3),
            "record_bytes": round(ten.record_bytes / ten.records, 1),
        },
        "change": {
            "write_units": round(ten.change_writes, 2),
            "read_units": round(ten.change_reads, 2),
        },
        "hail": {"write_units": hail.writes, "read_units": hail.reads},
        "cpu": {
            "api_us_per_position": round(1e6 / timed.api, 2),
            "ingest_us_per_position": round(1e6 / timed.ingest, 2),
            "sdk_us_per_call": round(timed.sdk_put_us, 1),
            "ingest_calls_per_position": round(timed.ingest_calls / timed.ingest_positions, 4),
            "search_ms": round(results.found["A"][1].cpu_ms, 3),
        },
    }


def write(results: Results, file: Path = FILE) -> None:
    """Keeps the figures of a run. Raises RunIncomplete."""
    file.write_text(json.dumps(collect(results), indent=2) + "\n", encoding="utf-8")
