"""`maraude cells`: refitting the grid of cells to the fleet."""

import argparse
from typing import TYPE_CHECKING

from ops.cli import target
from ops.errors import CannotGoOn

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_parser(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command and its actions."""
    cells = commands.add_parser("cells", help="fit the grid of positions to the fleet")
    actions = cells.add_subparsers(dest="action", required=True, metavar="ACTION")
    refit = actions.add_parser(
        "refit", help="split the cells where taxis are many now; writers change two minutes later"
    )
    refit.set_defaults(run=_refit)
    for action in actions.choices.values():
        target.add_arguments(action)


def _refit(_: argparse.Namespace) -> None:
    from chalicelib.foundation import clock
    from chalicelib.taxis.positions import service

    now = clock.now()
    try:
        fitted = service.refit(now=now)
    except service.MapAnnounced as error:
        raise CannotGoOn(f"{error.faults[0].message}; wait two minutes and run it again.") from None
    print(
        f"leaf map {fitted.version}: {len(fitted.tree.splits)} cells are split; writers use it "
        f"{fitted.starts_s - int(now.timestamp())} s from now, searches read both until then and "
        "two minutes longer"
    )
