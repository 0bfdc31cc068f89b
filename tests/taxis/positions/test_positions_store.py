import threading
from collections.abc import Iterator

import pytest

from chalicelib.taxis.positions import store


def test_what_is_done_at_once_is_answered_in_order() -> None:
    turns = threading.Barrier(2, timeout=30)

    def doubled(number: int) -> int:
        if number < 2:  # two of them can only go on together
            turns.wait()
        return 2 * number

    assert store.at_once(doubled, range(50)) == [2 * number for number in range(50)]


def test_after_an_error_nothing_more_is_begun() -> None:
    begun = []
    left_out = threading.Event()  # all that had not begun when one failed

    class Things(list[int]):
        def __iter__(self) -> Iterator[int]:
            return map(self._taken, super().__iter__())

        def _taken(self, number: int) -> int:
            if number == self[-1]:
                left_out.set()
            return number

    def fail_first(number: int) -> None:
        begun.append(number)
        if number == 0:
            raise ValueError("no first")
        left_out.wait(5)

    with pytest.raises(ValueError, match="no first"):
        store.at_once(fail_first, Things(range(100)))

    assert left_out.is_set()
    assert len(begun) <= store._CALLS_AT_ONCE
