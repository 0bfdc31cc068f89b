"""Estimates of cost as Markdown."""

from collections.abc import Mapping
from typing import Any

from ops.cli.cost.estimate import ASSUMED, MONTH_S, Load, lines, standing, total

CAUSES = ("positions", "searches", "hails", "status", "standing")


def tables(load: Load, figures: Mapping[str, Any], prices: Mapping[str, Any]) -> str:
    """The costs as Markdown: a table, what a million costs, the largest lever."""
    found = lines(load, figures, prices)

    services = list(dict.fromkeys(line.service for line in found))
    rows = [
        (
            service,
            [
                total(line for line in found if (line.service, line.cause) == (service, cause))
                for cause in CAUSES
            ],
        )
        for service in services
    ]
    rows.append(
        ("**all**", [total(line for line in found if line.cause == cause) for cause in CAUSES])
    )
    text = "\n".join(
        [
            f"| USD a month | {' | '.join(CAUSES)} | all |",
            "| --- " * (len(CAUSES) + 2) + "|",
            *(
                f"| {name} | {' | '.join(f'{one:,.0f}' for one in usd)} | {sum(usd):,.0f} |"
                for name, usd in rows
            ),
        ]
    )
    largest = max(found, key=lambda line: line.usd)
    positions = load.taxis / load.period_s * MONTH_S
    searches = load.searches_s * MONTH_S
    of_positions = total(line for line in found if line.cause == "positions") / positions * 1e6
    text += f"\n\nA million positions cost {of_positions:.2f} USD"
    if searches:
        of_searches = total(line for line in found if line.cause == "searches") / searches * 1e6
        text += f", a million searches {of_searches:.2f} USD"
    share = largest.usd / total(found)
    return (
        f"{load.taxis:,} taxis, a report each {load.period_s:g} s, {load.searches_s:,g} searches a "
        f"second, {load.hails_day:,.0f} hails a day, {load.changes_day:g} changes of status a taxi a "
        f"day:\n\n{text}. The largest lever: {largest.service} for {largest.cause}, {share:.0%} of all."
    )


def floor(prices: Mapping[str, Any]) -> str:
    """What an installation costs with nobody using it, as a line."""
    found = standing(0, prices)
    parts = ", ".join(f"{line.service} {line.usd:,.0f}" for line in found if line.usd)
    return (
        f"The floor: with no taxis and nobody using it, an installation costs {total(found):,.0f} USD a month "
        f"({parts}), besides what its jobs take."
    )


def assumptions(figures: Mapping[str, Any], prices: Mapping[str, Any]) -> str:
    """The assumptions of the estimate, as Markdown."""
    remembered = sum(one["from"] == "remembered" for one in prices["prices"].values())
    return "\n".join(
        [
            f"- units: counted by `make bench` on {figures['made_on']}, commit `{figures['commit']}`",
            *([f"- units: {figures['note']}"] if "note" in figures else ()),
            (
                f"- prices: {prices['region']}, {prices['date']}, {remembered} of {len(prices['prices'])} "
                "from memory and to be checked (`infra/prices.yaml`)"
            ),
            *(f"- assumed: {one}" for one in ASSUMED),
        ]
    )
