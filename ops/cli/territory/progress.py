"""Progress of a long command: one line a second at most, on standard error."""

import sys
import time

_EVERY_S = 1.0


class Progress:
    """Says how far each step has come. Silent where `quiet`."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._said_at = time.monotonic()

    def step(self, doing: str, done: int, of: int | None = None) -> None:
        """Says that so many things are done, if it is time to say something."""
        if self._quiet or time.monotonic() - self._said_at < _EVERY_S:
            return
        self._said_at = time.monotonic()
        print(f"{doing}: {done}" + (f" of {of}" if of else ""), file=sys.stderr, flush=True)

    def result(self, sentence: str) -> None:
        """Says what a load has changed, on standard output."""
        if not self._quiet:
            print(sentence, flush=True)
