"""`maraude logs`: what the processes of the local system have said, as lines to read."""

import argparse
import heapq
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ops.errors import CannotGoOn
from ops.local import log_lines, logs, place

if TYPE_CHECKING:
    from argparse import _SubParsersAction

LOOK_S = 0.3  # between two looks at the files


def add_parser(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = commands.add_parser("logs", help="what the local system's processes have logged")
    parser.add_argument("--follow", action="store_true", help="go on until Ctrl-C")
    parser.add_argument(
        "--of",
        choices=logs.ROLES,
        help="one process: the api, the worker (ingest, queues, jobs), the udp door, the demo, the state service",
    )
    parser.add_argument("--lines", type=int, default=100, metavar="N", help="at first (100)")
    parser.add_argument("--metrics", action="store_true", help="the lines of metrics, too")
    parser.add_argument("--data", metavar="DIR", help="the data folder (.maraude)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Prints the last lines, oldest first, and what comes. Raises CannotGoOn."""
    folder = place.of(args.data, service=args.app.data).logs
    roles = [args.of] if args.of else [r for r in logs.ROLES if (folder / f"{r}.log").exists()]
    if not roles or not folder.exists():
        raise CannotGoOn(f"No local system has run on {folder.parent}: it has no logs.")
    files = {role: folder / f"{role}.log" for role in roles}
    tails = {role: logs.Tail(file) for role, file in files.items()}
    named = args.of is None

    before = heapq.merge(
        *(_timed(role, logs.last(file), args, named=named) for role, file in files.items())
    )
    for _, text in list(before)[-args.lines :] if args.lines > 0 else []:
        print(text)
    while args.follow:
        for role, tail in tails.items():
            for _, text in _timed(role, tail.lines(), args, named=named):
                print(text, flush=True)
        time.sleep(LOOK_S)


def _timed(
    role: str, lines: Iterable[str], args: argparse.Namespace, *, named: bool
) -> Iterator[tuple[float, str]]:
    """The lines that are shown, each with its time, or that of the line before it."""
    at_s = 0.0
    for line in lines:
        one = log_lines.shown(line, metrics=args.metrics)
        if one is None:
            continue
        at_s = max(at_s, one.at_s or 0.0)
        yield at_s, f"{role:<6} {one.text}" if named else one.text
