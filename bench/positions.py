"""Benchmark of positions: a simulated fleet reports, and each call is counted."""

import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

import numpy as np

from bench import fleets
from bench.meter import Bill
from bench.scene import VIEWERS, Scene
from chalicelib.foundation.settings import table
from chalicelib.taxis.positions import codec
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.positions.rules import Availability
from chalicelib.taxis.registry import availability
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import TaxiStatus

SHARDS = 4  # that an on-demand stream begins with, and keeps up to 4 MB/s
WARM_S = 20  # not counted
PERIODS, ENOUGH = 6, 1_800_000  # counted: so often each taxi reports, or so many positions
CHANGES = 200  # of status, whose cost is counted by itself


@dataclass(frozen=True, slots=True)
class Scenario:
    """A fleet, its reports each `period_s`, windows of `window_s`."""

    fleet: str
    taxis: int
    window_s: int
    period_s: int

    def __str__(self) -> str:
        return f"{self.fleet}, {self.taxis:,} taxis, W {self.window_s} s, each {self.period_s} s"


@dataclass(slots=True)
class Cost:
    """What was counted in a scenario."""

    scenario: Scenario
    positions: int = 0
    posts: int = 0
    records: int = 0
    record_bytes: int = 0
    writes: dict[str, float] = field(default_factory=dict)  # units, by table
    reads: dict[str, float] = field(default_factory=dict)  # units of ingest, by table
    api_reads: float = 0.0
    api_calls: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    retries: int = 0
    superseded: int = 0
    shared_cells: int = 0  # written by more than one shard in a window
    cells_written: int = 0
    largest_cell: int = 0  # bytes of entries
    hottest_write: float = 0.0  # units a second on one key, over a window
    hottest_burst: int = 0  # units on one key in one window
    hottest_read: float = 0.0  # units a second on one key
    cells: int = 0
    double: float = 0.0  # share of the taxis that stand in two cells
    change_writes: float = 0.0  # units of a change of status
    change_reads: float = 0.0
    ingest_s: float = 0.0  # processor time of the windows, this emulation included

    def per_thousand(self, units: float) -> float:
        """Of so many units, those of a thousand positions."""
        return units * 1000 / self.positions

    @property
    def write_units(self) -> float:
        """Per 1,000 positions."""
        return self.per_thousand(sum(self.writes.values()))

    @property
    def read_units(self) -> float:
        """Per 1,000 positions: ingest, and the API's pages."""
        return self.per_thousand(sum(self.reads.values()) + self.api_reads)


class Layout(Protocol):
    """Another way to keep positions, which is told the same ones."""

    writes: int  # units

    def store(self, taxi: int, lng_e7: int, lat_e7: int) -> None:
        """Takes in a position."""


