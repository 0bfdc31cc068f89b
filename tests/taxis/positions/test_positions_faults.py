"""Everything that may go wrong between the stream and a cell, in random order [positions-index: I3] [positions-index: I4] [positions-index: T9]."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import pytest

from chalicelib.foundation import geo
from chalicelib.foundation.cell_tree import ROOT_LEVEL, CellTree
from chalicelib.foundation.geo import LngLat
from chalicelib.taxis.positions import codec, leaf_map, rules, service
from chalicelib.taxis.positions import store as positions_store
from chalicelib.taxis.positions.codec import Report
from chalicelib.taxis.positions.rules import CellContended
from chalicelib.taxis.vocabulary import TaxiStatus
from tests.taxis.positions import fleets
from tests.taxis.positions.fleets import NOON, Crash, Registry, at, e7, taxi_id
from tests.taxis.positions.small_dynamodb import small_dynamodb

SCHEDULES = 200
TAXIS = 3

# One root cell a schedule, split so that the spots below lie in four leaves and two squares.
_ROOT_WIDTH = 360 / (1 << ROOT_LEVEL)
_SPOTS = [(0.0, 0.0), (0.004, 0.0), (0.0, 0.004), (0.05, 0.03), (0.054, 0.03), (0.002, 0.002)]


def _spot(schedule: int, number: int) -> LngLat:
    column, row = schedule % 100, schedule // 100
    lng, lat = _SPOTS[number]
    return LngLat(
        round(-60.0 + column * _ROOT_WIDTH + lng, 7), round(40.0 + row * _ROOT_WIDTH / 2 + lat, 7)
    )


class _OneAtATime(Executor):
    """Calls in the order given, because a schedule must repeat exactly."""

    def map(self, fn: Any, *iterables: Any, **_: Any) -> Iterator[Any]:
        return iter([fn(*arguments) for arguments in zip(*iterables, strict=True)])


@pytest.fixture
def split_cells(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The cells of every spot, split to level 15."""
    monkeypatch.setattr(positions_store, "_threads", _OneAtATime)
    with small_dynamodb():
        splits = {
            half
            for schedule in range(SCHEDULES)
            for number in range(len(_SPOTS))
            for half in geo.halves(geo.ancestor(geo.finest_cell(*e7(_spot(schedule, number))), 14))
        }
        positions_store.replace_leaf_maps([leaf_map.LeafMap(1, 0, CellTree(splits))])
        yield


