"""The command line of a benchmark: what it prints, the page that keeps its tables, and its drawing."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from ops import pages


def parser(module: str, description: str) -> argparse.ArgumentParser:
    """The options that benchmarks of whole systems share: `--page`, `--draw` and `--figures`."""
    found = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    found.add_argument("--page", type=Path, help="where to put the table; without it only printed")
    found.add_argument("--draw", type=Path, metavar="SVG", help="draws the figures")
    found.add_argument("--figures", type=Path, help="where to put the figures as JSON")
    return found


def publish(
    arguments: argparse.Namespace,
    table: str,
    *,
    markers: tuple[str, str],
    figures: object,
    draw: Callable[[Path], None],
) -> None:
    """Prints the table, and puts table, drawing and figures where the options want them.

    Raises MarkersMissing where the page has no place for the table.
    """
    print(table)
    if arguments.page:
        pages.put(table, arguments.page, *markers)
    if arguments.draw:
        draw(arguments.draw)
    if arguments.figures:
        arguments.figures.parent.mkdir(parents=True, exist_ok=True)
        arguments.figures.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
