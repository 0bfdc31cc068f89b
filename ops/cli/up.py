"""`maraude up`: the whole local system, until Ctrl-C."""

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001  # argparse has no public name for it


def add_parser(subparsers: "Subparsers") -> None:
    """Adds the command."""
    parser = subparsers.add_parser("up", help="run all of it on this machine")
    parser.add_argument("--port", type=_port, help="of the API (the service's own; 0 for any)")
    parser.add_argument(
        "--udp-port", type=_port, help="of the UDP door (the API's number; 0 for no door)"
    )
    parser.add_argument("--data", metavar="DIR", help="the data folder (.maraude)")
    parser.add_argument(
        "--demo",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="with a demonstration territory and fleet",
    )
    parser.add_argument(
        "--ingest-window",
        type=_seconds,
        metavar="SECONDS",
        help="how long positions are gathered before they are stored (5, with --demo 1)",
    )
    parser.add_argument(
        "--endpoint",
        metavar="URL",
        help="AWS-compatible services that listen there already, instead of starting some",
    )
    parser.add_argument(
        "--requests",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="say each step of the start, and a line a request (where the output is a terminal)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Runs the system until it is told to stop. Raises CannotGoOn."""
    from ops.local import place, stack  # not for `maraude --help`

    default_window_s = 1.0 if args.demo else 5.0
    stack.Stack(
        args.app,
        place.of(args.data, service=args.app.data),
        args.app.home.port if args.port is None else args.port,
        demo=args.demo,
        ingest_window_s=default_window_s if args.ingest_window is None else args.ingest_window,
        endpoint=args.endpoint,
        udp_port=args.udp_port,
        watched=sys.stdout.isatty() if args.requests is None else args.requests,
    ).run()


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError("it must be a number from 0 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= 300:
        raise argparse.ArgumentTypeError("it must be from 0 to 300 seconds")
    return seconds
