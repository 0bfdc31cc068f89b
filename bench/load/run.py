"""Run of a load test, from start to count."""

import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench import system
from bench.fleets import POST
from bench.load import customers, fleet
from bench.load.customers import Customers
from bench.load.senders import Senders, Sent
from bench.system import System, Use, Windows
from ops.local.place import Place

LOOK_S = 1.0
STEP_S = 5.0  # between two changes of the rate
WARMING, SEARCHING = 0.4, 0.6  # of the time has passed, at most, when each of these is over
FIRST_RATE = 20.0  # POSTs a second
FASTER, SLOWER, UP_AGAIN = 1.25, 0.75, 1.1
KEEPING_UP = 0.85  # of the rate asked for, at least, is sent
PATIENCE = 2  # steps in trouble, one after the other, before anything is concluded from them
CAUTION = 6  # steps without trouble before a rate that was found is raised again
DRAIN_S = 120.0  # without any progress


@dataclass(frozen=True, slots=True)
class Sample:
    """The system at a moment of the load."""

    at_s: float
    rate: float  # POSTs a second that are asked for
    accepted: int  # positions so far
    stored: int  # positions that the ingest function has handled so far
    oldest_s: (
        float | None
    )  # oldest position when it could be searched, of the windows since the last look
    failed: int  # POSTs without 200 so far
    use: Mapping[str, Use]


@dataclass(slots=True)
class Pace:
    """The highest rate that holds: raised until positions grow too old or POSTs fail, then near that.

    Not before the fleet is on the road: a taxi's first report costs more than all the others.
    """

    oldest_s: float  # positions may be so old when they can be searched
    is_warm: bool = False
    is_found: bool = False
    _bad: int = 0  # of the last steps, one after the other
    _good: int = 0

    def next(self, rate: float, *, sent: float, oldest_s: float, failed: int) -> float:
        """The rate of the next step, after one in which so many POSTs a second were sent."""
        if not self.is_warm:
            return rate
        in_trouble = oldest_s > self.oldest_s or failed > 0
        is_bad = in_trouble or (not self.is_found and sent < KEEPING_UP * rate)
        self._bad, self._good = (self._bad + 1, 0) if is_bad else (0, self._good + 1)
        if self._bad >= PATIENCE:
            self._bad = 0
            self.is_found = True
            return max(FIRST_RATE / 10, min(rate, sent) * SLOWER)  # no rise begins at nothing
        if self._good >= (CAUTION if self.is_found else 1):
            self._good = 0
            return rate * (UP_AGAIN if self.is_found else FASTER)
        return rate


@dataclass
class Results:
    """Results of a load test."""

    taxis: int
    seconds: float
    window_s: float
    samples: list[Sample] = field(default_factory=list)
    sent: Sent = field(default_factory=Sent)
    windows: Windows = field(default_factory=lambda: Windows(Path()))
    customers: Customers | None = None
    counted: dict[str, Any] = field(default_factory=dict)
    after_restart: dict[str, Any] = field(default_factory=dict)
    registered_s: float = 0.0
    drained_s: float = 0.0
    stopped_s: float = 0.0
    started_again: int = 0  # processes
    found_s: float = 0.0  # when the rate was found

    @property
    def lost(self) -> int:
        """Taxis whose newest accepted position is not what is stored, nor anything newer."""
        return int(self.counted["lost"])


def measured(place: Place, *, taxis: int, seconds: float, window_s: float) -> Results:
    """All of it. Raises system.Failed."""
    results = Results(taxis, seconds, window_s)
    began_s = time.monotonic()
    keys = system.filled(place, taxis=taxis)
    results.registered_s = time.monotonic() - began_s
    _tell(f"{taxis:,} taxis are registered ({results.registered_s:.0f} s)")
    (place.logs / "worker.log").unlink(missing_ok=True)
    with system.running(place, window_s=window_s) as running:
        run = running.run
        with customers.servers(run.url, keys) as hooks:
            system.run_module(place, run.endpoint, "bench.load.seed", "--hooks", hooks)
            _drive(running, results, keys)
        results.counted = _counted(place, run.endpoint, results.sent, taxis)
        began_s = time.monotonic()
        running.stop()
        results.stopped_s = time.monotonic() - began_s
    with system.running(place, window_s=window_s) as again:
        results.after_restart = _counted(place, again.run.endpoint, results.sent, taxis)
    return results


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _drive(running: System, results: Results, keys: Mapping[str, str]) -> None:
    """Sends, searches and hails for as long as it is asked to, then waits until all is stored."""
    run = running.run
    port = int(run.url.rpartition(":")[2])
    senders = Senders(port, keys, taxis=results.taxis, rate=FIRST_RATE)
    results.customers = customers.search_app(run.url, keys)
    results.customers.start()
    results.windows = Windows(running.place.logs / "worker.log")
    began_s = time.monotonic()
    pids = dict(run.pids)
    pace = Pace(2 * results.window_s + 3)
    step: list[Sample] = []
    next_step_s = STEP_S
    while (at_s := time.monotonic() - began_s) < results.seconds:
        time.sleep(LOOK_S)
        at_s = time.monotonic() - began_s
        accepted, statuses = senders.progress()
        now = dict(running.run.pids)
        results.started_again += sum(now[role] != pids.get(role) for role in now)
        pids = now
        sample = _sample(at_s, senders, accepted, statuses, results.windows, pids)
        results.samples.append(sample)
        step.append(sample)
        if at_s >= next_step_s:
            next_step_s += STEP_S
            _next_rate(senders, pace, step, results)
            step = step[-1:]
    results.sent = senders.stop()
    results.customers.stop()
    ended_s = moved_s = time.monotonic()
    while results.windows.positions < results.sent.accepted:
        before = results.windows.positions
        time.sleep(LOOK_S)
        results.windows.ages_s()
        if results.windows.positions > before:
            moved_s = time.monotonic()
        elif time.monotonic() - moved_s > DRAIN_S:
            break
    results.drained_s = time.monotonic() - ended_s


