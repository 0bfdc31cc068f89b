"""`maraude cost`: its arguments, and the files that it reads."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ops import pages
from ops.cli.cost.estimate import HAILS_A_TAXI, HAILS_DAY, Load
from ops.cli.cost.tables import assumptions, floor, tables

if TYPE_CHECKING:
    from argparse import _SubParsersAction

ROOT = Path(__file__).resolve().parents[3]
FIGURES = ROOT / "bench" / "figures.json"
PRICES = ROOT / "infra" / "prices.yaml"


def loaded() -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The figures and the prices that are kept with the code."""
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    prices = yaml.safe_load(PRICES.read_text(encoding="utf-8"))
    return figures, prices


def page() -> str:
    """The tables of `docs/evidence/cost.md`."""
    figures, prices = loaded()
    parts = [tables(Load(taxis), figures, prices) for taxis in (60_000, 600_000)]
    return "\n\n".join([*parts, floor(prices), assumptions(figures, prices)])


BEGIN, END = "<!-- cost: begin -->", "<!-- cost: end -->"


def add_parser(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    usual = Load(0)
    cost = commands.add_parser("cost", help="what the registry costs on AWS, a month")
    cost.add_argument("--taxis", type=int, default=60_000, metavar="N", help="that report all day")
    cost.add_argument(
        "--period", type=float, default=usual.period_s, metavar="S", help="seconds between reports"
    )
    cost.add_argument(
        "--searches",
        type=float,
        default=usual.searches_s,
        metavar="N",
        help="a second, nationwide, on average over the month (not at its peak)",
    )
    cost.add_argument(
        "--hails",
        type=float,
        metavar="N",
        help=f"a day, nationwide (min({HAILS_DAY:,}, {HAILS_A_TAXI} a taxi))",
    )
    cost.add_argument(
        "--changes",
        type=float,
        default=usual.changes_day,
        metavar="N",
        help="changes of status of each taxi a day",
    )
    cost.add_argument(
        "--page", type=Path, metavar="FILE", help="put the tables of 60,000 and 600,000 taxis there"
    )
    cost.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    if arguments.page:
        pages.put(page(), arguments.page, BEGIN, END)
        return
    figures, prices = loaded()
    hails = arguments.hails
    if hails is None:
        hails = min(HAILS_DAY, HAILS_A_TAXI * arguments.taxis)
    load = Load(arguments.taxis, arguments.period, arguments.searches, hails, arguments.changes)
    print(tables(load, figures, prices))
    print(f"\n{floor(prices)}")
    print(f"\n{assumptions(figures, prices)}")
