"""Tries and the pauses between them."""

import time

import pytest

from chalicelib.foundation.retry import Retry


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each pause, which are not waited for."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


def test_the_first_try_waits_for_nothing_and_each_pause_is_up_to_twice_the_last(
    pauses: list[float],
) -> None:
    assert list(Retry(5, pause_s=0.1, longest_s=0.4).attempts()) == [0, 1, 2, 3, 4]

    assert len(pauses) == 4
    assert all(
        longest / 2 <= pause <= longest
        for pause, longest in zip(pauses, (0.1, 0.2, 0.4, 0.4), strict=True)
    )


def test_no_pause_is_longer_than_what_is_left(pauses: list[float]) -> None:
    left_s = iter((0.05, 0.0))

    assert list(Retry(3, pause_s=1).attempts(left_s=lambda: next(left_s))) == [0, 1, 2]

    assert pauses[0] <= 0.05
    assert pauses[1] == 0


def test_a_try_that_succeeds_waits_no_more(pauses: list[float]) -> None:
    for _ in Retry(8).attempts():
        break

    assert pauses == []
