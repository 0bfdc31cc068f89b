"""`python -m bench`: the whole benchmark, with its tables printed and kept in docs/."""

import argparse
from pathlib import Path

from bench import figures, plots, report, run


def main() -> None:
    """Runs the command."""
    asked = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    asked.add_argument("--quick", action="store_true", help="small fleets, less than a minute")
    asked.add_argument("--page", type=Path, help="where to put the tables; without it only printed")
    asked.add_argument("--draw", type=Path, metavar="SVG", help="cost against the size of fleets")
    given = asked.parse_args()
    for results in run.measured(quick=given.quick):
        if given.page:
            report.written(results, given.page)
        if given.page and not results.waiting and not given.quick:
            figures.write(results)
        if given.draw and not results.waiting:
            plots.fleet_sizes(results, given.draw)
        if not results.waiting:
            print(report.made(results))


if __name__ == "__main__":
    main()
