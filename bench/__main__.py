"""`python -m bench`: the whole benchmark, with its tables printed and kept in docs/."""

import argparse
from pathlib import Path

from bench import figures, plots, report, run


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small fleets, less than a minute")
    parser.add_argument(
        "--page", type=Path, help="where to put the tables; without it only printed"
    )
    parser.add_argument("--draw", type=Path, metavar="SVG", help="cost against the size of fleets")
    arguments = parser.parse_args()
    for results in run.measured(quick=arguments.quick):
        if arguments.page:
            report.keep(results, arguments.page)
        if arguments.page and not results.waiting and not arguments.quick:
            figures.write(results)
        if arguments.draw and not results.waiting:
            plots.fleet_sizes(results, arguments.draw)
        if not results.waiting:
            print(report.tables(results))


if __name__ == "__main__":
    main()
