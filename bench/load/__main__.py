"""`python -m bench.load`: a load test on a local system of its own.

MARAUDE_LOAD_S and MARAUDE_LOAD_TAXIS say for how long, and with how many taxis.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

from bench import harness
from bench.load import report, run
from ops.local import place
from ops.local.place import Place


def main() -> None:
    """Runs the command; its exit code is 1 where something was lost."""
    parser = harness.parser("bench.load", __doc__ or "")
    parser.set_defaults(figures=Path("build/load.json"))
    parser.add_argument("--data", type=Path, help="a folder to keep; its fleet serves again")
    parser.add_argument("--window", type=float, default=5.0, metavar="SECONDS", help="of ingest")
    parser.add_argument("--only-draw", action="store_true", help="the figures there are already")
    arguments = parser.parse_args()
    if arguments.only_draw:
        found = json.loads(arguments.figures.read_text())
    else:
        with tempfile.TemporaryDirectory(prefix="maraude-load-") as empty:
            results = run.measured(
                Place(arguments.data.absolute()) if arguments.data else place.of(empty),
                taxis=int(os.environ.get("MARAUDE_LOAD_TAXIS", "60000")),
                seconds=float(os.environ.get("MARAUDE_LOAD_S", "600")),
                window_s=arguments.window,
            )
        found = report.figures(results)
    harness.publish(
        arguments,
        report.table(found),
        markers=(report.BEGIN, report.END),
        figures=found,
        draw=lambda to: report.drawn(found, to),
    )
    counted = (found["counted"], found["after_restart"])
    sys.exit(any(one["lost"] or one["hails_open"] or one["taxis_held"] for one in counted))


if __name__ == "__main__":
    main()
