"""Target of a command: the local system, or a stage on AWS."""

import argparse
import importlib.util
import os

from ops.errors import CannotGoOn
from ops.local import place


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that `connect` reads."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--data", metavar="DIR", help="the local system's data folder (.maraude)")
    which.add_argument("--stage", metavar="NAME", help="a stage on AWS, with your AWS credentials")


def connect(args: argparse.Namespace) -> None:
    """Configures this process for the registry that the arguments name, before its first call.

    With `--stage`, AWS's own variables and files stay as they are. Raises NotRunning and
    PlaceBroken, and BadSetting where the service cannot run with a setting.
    """
    if args.stage:
        os.environ["MARAUDE_STAGE"] = args.stage
    else:
        where = place.of(args.data, service=args.app.data)
        run = where.running()
        for name in place.FOREIGN:
            os.environ.pop(name, None)
        os.environ.update(where.environment(run.endpoint))
    _check_settings(args.app.name)


def _check_settings(service: str) -> None:
    """Reads the service's settings, so that a bad one is told before anything is called. Raises BadSetting."""
    name = f"chalicelib.{service}.settings"
    if importlib.util.find_spec(f"chalicelib.{service}") and importlib.util.find_spec(name):
        importlib.import_module(name).settings()


def url(args: argparse.Namespace) -> str:
    """Where the API of the local system answers. Raises NotRunning, and CannotGoOn for a stage."""
    if args.stage:
        raise CannotGoOn("This command drives the API of the local system only; leave --stage out.")
    return place.of(args.data, service=args.app.data).running().url