def _sample(
    at_s: float,
    senders: Senders,
    accepted: int,
    statuses: Counter[int],
    windows: Windows,
    pids: Mapping[str, int],
) -> Sample:
    uses = {role: system.use(pid) for role, pid in {**pids, "senders": senders.pid}.items()}
    return Sample(
        at_s,
        senders.rate,
        accepted,
        windows.positions,
        max(windows.ages_s(), default=None),
        statuses.total() - statuses[200],
        {role: used for role, used in uses.items() if used is not None},
    )


def _next_rate(senders: Senders, pace: Pace, step: list[Sample], results: Results) -> None:
    first, last = step[0], step[-1]
    if first is last:
        return
    sent = (last.accepted - first.accepted) / POST / (last.at_s - first.at_s)
    # A window tells of itself at its end: what waits meanwhile tells how late it will be
    waiting_s = (last.accepted - last.stored) / POST / max(sent, 1.0)
    oldest_s = max(waiting_s, *(one.oldest_s or 0.0 for one in step))
    passed = last.at_s / results.seconds
    on_the_road = last.stored >= results.taxis and oldest_s <= pace.oldest_s
    pace.is_warm = pace.is_warm or on_the_road or passed > WARMING
    was_found = pace.is_found
    senders.rate = pace.next(
        senders.rate, sent=sent, oldest_s=oldest_s, failed=last.failed - first.failed
    )
    pace.is_found = pace.is_found or passed > SEARCHING
    if pace.is_found and not was_found:
        results.found_s = last.at_s
    _tell(
        f"{last.at_s:5.0f} s  {sent * POST:7,.0f} positions/s, oldest {oldest_s:4.1f} s, "
        f"{last.accepted - last.stored:,} on their way, {last.failed} POSTs failed, next "
        f"{senders.rate:.0f} POSTs/s{'' if pace.is_found else ' (finding)'}"
    )


def _counted(place: Place, endpoint: str, sent: Sent, taxis: int) -> dict[str, Any]:
    ids = fleet.taxi_ids(fleet.simulate(taxis))
    accepted = {ids[taxi]: (at, sent.since.get(taxi, [])) for taxi, at in sent.last.items()}
    found: dict[str, Any] = system.run_module(
        place, endpoint, "bench.load.count", stdin=json.dumps(accepted)
    )
    return found


def slope(samples: list[Sample], role: str) -> float:
    """Growth of a process's memory over the last half of a load, by least squares, in KB a minute."""
    half = [one for one in samples[len(samples) // 2 :] if role in one.use]
    if len(half) < 2:
        return 0.0
    times = [one.at_s / 60 for one in half]
    sizes = [one.use[role].rss_kb for one in half]
    mean_t, mean_s = sum(times) / len(times), sum(sizes) / len(sizes)
    above = sum((t - mean_t) * (s - mean_s) for t, s in zip(times, sizes, strict=True))
    return above / sum((t - mean_t) ** 2 for t in times)


def cpu(samples: list[Sample], role: str) -> float:
    """Cores that a process used over the last half of a load."""
    half = [one for one in samples[len(samples) // 2 :] if role in one.use]
    used = sum(
        max(0.0, after.use[role].cpu_s - before.use[role].cpu_s) for before, after in pairwise(half)
    )
    return used / (half[-1].at_s - half[0].at_s) if len(half) > 1 else 0.0
