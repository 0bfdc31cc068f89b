"""What the tests of abuse share with those of accounts, and what they say at their end."""

from collections import Counter

import pytest

from tests.taxis.access.conftest import aws_calls

__all__ = ["aws_calls"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints how many inputs were sent to the operations, and with which status they were answered."""
    answered: Counter[int] = Counter()
    for report in terminalreporter.getreports("passed"):
        answered.update(dict(report.user_properties).get("answered", {}))
    if answered:
        shares = ", ".join(f"{status}: {count:,}" for status, count in sorted(answered.items()))
        terminalreporter.write_line(f"{answered.total():,} inputs; {shares}")
