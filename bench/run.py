"""Run of all scenarios, each in a process of its own, since one process has one cloud."""

import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from bench import cpu, hails, positions, searches
from bench.layouts import GeoLibrary, OnePerTaxi
from bench.positions import Scenario
from bench.report import LIBRARY, ONE
from bench.results import Measured, Results

TAXIS, TAXIS_QUICK = 60_000, 6_000
SCALES, SCALES_QUICK = (600_000, 200_000, 20_000, 5_000, 2_000, 500), (3_000,)
SEARCHES, SEARCHES_QUICK = 400, 60
PROCESSES = 2


def _searched(scenario: Scenario, count: int) -> Measured:
    """Positions, searches and the other layouts, under one fleet."""
    others: dict[str, OnePerTaxi | GeoLibrary] = {ONE: OnePerTaxi(), LIBRARY: GeoLibrary()}
    cost, scene = positions.run(scenario, *others.values())
    found = searches.run(
        scene,
        searches=count,
        window_s=scenario.window_s,
        **{name: other.search for name, other in others.items()},
    )
    writes = {name: cost.per_thousand(other.writes) for name, other in others.items()}
    return Measured(cost, found, writes)


def _counted(scenario: Scenario) -> Measured:
    return Measured(positions.run(scenario)[0])


def _timed(scenario: Scenario, count: int) -> tuple[cpu.Cost, searches.Cost]:
    _, scene = positions.run(scenario)
    return cpu.run(scene), searches.timed(scene, searches=count)


def _unheard() -> None:
    """Drops what a scenario's process prints: the registry's metrics, which are not the benchmark's."""
    sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # as long as the process


def measured(*, quick: bool) -> Iterator[Results]:
    """All of it, two scenarios at a time, the timing alone and before them.

    Answers what there is so far, and again with each scenario, so that a run that is broken off has
    not been in vain.
    """
    started = time.monotonic()

    def show(what: str) -> None:
        print(f"{time.monotonic() - started:6.0f} s  {what}", file=sys.stderr, flush=True)

    taxis = TAXIS_QUICK if quick else TAXIS
    results = Results(datetime.now(UTC), quick=quick, taxis=taxis)
    count = SEARCHES_QUICK if quick else SEARCHES
    usual = [Scenario(fleet, taxis, 5, 10) for fleet in "AB"]
    scaled = [Scenario("A", size, 5, 10) for size in (SCALES_QUICK if quick else SCALES)]
    others = [
        Scenario(fleet, taxis, window_s, period_s)
        for fleet in "AB"
        for window_s in ((5,) if quick else (2, 5, 10))
        for period_s in (10, 5)
        if (window_s, period_s) != (5, 10)
    ]
    with ProcessPoolExecutor(
        PROCESSES,
        mp_context=get_context("spawn"),
        initializer=_unheard,
        max_tasks_per_child=1,
    ) as pool:
        results.timed, results.searched = pool.submit(_timed, usual[0], count).result()
        show("timed")
        results.hail = pool.submit(hails.run).result()
        # The largest first: it takes as long as all the others together
        sized = [pool.submit(_searched, one, count) for one in [*scaled, *usual]]
        counted = [pool.submit(_counted, one) for one in others]
        results.waiting = whole = len(sized) + len(counted)
        for waiting in as_completed([*sized, *counted]):
            done = waiting.result()
            results.add(done)
            results.waiting -= 1
            show(f"{whole - results.waiting} of {whole}: {done.cost.scenario}")
            results.took_s = time.monotonic() - started
            yield results