class Schedule:
    """Two ingest functions, a registry that changes its mind, and what goes wrong, from one seed."""

    def __init__(self, seed: int, *, span_s: int) -> None:
        self.rng = random.Random(seed)
        self.span_s = span_s
        self.taxis = [seed * TAXIS + number + 1 for number in range(TAXIS)]
        self.registry = Registry(taxis=10**6)
        self.reports = [
            fleets.a_report(
                *{
                    self.rng.choice(self.taxis): _spot(seed, self.rng.randrange(len(_SPOTS)))
                    for _ in range(2)
                }.items(),
                seen_at=at(step * span_s / 8),
            )
            for step in range(8)
        ]
        self.actions = list(self._actions())

    def _actions(self) -> Iterator[Callable[[], None]]:
        start = 0
        while start < len(self.reports):
            size = self.rng.randint(1, 3)
            batch = self.reports[start : start + size]
            start += size
            yield self._storing(batch)
            if self.rng.random() < 0.3:  # sent twice
                yield self._storing(batch)
            if self.rng.random() < 0.3:  # bisected
                yield self._storing(batch[: size // 2])
            if self.rng.random() < 0.6:
                yield self._changing(self.rng.choice(self.taxis), at(start * self.span_s / 8))

    def _storing(self, batch: list[Report]) -> Callable[[], None]:
        now = at(max((report.seen for report in batch), default=0) / 10 - _noon_s() + 1)
        return lambda: self._store(batch, now)

    def _store(self, batch: list[Report], now: datetime) -> None:
        fleets.stored(batch, now=now, registry=self.registry)

    def _changing(self, taxi: int, now: datetime) -> Callable[[], None]:
        status = self.rng.choice(list(TaxiStatus))
        begun: list[bool] = []

        def change() -> None:
            known = self.registry.said.get(taxi_id(taxi))
            if not begun and (known is None or known.changed_at < now):
                self.registry.change(taxi, status, changed_at=now)
            begun.append(True)
            if taxi_id(taxi) in self.registry.said:
                self.registry.show(taxi, now=now)

        return change

    def run(self) -> None:
        """All actions to their end: some late, some in the middle of others, some after a crash."""
        for _ in range(3):
            one, other = (self.rng.randrange(len(self.actions)) for _ in range(2))
            self.actions[one], self.actions[other] = self.actions[other], self.actions[one]
        while self.actions:
            self._run(self.actions.pop(0))

    def _run(self, action: Callable[[], None]) -> None:
        with ExitStack() as hooks:
            when = self.rng.choice(["before-call", "after-call"])
            chance = self.rng.random()
            if chance < 0.4:
                hooks.enter_context(fleets.hooked(when, fleets.crashing(self.rng.randrange(5))))
            elif chance < 0.8 and self.actions:
                other = self.actions.pop(0)
                meanwhile = fleets.interrupted(
                    self.rng.randrange(6), lambda: self._meanwhile(other)
                )
                hooks.enter_context(fleets.hooked(when, meanwhile))
                self._done = False
                hooks.callback(self._unless_done, other)
            try:
                action()
            except (Crash, CellContended):  # the stream repeats it
                self.actions.insert(self.rng.randint(0, 1), action)

    def _meanwhile(self, action: Callable[[], None]) -> None:
        self._done = True
        try:
            action()
        except CellContended:  # it waited for what it interrupts
            self.actions.insert(0, action)

    def _unless_done(self, action: Callable[[], None]) -> None:
        if not self._done:
            self.actions.insert(0, action)


def _noon_s() -> float:
    return codec.tick(NOON) / 10


@pytest.mark.parametrize("span_s", [60, 400])
@pytest.mark.usefixtures("split_cells")
def test_no_newest_position_and_no_newest_status_is_ever_lost(span_s: int) -> None:
    half = SCHEDULES // 2
    for seed in range(half) if span_s == 60 else range(half, SCHEDULES):
        schedule = Schedule(seed, span_s=span_s)

        schedule.run()

        for taxi in schedule.taxis:
            reported = [
                (report.seen, report.lats_e7[place], report.lngs_e7[place])
                for report in schedule.reports
                for place, one in enumerate(report.taxis)
                if one == taxi
            ]
            newest = max(reported, default=None)
            assert fleets.newest_known(taxi) == newest, (seed, taxi)
            if newest is not None:
                last = service.where_is([taxi_id(taxi)], now=at(span_s))[taxi_id(taxi)]
                assert last == rules.shown(newest, now=at(span_s)), (seed, taxi)

        _all_report_once_more_and_are_shown_as_they_are(schedule, seed, now=at(span_s * 1.2))


def _all_report_once_more_and_are_shown_as_they_are(
    schedule: Schedule, seed: int, *, now: datetime
) -> None:
    spots = {taxi: _spot(seed, place) for place, taxi in enumerate(schedule.taxis)}
    fleets.stored(
        [fleets.a_report(*spots.items(), seen_at=now)], now=now, registry=schedule.registry
    )
    for taxi, spot in spots.items():
        said = schedule.registry.said.get(taxi_id(taxi))
        free = said is None or said.status is TaxiStatus.FREE
        found = {one.taxi_id for one in fleets.searched(spot, now=now, radius_m=5)}
        assert (taxi_id(taxi) in found) == free, (seed, taxi)
