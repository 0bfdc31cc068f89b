"""`maraude job`: scheduled jobs, listed and run by hand."""

import argparse
import io
import json
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from ops import apps
from ops.cli import tables, target
from ops.cli.territory.progress import Progress
from ops.errors import CannotGoOn

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_parser(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command and its actions."""
    job = commands.add_parser("job", help="list the nightly jobs, or run one now")
    actions = job.add_subparsers(dest="action", required=True, metavar="ACTION")
    every = actions.add_parser("list", help="each job, when it runs (UTC), and what it does")
    every.set_defaults(run=_list)
    run = actions.add_parser(
        "run", help="run a job to its end, from where it was broken off; prints what it did as JSON"
    )
    run.add_argument("name", metavar="NAME")
    run.add_argument(
        "--dry-run", action="store_true", help="change nothing, count what it would do"
    )
    run.set_defaults(run=_run)
    target.add_arguments(run)


def _list(arguments: argparse.Namespace) -> None:
    from chalicelib.taxis.jobs import service

    known = apps.schedules(arguments.app)
    rows = [(name, *known.get(name, ("by hand", ""))) for name in sorted(service.JOBS)]
    for line in tables.lines(rows, titles=("JOB", "WHEN (UTC)", "WHAT")):
        print(line)


def _run(arguments: argparse.Namespace) -> None:
    from chalicelib.foundation import clock
    from chalicelib.taxis.jobs import service

    progress = Progress(quiet=False)

    def show_progress(done: Mapping[str, int]) -> None:
        progress.step(", ".join(done), sum(done.values()))

    try:
        # The run's metric, a line on standard output for CloudWatch, says the same and is not for a desk.
        with redirect_stdout(io.StringIO()):
            outcome = service.run(
                arguments.name, now=clock.now(), dry_run=arguments.dry_run, report=show_progress
            )
    except service.JobUnknown:
        names = ", ".join(sorted(service.JOBS))
        raise CannotGoOn(f"There is no job {arguments.name!r}; there are {names}.") from None
    about = {"pages": outcome.pages, "resumed": outcome.resumed, "dry_run": arguments.dry_run}
    print(json.dumps({"job": arguments.name, **outcome.done, **about}))
