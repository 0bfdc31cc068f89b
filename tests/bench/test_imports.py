"""What is measured of an import is an import: checked, made, and found the same when it comes again."""

import pytest

from bench.imports import measure

pytestmark = pytest.mark.prove


def test_a_fleet_is_checked_then_imported_then_the_same() -> None:
    runs = dict(measure(20))

    last_lines = {what: run.output.splitlines()[-1] for what, run in runs.items()}
    assert last_lines["checked only"] == "taxis: would be 20 new, 0 changed, 0 same, 0 faulty"
    assert last_lines["imported"].startswith(
        "taxis: 20 new, 0 changed, 0 same, 0 faulty; 20 written"
    )
    assert last_lines["again"] == "taxis: 0 new, 0 changed, 20 same, 0 faulty"
    assert all(run.took_s > 0 and 10 < run.peak_mb < 500 for run in runs.values())
