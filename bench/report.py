"""Tables of a run of the benchmarks, kept in `docs/evidence/performance.md`."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench import cpu, positions
from bench.page import commit, machine, table
from bench.positions import SHARDS
from bench.results import Results
from bench.targets import targets
from ops import pages

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"

ONE, LIBRARY = "one item per taxi, geohash-6", "dynamodb-geo's keys"


def keep(results: Results, page: Path) -> None:
    """Puts the tables in place of the last ones. Raises MarkersMissing."""
    pages.put(tables(results), page, BEGIN, END)


def tables(results: Results) -> str:
    """The tables, as Markdown."""
    parts = [
        _head(results),
        "### Targets",
        targets(results),
        "### Positions",
        _positions(results.stored),
        "### Searches of 500 m",
        _searches(results),
        "### Beside two usual layouts",
        _others(results),
    ]
    if results.scaling:
        parts += ["### Scaling (fleet A, W 5 s, reports each 10 s)", _scaling(results)]
    if results.timed:
        parts += ["### Processor", _cpu(results.timed)]
    return "\n\n".join(parts)


def _head(results: Results) -> str:
    left = f", **broken off with {results.waiting} scenarios to go**" if results.waiting else ""
    size = (
        "`make bench-quick`: small fleets, under targets for large ones"
        if results.quick
        else "`make bench`"
    )
    return (
        f"{results.began_at:%Y-%m-%d}, commit `{commit()}`, {machine()}; {size}, "
        f"{results.took_s:.0f} s{left}. Simulated: no figure comes from real AWS."
    )


def _positions(costs: Iterable[positions.Cost]) -> str:
    def of(cost: positions.Cost, name: str) -> float:
        units = sum(units for table, units in cost.writes.items() if table.endswith(f"-{name}"))
        return cost.per_thousand(units)

    costs = sorted(
        costs, key=lambda one: (one.scenario.fleet, one.scenario.period_s, one.scenario.window_s)
    )
    rows = []
    for cost in costs:
        scenario = cost.scenario
        rows.append(
            [
                scenario.fleet,
                f"{scenario.taxis:,}",
                f"{scenario.period_s} s",
                f"{scenario.window_s} s",
                f"**{cost.write_units:.1f}**",
                f"{of(cost, 'cells'):.1f}",
                f"{of(cost, 'last-positions'):.1f}",
                f"{cost.read_units:.1f}",
                f"{cost.records / cost.posts:.2f}",
                f"{cost.record_bytes / cost.posts:,.0f}",
                f"{cost.largest_cell:,}",
                f"{cost.superseded / cost.positions:.3%}",
                f"{cost.double:.2%}",
                f"{cost.hottest_write:.1f}",
                f"{cost.hottest_burst}",
                f"{cost.shared_cells / cost.cells_written:.2%}",
                f"{cost.retries}",
            ]
        )
    text = table(
        [
            *("fleet", "taxis", "reports", "W", "write units / 1,000", "cells", "pointers"),
            *("read units / 1,000", "records / POST", "bytes / POST", "largest cell, bytes"),
            *("superseded", "in two cells", "hottest key, units/s", "at once"),
            *("cells of two shards", "retries"),
        ],
        rows,
    )
    if costs:
        change = costs[-1]
        text += (
            f"\n\nA POST writes nothing to DynamoDB and reads, once each 30 s a process, the fleet "
            f"pages of its operator. A change of status costs {change.change_writes:.1f} write and "
            f"{change.change_reads:.1f} read units ({change.scenario}); positions cause none. "
            f"{SHARDS} shards; windows of different shards are stored one after another, so the "
            "column before the last says where they could have met. The hottest key stands against "
            "DynamoDB's limits of a partition, 1,000 write and 3,000 read units a second."
        )
    return text


def _searches(results: Results) -> str:
    timed = [
        (f"Fleet {fleet}, {one.place}, beside another scenario", one)
        for fleet, costs in sorted(results.found.items())
        for one in costs
    ]
    if results.searched:
        timed.insert(0, ("Fleet A, dense, alone on the machine", results.searched))
    rows = [
        [
            fleet,
            one.place,
            f"**{one.warm_units:.2f}**",
            f"{one.warm_keys:.2f}",
            f"{one.warm_calls:.2f}",
            f"{one.worst_units:.0f}",
            f"{one.unseen_units:.2f}",
            f"{one.cold_units:.1f}",
            f"{one.cold_calls:.2f}",
            f"{one.near:.1f}",
            f"{one.recall:.3f}",
        ]
        for fleet, costs in sorted(results.found.items())
        for one in costs
    ]
    return table(
        [
            *("fleet", "where", "read units", "keys", "round trips", "worst", "details unseen"),
            *("cold: units", "cold: round trips", "free taxis", "recall"),
        ],
        rows,
    ) + "".join(
        f"\n\n{who}: {one.cpu_ms:.3f} ms from the cells that were read ({one.entries:.0f} entries) to the "
        f"sorted list, beside {one.dict_pass_ms:.3f} ms for a plain pass over as many dictionaries in the "
        "same process."
        for who, one in timed
    )


def _others(results: Results) -> str:
    rows: list[list[object]] = []
    for fleet, others in sorted(results.others.items()):
        ours = results.cost(fleet, 5, 10)
        found = results.found.get(fleet, [])
        if ours is None or len(found) < 2:  # dense and national
            continue
        rows.append(
            [
                fleet,
                "**this index**",
                f"{ours.write_units:.0f}",
                "1",
                *(f"{one.warm_units:.2f}" for one in found),
                *(f"{one.warm_calls:.1f}" for one in found),
            ]
        )
        rows += [
            [
                fleet,
                name,
                f"{units:,.0f}",
                f"{units / ours.write_units:.1f}",
                *(f"{one.others[name][0]:.2f}" for one in found),
                *(f"{one.others[name][1]:.1f}" for one in found),
            ]
            for name, units in others.items()
        ]
    return table(
        [
            *("fleet", "layout", "write units / 1,000", "times ours"),
            *("read units, dense", "national", "calls, dense", "national"),
        ],
        rows,
    ) + (
        "\n\nThe other two read eventually, at half the price, and do not show a change of status at "
        "once; ours reads strongly and does. Their searches do not look up the town or the taxi."
    )


def _scaling(results: Results) -> str:
    scaled = [(one.cost, one.found) for one in results.scaling]
    rows = [
        [
            f"{cost.scenario.taxis:,}",
            f"{cost.cells:,}",
            f"{cost.write_units:.1f}",
            f"{cost.largest_cell:,}",
            f"{cost.hottest_burst}",
            *(f"{one.warm_units:.2f}" for one in found),
            f"{cost.ingest_s / cost.positions * 1e6:.0f}",
        ]
        for cost, found in scaled
    ]
    text = table(
        [
            *("taxis", "cells", "write units / 1,000", "largest cell, bytes"),
            *("hottest key at once", "read units, dense", "national", "µs / position, emulated"),
        ],
        rows,
    )
    if len(scaled) < 2:
        return text
    sizes = [cost.scenario.taxis for cost, _ in scaled]
    writes = fitted(sizes, [cost.write_units for cost, _ in scaled])
    dense = fitted(sizes, [found[0].warm_units for _, found in scaled])
    return text + (
        f"\n\nFitted: write units per 1,000 positions grow as N^{writes:.2f}, read units of a dense "
        f"search as N^{dense:.2f} (N taxis; 0 would be flat, 1 proportional)."
    )


def fitted(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The exponent of the power of `sizes` that comes nearest to `values` (least squares of logs)."""
    xs, ys = [math.log(size) for size in sizes], [math.log(value) for value in values]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / sum(
        (x - mean_x) ** 2 for x in xs
    )


