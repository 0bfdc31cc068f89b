"""The `maraude` command: `maraude [SERVICE] COMMAND`, without one the service of the repository's root.

Each group of commands is a module with `add_parser(subparsers)`. A command sets `run`, a function of the parsed arguments, as its parser's default. Those that have
the options of `ops.cli.target` are turned to their registry before they run. What a command raises as
CannotGoOn is told to the user as it is, mostly in one sentence; of anything else `failures.py` makes one.
"""

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from chalicelib.foundation.settings import BadSetting
from chalicelib.foundation.version import VERSION
from ops import apps
from ops.apps import App
from ops.cli import target
from ops.errors import CannotGoOn

# What every service has; the others stand in its `app.yaml`.
COMMANDS = {
    "up": "ops.cli.up",
    "backup": "ops.cli.backup",
    "logs": "ops.cli.logs",
    "doctor": "ops.release.doctor.command",
}


def commands_of(app: App) -> Mapping[str, str]:
    """The modules of a service's commands, by their names."""
    return {**COMMANDS, **app.home.commands}


def parser_of(app: App, commands: Iterable[str]) -> argparse.ArgumentParser:
    """Reads the arguments of these commands of a service."""
    prog = "maraude" if app is apps.first() else f"maraude {app.name}"
    parser = argparse.ArgumentParser(prog=prog, description=app.home.title)
    parser.set_defaults(app=app)
    parser.add_argument("--version", action="version", version=f"Maraude {VERSION}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    modules = commands_of(app)
    for command in commands:
        importlib.import_module(modules[command]).add_parser(subparsers)
    return parser


def _service(arguments: Sequence[str]) -> tuple[App, Sequence[str]]:
    """The service that the first argument may name, by its name or folder, and the other arguments."""
    first = arguments[0] if arguments else ""
    if first in apps.every() or Path(first, apps.CONFIG).exists():
        return apps.find(first), arguments[1:]
    return apps.first(), arguments


def _run(app: App, command: str, args: argparse.Namespace) -> None:
    """Runs a command; of one that speaks to a registry the service's journal has an entry."""
    if "stage" not in args:
        args.run(args)
        return
    target.connect(args)
    lost = None
    if app.home.journal and "journal_after" not in args:
        lost = importlib.import_module(app.home.journal).enter(command, args)
    try:
        args.run(args)
    finally:
        if app.home.journal and "journal_after" in args:
            lost = importlib.import_module(app.home.journal).enter(command, args)
    if lost:
        print(lost, file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; its exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        app, words = _service(arguments)
        commands = commands_of(app)
        # Only the module of the command that is asked for, so that it starts at once.
        names = [words[0]] if words and words[0] in commands else commands
        args = parser_of(app, names).parse_args(words)
        _run(app, words[0], args)
        sys.stdout.flush()
    except CannotGoOn as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except BadSetting as error:
        print(f"{error}.", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read the output has seen enough
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Exception as error:  # noqa: BLE001  # whatever it is, it is told in a sentence
        from ops.cli import failures

        if os.environ.get(failures.TRACEBACK):
            traceback.print_exception(error)
        print(failures.sentence(error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
