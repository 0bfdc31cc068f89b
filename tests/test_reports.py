"""What is shown of a test that failed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import conftest

METRIC = '{"_aws":{"Timestamp":1,"CloudWatchMetrics":[]},"requests":1}\n'


def shown(*printed: str) -> list[tuple[str, str]]:
    report = pytest.TestReport(
        "test_x", ("test_x.py", 1, "test_x"), {}, "failed", None, "call",
        sections=[("Captured stdout call", one) for one in printed],
    )  # fmt: skip
    hook = conftest.pytest_runtest_makereport()
    next(hook)
    with pytest.raises(StopIteration) as ended:
        hook.send(report)
    made: pytest.TestReport = ended.value.value
    return made.sections


def test_metrics_do_not_bury_what_else_was_printed() -> None:
    assert shown(f"before\n{METRIC}{METRIC}after\n") == [
        ("Captured stdout call", "before\nafter\n")
    ]


def test_where_only_metrics_were_printed_nothing_is_shown() -> None:
    assert shown(METRIC) == []


def test_metrics_of_a_process_do_not_bury_why_it_failed(tmp_path: Path) -> None:
    """A failing test, run with this project's own hook."""
    said = f"{METRIC}{METRIC}why\n{METRIC}"
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_runtest_makereport")
    (tmp_path / "test_it.py").write_text(
        f"def test_it():\n    said = {said!r}\n    print(said)\n    assert 1 == 2, said\n"
    )

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "CI": "true", "PYTHONPATH": str(conftest.ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 1, ran.stdout
    explained = [line for line in ran.stdout.splitlines() if line.startswith("E  ")]
    assert [line.split() for line in explained[:2]] == [["E", "AssertionError:"], ["E", "why"]]
    assert not [line for line in ran.stdout.splitlines() if line.lstrip("E ").startswith('{"_aws"')]
