"""Notes of searches for the statistics: kept in the process, sent to a stream in the background.

Noting waits for nothing and writes nothing. What can be lost: the notes of a Lambda environment that
is frozen and then reclaimed before it has sent them (`search_note_s` of its searches, at most
`search_note_count`), those of a process that is killed, those that Kinesis does not take, and the
oldest where more than `HELD` wait. The last two are counted (`searches_lost`). A report whose answer
got lost on the way is sent again, and is then counted twice.
"""

import atexit
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.foundation import geo
from chalicelib.foundation.aws import kinesis
from chalicelib.foundation.geo import LngLat
from chalicelib.foundation.observe import metrics
from chalicelib.foundation.settings import table
from chalicelib.taxis.search import rules
from chalicelib.taxis.search.rules import Search
from chalicelib.taxis.settings import settings

HELD = 20_000  # notes that wait for a stream that is slow: some 6 MB
SEARCHES_A_REPORT = 10_000  # 500 kB at the very most, of the 1 MB of a record
END_WITHIN_S = 3.0  # of a process that ends


def send(searches: Sequence[Search]) -> None:
    """Puts searches into the stream, in as few records as they fit in; what is refused is lost."""
    reports = [
        # Any shard will do.
        (f"{random.getrandbits(64):x}", rules.pack(searches[start : start + SEARCHES_A_REPORT]))
        for start in range(0, len(searches), SEARCHES_A_REPORT)
    ]
    try:
        refused = kinesis.put(table("searches"), reports)
    except (BotoCoreError, ClientError):
        refused = len(reports)
    if refused:
        lost(min(len(searches), refused * SEARCHES_A_REPORT))


def lost(searches: int) -> None:
    """Counts searches that will be in no statistic, about."""
    metrics.emit({}, counts={"searches_lost": searches})


class Notes:
    """Searches that wait to be sent, and the one thread that sends them.

    They are sent as soon as there are `search_note_count` of them, or the oldest has waited
    `search_note_s`; and at the end of the process.
    """

    def __init__(self, send: Callable[[Sequence[Search]], None] = send) -> None:
        self._send = send
        self._changed = threading.Condition()
        self._waiting: deque[Search] = deque()
        self._oldest_s = 0.0
        self._dropped = 0
        self._thread: threading.Thread | None = None
        self._ending = False

    def add(self, search: Search) -> None:
        """Notes a search, in some microseconds; drops the oldest note where there are too many."""
        with self._changed:
            if len(self._waiting) == HELD:
                self._waiting.popleft()
                self._dropped += 1
            self._waiting.append(search)
            if len(self._waiting) == 1:
                self._oldest_s = time.monotonic()
            if len(self._waiting) in (1, settings().search_note_count):
                self._changed.notify_all()
            # It is not alive before the first note, and in a process that was forked.
            if self._thread is None or not self._thread.is_alive():
                self._start()

    def end(self, *, within_s: float = END_WITHIN_S) -> bool:
        """Sends what is left; whether that was done in time. The next note begins anew."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
            thread = self._thread
        if thread is None:
            return True
        thread.join(within_s)
        return not thread.is_alive()

    def forget(self) -> None:
        """Drops what waits, unsent: between tests."""
        with self._changed:
            self._waiting.clear()

    def _start(self) -> None:
        self._ending = False
        if self._thread is None:
            atexit.register(self.end)
        self._thread = threading.Thread(target=self._run, name="searches", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while searches := self._due():
            self._send(searches)

    def _due(self) -> list[Search]:
        """What is to be sent next, as soon as it is; nothing at the end."""
        with self._changed:
            while not self._ending and (wait_s := self._wait_s()) != 0:
                self._changed.wait(wait_s)
            searches = list(self._waiting)
            self._waiting.clear()
            dropped, self._dropped = self._dropped, 0
        if dropped:
            lost(dropped)
        return searches

    def _wait_s(self) -> float | None:
        """How long the notes may still wait; None while there are none."""
        if not self._waiting:
            return None
        if len(self._waiting) >= settings().search_note_count:
            return 0
        return max(0, self._oldest_s + settings().search_note_s - time.monotonic())


notes = Notes()


def note(
    point: LngLat,
    *,
    insee: str,
    moteur: int,
    found: int,
    seen: int,
    nearest_m: float | None,
    now: datetime,
) -> None:
    """Notes a search that reached a town, to be sent to the stream in the background.

    `moteur` is the account's id, `nearest_m` the distance of the nearest of those found. Of the
    point only the geohash of 6 characters is kept.
    """
    notes.add(
        Search(
            hour=int(now.timestamp()) // 3600,
            insee=insee,
            moteur=moteur,
            found=found,
            seen=seen,
            nearest_m=None if nearest_m is None else round(nearest_m),
            geohash=geo.geohash6(point),
        )
    )
