"""`maraude import`: its arguments, and the file of the keys that it makes."""

import argparse
import csv
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ops.cli import target

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_parser(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    load = commands.add_parser(
        "import", help="take over accounts and taxis from exports, CSV or JSON lines"
    )
    load.add_argument(
        "folder",
        metavar="FOLDER",
        type=Path,
        help="with accounts, drivers, vehicles, ads, taxis: each .csv or .jsonl, none needed",
    )
    load.add_argument("--dry-run", action="store_true", help="change nothing, count what it would")
    load.add_argument(
        "--skip-faulty", action="store_true", help="import the others where lines are faulty"
    )
    load.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="EMAIL",
        help="this account and what it registered, nothing else; may be repeated",
    )
    load.add_argument(
        "--merges",
        metavar="FILE",
        type=Path,
        help="towns that merged, besides those that `territory` was given: CSV, as of load-towns",
    )
    load.add_argument(
        "--keys",
        metavar="FILE",
        type=Path,
        help="where to add the keys made for accounts that bring none; only you can read it",
    )
    load.add_argument(
        "--at-once", type=_whole, default=8, metavar="N", help="lines written at once (%(default)s)"
    )
    target.add_arguments(load)
    load.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from chalicelib.foundation import clock
    from ops.cli.imports.loading import Import
    from ops.cli.territory import mergers

    def show_fault(fault: object) -> None:
        print(fault, file=sys.stderr)

    def tell_key(email: str, key: str) -> None:
        with os.fdopen(
            os.open(arguments.keys, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w"
        ) as file:
            os.fchmod(file.fileno(), 0o600)
            csv.writer(file, lineterminator="\n").writerow((email, key))

    found = Import(
        arguments.folder,
        on_fault=show_fault,
        tell_key=tell_key if arguments.keys else None,
        only=arguments.only,
        merged=mergers.read(arguments.merges) if arguments.merges else {},
        at_once=arguments.at_once,
    )
    found.run(now=clock.now(), dry_run=arguments.dry_run, skip_faulty=arguments.skip_faulty)


def _whole(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 64:
        raise ValueError(text)
    return number
