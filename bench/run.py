"""The whole run: every scenario in a process of its own, since one process has one cloud."""

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context

from bench import cpu, positions, searches
from bench.layouts import GeoLibrary, OnePerTaxi
from bench.positions import Scenario
from bench.report import LIBRARY, ONE, Results

TAXIS, TAXIS_QUICK = 60_000, 6_000
SCALES, SCALES_QUICK = (20_000, 200_000), (3_000,)
SEARCHES, SEARCHES_QUICK = 400, 60
PROCESSES = 2


def _searched(
    scenario: Scenario, count: int
) -> tuple[positions.Cost, list[searches.Cost], dict[str, float]]:
    """Positions, searches and the other layouts, under one fleet."""
    others: dict[str, OnePerTaxi | GeoLibrary] = {ONE: OnePerTaxi(), LIBRARY: GeoLibrary()}
    cost, scene = positions.run(scenario, *others.values())
    found = searches.run(
        scene,
        searches=count,
        window_s=scenario.window_s,
        **{name: other.search for name, other in others.items()},
    )
    return cost, found, {name: cost.per_thousand(other.writes) for name, other in others.items()}


def _counted(scenario: Scenario) -> positions.Cost:
    return positions.run(scenario)[0]


def _timed(scenario: Scenario) -> cpu.Cost:
    return cpu.run(positions.run(scenario)[1])


def measured(*, quick: bool) -> Results:
    """All of it, two scenarios at a time, the timing alone and before them."""
    results = Results(datetime.now(UTC), quick=quick)
    started = time.monotonic()

    def told(what: object) -> None:
        print(f"{time.monotonic() - started:6.0f} s  {what}", file=sys.stderr, flush=True)

    taxis = TAXIS_QUICK if quick else TAXIS
    count = SEARCHES_QUICK if quick else SEARCHES
    usual = [Scenario(fleet, taxis, 5, 10) for fleet in "AB"]
    larger = [Scenario("A", size, 5, 10) for size in (SCALES_QUICK if quick else SCALES)]
    others = [
        Scenario(fleet, taxis, window_s, period_s)
        for fleet in "AB"
        for window_s in ((5,) if quick else (2, 5, 10))
        for period_s in (10, 5)
        if (window_s, period_s) != (5, 10)
    ]
    with ProcessPoolExecutor(
        PROCESSES, mp_context=get_context("spawn"), max_tasks_per_child=1
    ) as pool:
        results.timed = pool.submit(_timed, usual[0]).result()
        told("timed")
        sized = [(one, pool.submit(_searched, one, count)) for one in [*larger[::-1], *usual]]
        counted = [(one, pool.submit(_counted, one)) for one in others]
        for scenario, waiting in sized:
            cost, found, writes = waiting.result()
            told(scenario)
            if scenario.fleet == "A":
                results.scaling.append((cost, found))
            if scenario in usual:
                results.stored.append(cost)
                results.found[scenario.fleet] = found
                results.others[scenario.fleet] = writes
        for scenario, one in counted:
            results.stored.append(one.result())
            told(scenario)
    results.scaling.sort(key=lambda scaled: scaled[0].scenario.taxis)
    results.took_s = time.monotonic() - started
    return results
