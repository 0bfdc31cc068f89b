"""How long the check of a key takes says nothing of the key: the same steps for every wrong one."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import pytest

from chalicelib.foundation import clock
from chalicelib.foundation.errors import Unidentified
from chalicelib.taxis.access import service, users
from tests import factories

pytestmark = pytest.mark.usefixtures("store")

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@contextmanager
def steps() -> Iterator[list[str]]:
    """The instructions of Python that the registry's own code runs, by where they stand."""
    found: list[str] = []

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if "/chalicelib/" not in frame.f_code.co_filename:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            found.append(f"{frame.f_code.co_qualname} {frame.f_lasti}")
        return trace

    sys.settrace(trace)
    try:
        yield found
    finally:
        sys.settrace(None)


def wrong_keys(right: str) -> list[str]:
    """Keys from the farthest from the right one to the nearest; all are as long."""
    return [
        "z" * len(right),
        *(right[:known] + "z" * (len(right) - known) for known in (1, 8, 18, 35)),
        "z" + right[1:],
    ]


def taken(check: Callable[[str], object], keys: list[str]) -> list[list[str]]:
    """The steps of each check; one goes before, which reads what every process reads once."""
    every = []
    for key in ["y" * len(keys[0]), *keys]:
        with steps() as found, pytest.raises(Unidentified):
            check(key)
        every.append(found)
    return every[1:]


def test_every_wrong_key_takes_the_same_steps(aws_calls: list[str]) -> None:
    _, right = factories.an_account("operator")
    aws_calls.clear()

    found = taken(lambda key: service.recognize(key=key, logas=None, now=NOON), wrong_keys(right))

    assert len(found[0]) > 100
    assert all(one == found[0] for one in found)
    assert aws_calls == ["BatchGetItem"] * 7


@pytest.mark.parametrize("email", ["operator", "nobody"])
def test_every_wrong_key_of_a_login_takes_the_same_steps(email: str) -> None:
    _, right = factories.an_account("operator")

    found = taken(
        lambda key: users.log_in(email, api_key=key, source="192.0.2.1", now=clock.now()),
        wrong_keys(right),
    )

    assert len(found[0]) > 100
    assert all(one == found[0] for one in found)
