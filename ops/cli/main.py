"""The `maraude` command: each group of it is a module with `add_parser(subparsers)`.

A command sets `run`, a function of the parsed arguments, as its parser's default. Those that have
the options of `ops.cli.target` are turned to their registry before they run. What a command raises as
CannotGoOn is told to the user as it is, mostly in one sentence.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

from chalicelib.foundation.settings import BadSetting
from ops.cli import target
from ops.errors import CannotGoOn

COMMANDS = {
    "up": "ops.cli.up",
    "account": "ops.cli.accounts",
    "territory": "ops.cli.territory.command",
    "cells": "ops.cli.cells",
    "import": "ops.cli.imports.command",
    "backup": "ops.cli.backup",
    "secrets": "ops.cli.secret_keys",
    "replay": "ops.cli.replay",
    "hail": "ops.cli.hails",
    "job": "ops.cli.jobs",
    "queue": "ops.cli.queues",
    "doctor": "ops.release.doctor.command",
    "cost": "ops.cli.cost",
    "demo-hail": "ops.local.demo.customer",
}


def _parser(commands: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="maraude", description="The registry of available taxis.")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in commands:
        importlib.import_module(COMMANDS[command]).add_parser(subparsers)
    return parser


def _of_aws() -> tuple[type[Exception], ...]:
    """What a call of AWS raises; loaded only when something was raised."""
    from botocore.exceptions import BotoCoreError, ClientError
    from pynamodb.exceptions import PynamoDBException

    return BotoCoreError, ClientError, PynamoDBException


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; its exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    # Only the module of the command that is asked for, so that it starts at once.
    asked = [command for command in COMMANDS if arguments[:1] == [command]]
    args = _parser(asked or list(COMMANDS)).parse_args(arguments)
    try:
        if "stage" in args:
            target.connect(args)
        args.run(args)
    except CannotGoOn as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except BadSetting as error:
        print(f"{error}.", file=sys.stderr)
        return 2
    except _of_aws() as error:
        print(f"AWS, or what stands for it here, refused: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
