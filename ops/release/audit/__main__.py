"""`make audit`: checks of licences, template, secrets and dependencies.

    python -m ops.release.audit [CHECK ...] [--write]

It ends with a table. Exit code 1 where something was found, 3 where nothing was but something could not be
checked, which is said in lines of its own: only 0 is all checked and clean.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ops.errors import CannotGoOn
from ops.release.audit import decisions, dependencies, licences, outcome, secrets, template
from ops.release.audit.outcome import Outcome

CHECKS = ("licences", "template", "secrets", "dependencies")


def main(argv: Sequence[str] | None = None) -> int:
    """Makes the checks that are asked for; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ops.release.audit", description=__doc__)
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=f"of {', '.join(CHECKS)} (all)")
    parser.add_argument("--write", action="store_true", help="make docs/evidence/licences.md anew")
    parser.add_argument("--template", type=Path, help="what to scan (the last commit's, for prod)")
    arguments = parser.parse_args(argv)
    if strangers := set(arguments.checks) - set(CHECKS):
        parser.error(f"no such check: {', '.join(sorted(strangers))}")
    try:
        decided = decisions.read(decisions.DECISIONS.read_text("utf-8"))
    except CannotGoOn as error:
        print(error, file=sys.stderr)
        return error.exit_code
    checks: dict[str, Callable[[], Outcome]] = {
        "licences": lambda: licences.check(decided, write=arguments.write),
        "template": lambda: template.check(decided, template=arguments.template),
        "secrets": lambda: secrets.check(decided),
        "dependencies": lambda: dependencies.check(decided),
    }
    outcomes = [
        outcome.of(name, checks[name]) for name in CHECKS if name in (arguments.checks or CHECKS)
    ]
    print(outcome.table(outcomes))
    return outcome.exit_code(outcomes)


if __name__ == "__main__":
    sys.exit(main())
