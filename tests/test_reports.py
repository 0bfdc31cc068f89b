"""What is shown of a test that failed."""

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
