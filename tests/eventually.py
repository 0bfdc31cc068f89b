"""Waiting for what another thread or process does: until it is there, or the test fails."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")


def eventually(
    holds: Callable[[], T],
    *,
    within_s: float = 30.0,
    seen: Callable[[], object] | None = None,
) -> T:
    """The first true answer. Fails the test where none came in time, with what was `seen` last.

    The time is for a busy machine: what a test claims about speed, it measures.
    """
    until_s = time.monotonic() + within_s
    while True:
        is_last = time.monotonic() >= until_s  # whoever was kept from looking looks once more
        if answer := holds():
            return answer
        if is_last:
            last = answer if seen is None else seen()
            pytest.fail(f"not within {within_s:g} s; the last answer was {last!r}")
        time.sleep(0.05)
