"""Questions before what cannot be taken back, or opens more than its words say."""

import argparse
import sys

from ops.errors import CannotGoOn


class Unconfirmed(CannotGoOn):
    """Nobody has said yes; nothing was changed."""


def add_argument(parser: argparse.ArgumentParser) -> None:
    """The option that `confirm` reads."""
    parser.add_argument("--yes", action="store_true", help="do it without asking")


def confirm(arguments: argparse.Namespace, *effects: str) -> None:
    """Asks whether to do what has these effects, each a sentence; nothing to ask about without any.

    Without a terminal only `--yes` is a yes. Raises Unconfirmed.
    """
    if not effects or arguments.yes:
        return
    told = " ".join(effects)
    if not sys.stdin.isatty():
        raise Unconfirmed(f"{told} Say --yes to do it; nothing was changed.")
    print(f"{told} Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise Unconfirmed("Nothing was changed.")
