"""`make audit`: checks of licences, template, secrets and dependencies.

    python -m ops.release.audit [CHECK ...] [--write] [--complete]

It ends with a table. Exit code 1 where something was found; what could not be checked is said in lines of
its own, and is exit code 1 with `--complete` only: so should a machine run it that has the internet.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ops.errors import CannotGoOn
from ops.release.audit import decisions, dependencies, licences, outcome, secrets, template

CHECKS = ("licences", "template", "secrets", "dependencies")


def main(argv: Sequence[str] | None = None) -> int:
    """Makes the checks that are asked for; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ops.release.audit", description=__doc__)
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=f"of {', '.join(CHECKS)} (all)")
    parser.add_argument("--write", action="store_true", help="make docs/licences.md anew")
    parser.add_argument(
        "--complete", action="store_true", help="fail where something is not checked"
    )
    parser.add_argument("--template", type=Path, help="what to scan (the last commit's, for prod)")
    arguments = parser.parse_args(argv)
    if strangers := set(arguments.checks) - set(CHECKS):
        parser.error(f"no such check: {', '.join(sorted(strangers))}")
    try:
        decided = decisions.read(decisions.DECISIONS.read_text("utf-8"))
        checks = {
            "licences": lambda: licences.check(decided, write=arguments.write),
            "template": lambda: template.check(decided, template=arguments.template),
            "secrets": lambda: secrets.check(decided),
            "dependencies": lambda: dependencies.check(decided),
        }
        outcomes = [checks[name]() for name in CHECKS if name in (arguments.checks or CHECKS)]
    except CannotGoOn as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(outcome.table(outcomes))
    return outcome.exit_code(outcomes, complete=arguments.complete)


if __name__ == "__main__":
    sys.exit(main())
