"""The targets of the benchmarks, and whether a run has met them."""

from collections.abc import Iterator

from bench.page import table
from bench.results import Results


def targets(results: Results) -> str:
    """What must be and what is, as Markdown."""
    return table(
        ["", "what", "measured", "must", ""], [*_of_positions(results), *_of_searches(results)]
    )


def _at_most(name: str, what: str, value: float, must: float, form: str = ".2f") -> list[str]:
    verdict = "met" if value <= must else "**missed**"
    return [name, what, format(value, form), f"≤ {must:{form}}", verdict]


def _at_least(name: str, what: str, value: float, must: float, form: str = ".2f") -> list[str]:
    verdict = "met" if value >= must else "**missed**"
    return [name, what, format(value, form), f"≥ {must:{form}}", verdict]


def _of_positions(results: Results) -> Iterator[list[str]]:
    for name, period_s, must in (("T1", 10, 85.0), ("T2", 5, 45.0)):
        for fleet in "AB":
            if cost := results.cost(fleet, 5, period_s):
                what = f"write units per 1,000 positions, {fleet}, each {period_s} s"
                yield _at_most(name, what, cost.write_units, must, ".1f")
    if cost := results.cost("A", 5, 10):
        yield _at_most("T5", "Kinesis records of a POST", cost.records / cost.posts, 2)
    if timed := results.timed:
        yield _at_least("T6", "positions/s of the API, one core", timed.api, 450_000, ",.0f")
        yield _at_least("T7", "positions/s of ingest, one core", timed.ingest, 300_000, ",.0f")


def _of_searches(results: Results) -> Iterator[list[str]]:
    for one, must in zip(results.found.get("A", ()), (5.0, 2.9), strict=False):
        what = f"{one.place} search"
        yield _at_most("T3", f"read units, {what}, status exact", one.warm_units, must)
        yield _at_most("T4", f"round trips, {what}, warm", one.warm_calls, 1)
        yield _at_most("T4", f"round trips, {what}, cold", one.cold_calls, 3)
        if one.place == "dense":
            alone = results.searched or one
            yield _at_most("T8", f"ms from cells to list, {what}", alone.cpu_ms, 0.2, ".3f")
        yield _at_least("T10", f"recall, {what}", one.recall, 0.96, ".3f")
