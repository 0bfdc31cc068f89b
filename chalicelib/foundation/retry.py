"""Tries of what others may be in the way of, with pauses that grow and never meet."""

import math
import random
import time
from collections.abc import Callable, Iterator

from msgspec import Struct


class Retry(Struct, frozen=True):
    """A retry policy: number of tries, and the pauses between them.

    A pause is twice as long as the one before, from `pause_s` to `longest_s`, less up to a half.
    """

    tries: int
    pause_s: float = 0.01
    longest_s: float = 5.0

    def attempts(self, *, left_s: Callable[[], float] = lambda: math.inf) -> Iterator[int]:
        """The number of each try, from 0. Waits before each but the first, at most so long as is left."""
        for attempt in range(self.tries):
            if attempt:
                self.wait(attempt - 1, at_most_s=left_s())
            yield attempt

    def wait(self, attempt: int, *, at_most_s: float = math.inf) -> None:
        """Waits after a try, the first of which has the number 0."""
        longest = min(self.pause_s * 2**attempt, self.longest_s, at_most_s)
        time.sleep(random.uniform(0.5, 1) * longest)  # noqa: S311  # jitter, no secret