def run(scenario: Scenario, *layouts: Layout) -> tuple[Cost, Scene]:
    """Lets a fleet report, as long as it takes, and counts; tells the layouts too."""
    scene = Scene(fleets.simulate(scenario.fleet, scenario.taxis), period_s=scenario.period_s)
    warm = Cost(scenario)
    for _ in range(WARM_S // scenario.window_s):
        _window(scene, warm, layouts)
    for layout in layouts:
        layout.writes = 0
    cost = Cost(scenario)
    periods = min(PERIODS, ENOUGH // scenario.taxis)
    for _ in range(periods * scenario.period_s // scenario.window_s):
        _window(scene, cost, layouts)
    _look_at_cells(scene, cost)
    _change_status(scene, cost)
    return cost, scene


def _window(scene: Scene, cost: Cost, layouts: Sequence[Layout]) -> None:
    fleet, window_s = scene.fleet, cost.scenario.window_s
    fleet.change_shifts(window_s)
    with scene.cloud.meter.counting() as api:
        for _ in range(window_s):
            fleet.move(1)
            scene.second += 1
            _report(scene, cost, layouts)
    cost.api_calls += api.calls
    cost.api_reads += api.read_units - api.reads[table("config")]
    _add(cost.writes, api.writes)

    shards: dict[int, list[codec.Report]] = {}
    for region, packed in scene.cloud.taken():
        cost.records += 1
        cost.record_bytes += len(packed)
        shards.setdefault(_shard(region), []).append(codec.unpack_report(packed))
    written: Counter[str] = Counter()
    of_key: Counter[tuple[str, str]] = Counter()
    read_of_key: Counter[tuple[str, str]] = Counter()
    for shard in sorted(shards):
        started = time.process_time()
        with scene.cloud.meter.counting() as bill:
            done = positions.store_window(
                shards[shard], availability_of=availability.availability_of, now=scene.cloud.now
            )
        cost.ingest_s += time.process_time() - started
        cost.positions += done.positions
        cost.superseded += done.superseded
        cost.retries += done.retries
        cost.largest_cell = max(cost.largest_cell, done.largest_cell)
        _enter(cost, bill)
        written.update({key for name, key in bill.of_key if name == table("cells")})
        of_key.update(bill.of_key)
        read_of_key.update(bill.read_of_key)
    cost.cells_written += len(written)
    cost.shared_cells += sum(count > 1 for count in written.values())
    burst = max(of_key.values(), default=0)
    cost.hottest_burst = max(cost.hottest_burst, burst)
    cost.hottest_write = max(cost.hottest_write, burst / window_s)
    cost.hottest_read = max(cost.hottest_read, max(read_of_key.values(), default=0) / window_s)


def _report(scene: Scene, cost: Cost, layouts: Sequence[Layout]) -> None:
    """The POSTs of one second, as the route makes of them."""
    now = scene.cloud.later(1)
    lngs, lats = scene.fleet.e7()
    for operator, taxis in scene.fleet.posts(scene.second, scene.period_s):
        reported = [
            (scene.ids[taxi], lng, lat)
            for taxi, lng, lat in zip(
                taxis.tolist(), lngs[taxis].tolist(), lats[taxis].tolist(), strict=True
            )
        ]
        positions.report(VIEWERS[operator], reported, now=now)
        cost.posts += 1
        for layout in layouts:
            for taxi in taxis.tolist():
                layout.store(fleets.number(taxi), int(lngs[taxi]), int(lats[taxi]))


def _shard(region: str) -> int:
    """Kinesis gives each shard an equal part of the MD5 of the partition key."""
    return hashlib.md5(region.encode(), usedforsecurity=False).digest()[0] * SHARDS >> 8


def _enter(cost: Cost, bill: Bill) -> None:
    _add(cost.writes, bill.writes)
    _add(cost.reads, bill.reads)
    cost.reads.pop(table("config"), None)
    cost.refused += bill.refused


def _add(to: dict[str, float], counted: Counter[str]) -> None:
    for name, units in counted.items():
        to[name] = to.get(name, 0) + units


def _look_at_cells(scene: Scene, cost: Cost) -> None:
    cells = scene.cells()
    oldest = codec.first_tick_from(scene.cloud.now - timedelta(seconds=settings().freshness_s))
    fresh = [
        taxi
        for cell in cells.values()
        for taxi, entry in cell.entries.items()
        if entry[3] >= oldest
    ]
    cost.cells = len(cells)
    cost.double = 1 - len(set(fresh)) / len(fresh)


def _change_status(scene: Scene, cost: Cost) -> None:
    """Taxis of all places change their status; the description's own write is counted by its size."""
    now = scene.cloud.later(1)
    taxis = scene.fleet.rng.choice(np.flatnonzero(scene.fleet.on), CHANGES, replace=False)
    with scene.cloud.meter.counting() as bill:
        for taxi in taxis:
            change = Availability(TaxiStatus.OFF, None, now)
            positions.show_availability({scene.ids[taxi]: change}, now=now)
    scene.fleet.free[taxis] = False
    cost.change_writes = 1 + bill.write_units / CHANGES
    cost.change_reads = (bill.read_units - bill.reads[table("config")]) / CHANGES
