"""A small run, in a process of its own: it makes a cloud of the whole process."""

import json
import subprocess
import sys
from functools import cache
from typing import Any

from bench.page import ROOT

_SCRIPT = """
import json
from datetime import timedelta
from bench import positions, searches
from bench.layouts import GeoLibrary, OnePerTaxi
from bench.positions import Scenario
from bench.scene import a_pointer
from chalicelib.taxis.positions import codec, pointers

one, library = OnePerTaxi(), GeoLibrary()
cost, scene = positions.run(Scenario("A", 600, 5, 10), one, library)
found = searches.run(scene, searches=20, window_s=5, one=one.search)
at = (scene.cloud.now, 23522000, 488566000)
pointers.move(7, (codec.tick(at[0]), at[2], at[1]), now_tick=codec.tick(at[0]))
written = scene.cloud.held("maraude-bench-last-positions", {"taxi_id": {"S": codec.id_of(7)}})
print(json.dumps({
    "positions": cost.positions,
    "posts": cost.posts,
    "writes": cost.writes,
    "reads": cost.reads,
    "api_calls": cost.api_calls,
    "pointer": sorted(written) == sorted(a_pointer("x", at[1:], since=at[0])),
    "sizes": [
        len(json.dumps(written)),
        len(json.dumps(a_pointer(codec.id_of(7), at[1:], since=at[0]))),
    ],
    "one": cost.per_thousand(one.writes),
    "library": cost.per_thousand(library.writes),
    "searches": [[it.warm_calls, it.cold_calls, it.warm_units, it.recall] for it in found],
}))
"""


def another_run() -> dict[str, Any]:
    # Its own stage: the models of this process have another one's tables
    environment = {"PYTHONPATH": str(ROOT), "MARAUDE_STAGE": "bench"}
    answer = subprocess.run(  # our own words
        [sys.executable, "-c", _SCRIPT],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    *_, said = answer.stdout.splitlines()  # behind the registry's metrics
    result: dict[str, Any] = json.loads(said)
    return result


the_run = cache(another_run)


def test_counts_are_the_same_in_every_run() -> None:
    assert another_run() == the_run()


def test_nearly_every_taxi_is_counted_in_every_period() -> None:
    run = the_run()

    assert 600 * 6 * 0.97 <= run["positions"] <= 600 * 6
    assert run["posts"] <= 6 * 16


def test_a_post_writes_nothing_and_only_reads_pages() -> None:
    assert set(the_run()["api_calls"]) == {"Query"}


def test_writes_are_of_cells_and_pointers() -> None:
    run = the_run()

    assert set(run["writes"]) == {"maraude-bench-cells", "maraude-bench-last-positions"}
    assert min(run["writes"].values()) > 0


def test_pointers_are_laid_out_as_the_store_writes_them() -> None:
    run = the_run()

    assert run["pointer"]
    assert run["sizes"][0] == run["sizes"][1]


def test_the_usual_layouts_pay_at_least_a_unit_a_position() -> None:
    run = the_run()

    assert 1000 <= run["one"] < 2000
    assert 2000 <= run["library"] < 4000


def test_a_warm_search_makes_one_call_and_a_cold_one_three_at_most() -> None:
    for warm_calls, cold_calls, warm_units, recall in the_run()["searches"]:
        assert warm_calls == 1
        assert 2 <= cold_calls <= 3
        assert 1 <= warm_units < 10
        assert recall > 0.8
