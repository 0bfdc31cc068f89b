import threading
import time

import pytest

from chalicelib.taxis.positions import store


def test_what_is_done_at_once_is_answered_in_order() -> None:
    turns = threading.Barrier(2, timeout=5)

    def doubled(number: int) -> int:
        if number < 2:  # two of them can only go on together
            turns.wait()
        return 2 * number

    assert store.at_once(doubled, range(50)) == [2 * number for number in range(50)]


def test_after_an_error_little_more_is_begun() -> None:
    begun = []
    failed = threading.Event()

    def fail_first(number: int) -> None:
        begun.append(number)
        if number == 0:
            failed.set()
            raise ValueError("no first")
        failed.wait(5)
        time.sleep(0.01)

    with pytest.raises(ValueError, match="no first"):
        store.at_once(fail_first, range(1000))
    time.sleep(0.3)
    assert len(begun) < 100
