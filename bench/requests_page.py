"""The table and the drawing of whole requests, with what must be kept and what the reference takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench import page, plots
from bench.timed import Cost


@dataclass(frozen=True, slots=True)
class Goal:
    """Milliseconds that a request may take at most, where it was said."""

    cpu_ms: float | None = None
    p50_ms: float | None = None


# What must be kept on a machine of two cores, and what the reference service takes there of one.
GOALS: Mapping[str, Goal] = {
    "search 5000": Goal(5, 8),
    "search 20000": Goal(6, 10),
    "positions 5000": Goal(3),
    "hail": Goal(p50_ms=20),
    "hail beside the dispatcher": Goal(p50_ms=28),
}
REFERENCE: Mapping[str, Goal] = {
    "search 5000": Goal(19, 19),
    "search 20000": Goal(57, 51),
    "positions 5000": Goal(6),
    "hail": Goal(p50_ms=29),
    "hail beside the dispatcher": Goal(p50_ms=36),
}


def markdown(costs: Mapping[str, Cost], *, began_at: datetime) -> str:
    """The table, as Markdown."""
    return "\n\n".join(
        [
            f"{began_at:%Y-%m-%d}, commit `{page.commit()}`, {page.machine()}; `make bench-requests`.",
            page.table(
                [
                    "milliseconds",
                    "CPU",
                    "p50",
                    "p90",
                    "p99",
                    "goal: CPU, p50",
                    "",
                    "reference: CPU, p50",
                ],
                [_row(name, cost) for name, cost in costs.items()],
            ),
        ]
    )


def _row(name: str, cost: Cost) -> Sequence[object]:
    goal = GOALS.get(name, Goal())
    pairs = [(cost.cpu_ms, goal.cpu_ms), (cost.p50_ms, goal.p50_ms)]
    kept = [is_ms <= must_ms for is_ms, must_ms in pairs if must_ms is not None]
    verdict = ("met" if all(kept) else "**missed**") if kept else ""
    figures = (cost.cpu_ms, cost.p50_ms, cost.p90_ms, cost.p99_ms)
    goals = [_goal_text(GOALS.get(name)), verdict, _goal_text(REFERENCE.get(name))]
    return [name, *(f"{value:.2f}" for value in figures), *goals]


def _goal_text(goal: Goal | None) -> str:
    if goal is None:
        return ""
    return ", ".join("—" if one is None else f"{one:g}" for one in (goal.cpu_ms, goal.p50_ms))


def latencies(costs: Mapping[str, Cost], to: Path) -> None:
    """Draws p50, p90 and p99 of each kind of request, and the CPU that it takes."""
    names = list(costs)
    with plots.drawing(
        to, "", across=True, title="One client, one connection, a local system: ms, log scale"
    ) as [panel]:
        panel.figure.set_size_inches(9, 0.6 + 0.42 * len(names))
        rows = range(len(names))
        for attribute, mark in (("cpu_ms", "|"), ("p50_ms", "o"), ("p90_ms", "s"), ("p99_ms", "x")):
            values = [getattr(costs[name], attribute) for name in names]
            panel.plot(values, rows, mark, label=attribute.removesuffix("_ms"), markersize=8)
        panel.set_yticks(rows, names)
        panel.invert_yaxis()
        panel.set_xscale("log")
        panel.legend(loc="lower right")
