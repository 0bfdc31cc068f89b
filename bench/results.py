"""What a run of the benchmarks has measured."""

from dataclasses import dataclass, field
from datetime import datetime

from bench import cpu, hails, positions, searches


@dataclass(frozen=True, slots=True)
class Measured:
    """One scenario; the searches and the other layouts' write units where they were asked for."""

    cost: positions.Cost
    found: list[searches.Cost] = field(default_factory=list)
    others: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Results:
    """Everything that a run has measured."""

    began_at: datetime
    took_s: float = 0.0
    quick: bool = False
    taxis: int = 0  # of the usual fleets; others are there for the scaling
    waiting: int = 0  # scenarios that are not in it yet
    stored: list[positions.Cost] = field(default_factory=list)
    found: dict[str, list[searches.Cost]] = field(default_factory=dict)  # by fleet
    others: dict[str, dict[str, float]] = field(default_factory=dict)  # write units, by fleet
    scaling: list[Measured] = field(default_factory=list)
    timed: cpu.Cost | None = None
    searched: searches.Cost | None = None  # dense, by a process that was alone
    hail: hails.Cost | None = None

    def add(self, done: Measured) -> None:
        """Takes in a scenario."""
        scenario = done.cost.scenario
        if done.found and scenario.fleet == "A":
            self.scaling = sorted([*self.scaling, done], key=lambda one: one.cost.scenario.taxis)
        if scenario.taxis != self.taxis:
            return
        self.stored.append(done.cost)
        if done.found:
            self.found[scenario.fleet] = done.found
            self.others[scenario.fleet] = done.others

    def cost(self, fleet: str, window_s: int, period_s: int) -> positions.Cost | None:
        """What a fleet's positions cost, if that was measured."""
        for one in self.stored:
            if (one.scenario.fleet, one.scenario.window_s, one.scenario.period_s) == (
                fleet,
                window_s,
                period_s,
            ):
                return one
        return None