def _cpu(cost: cpu.Cost) -> str:
    def row(what: str, rate: float, opcodes: str = "") -> list[str]:
        return [what, f"{rate:,.0f}", f"{rate / cost.json_loads:.2f}", opcodes]

    rows = [
        row("`json.loads` of the bodies alone", cost.json_loads),
        row("a plain pass over parsed dictionaries", cost.dict_pass),
        row("API: body to packed records", cost.api, f"{cost.api_opcodes:.0f}"),
        row("ingest: event to packed cells", cost.ingest, f"{cost.ingest_opcodes:.0f}"),
    ]
    stages = [
        [way, stage, f"{took_us:.2f}"]
        for way, of in (("API", cost.api_stages), ("ingest", cost.ingest_stages))
        for stage, took_us in of.items()
    ]
    sdk_ms = cost.ingest_calls * cost.sdk_put_us / 1000
    own_ms = cost.ingest_positions / cost.ingest * 1000
    return "\n\n".join(
        [
            table(["one core", "positions/s", "of `json.loads`", "opcodes / position"], rows),
            "Where the time of a position goes:",
            table(["way", "stage", "µs / position"], stages),
            (
                f"Without the AWS SDK, which is measured by itself: {cost.sdk_records_us:.0f} µs for the "
                f"PutRecords of a POST, {cost.sdk_put_us:.0f} µs for a PutItem, before any network. The "
                f"window that was timed ({cost.ingest_positions:,} positions) makes "
                f"{cost.ingest_calls:,} calls: {sdk_ms:,.0f} ms of SDK beside {own_ms:,.0f} ms of our own."
            ),
        ]
    )
