"""The demonstration's taxis on the road: who is where, who is free, and which of them report next."""

import logging
import threading
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import urllib3

from chalicelib.foundation.geo import to_e7
from chalicelib.taxis.positions import service as positions
from ops.local import fleet
from ops.local.client import ApiRefused, Client
from ops.local.demo import fleet as demo
from ops.local.demo import seed, ways
from ops.local.demo.hook import Drivers

# A batch of a POST's size each time: all 300 have reported within 35 s, of the 60 after which no map counts a taxi
# [contract: Taxis on the road]. What it costs follows from the batches, and hardly from the taxis in them.
TICK_S = 5.0
RIDE_S = 900.0  # how long a taxi stays free, or occupied

# A taxi of somebody who reports nothing is repeated when its position is so old, under a time that is so long ago:
# whatever its owner has sent meanwhile, and the index may not have yet, is newer and wins.
REPEATED_AFTER = timedelta(seconds=55)
BEFORE = timedelta(seconds=10)

log = logging.getLogger("maraude.demo")


def status(place: int, elapsed_s: float) -> str:
    """Whether the taxi at a place of `demo.DRIVEN` is free.

    Those of the stand are, and each third of the others; of the rest two slots in three, each beginning at its own
    time.
    """
    if place < len(demo.STAND) or place % 3 == 0:
        return "free"
    slot = int((elapsed_s + place * 37) // RIDE_S)
    return "occupied" if (slot + place) % 3 == 0 else "free"


def position(place: int, elapsed_s: float) -> tuple[float, float]:
    """Where the taxi at a place of `demo.DRIVEN` is, in degrees."""
    if place < len(demo.STAND):
        return seed.waits_at(place)
    way, ahead_s = ways.way(place)
    lon, lat = way.at(elapsed_s + ahead_s, again=True)
    return round(lon, 6), round(lat, 6)


@dataclass
class Operator:
    """One operator's taxis that are driven, by place: `known` has the status that each was left with."""

    client: Client
    drivers: Drivers
    taxis: dict[int, str] = field(default_factory=dict)
    known: dict[int, str] = field(default_factory=dict)


@dataclass
class Traffic:
    """All driven taxis; some may be added while others report."""

    operators: tuple[Operator, ...]
    _next: deque[tuple[Operator, list[int]]] = field(default_factory=deque, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def add(self, operator: Operator, place: int, taxi_id: str, *, left: str) -> None:
        """A taxi more, which was left with this status."""
        with self._lock:
            operator.taxis[place] = taxi_id
            operator.known[place] = left

    def tick(self, elapsed_s: float) -> None:
        """Lets the next batch of taxis report, and change their status where its time has come.

        What the API does not take is logged, and comes again with the taxi's next turn.
        """
        if not self._next:
            self._next.extend(self._batches())
        if not self._next:
            return
        operator, places = self._next.popleft()
        hailed = operator.drivers.with_hail()
        moving = [place for place in places if operator.taxis[place] not in hailed]
        try:
            fleet.report(
                operator.client,
                [(operator.taxis[place], *position(place, elapsed_s)) for place in moving],
            )
            for place in places:
                if operator.taxis[place] in hailed:
                    operator.known[place] = "free"  # as its driver leaves it
                elif (wanted := status(place, elapsed_s)) != operator.known[place]:
                    operator.client.put(f"/taxis/{operator.taxis[place]}", {"status": wanted})
                    operator.known[place] = wanted
        except (ApiRefused, urllib3.exceptions.HTTPError) as error:
            log.warning("the API did not take it, so it is sent again: %s", error)

    def _batches(self) -> Iterator[tuple[Operator, list[int]]]:
        with self._lock:
            for operator in self.operators:
                places = sorted(operator.taxis)
                for start in range(0, len(places), fleet.POSITIONS_A_POST):
                    yield operator, places[start : start + fleet.POSITIONS_A_POST]


def repeat(taxi_ids: Collection[str], *, now: datetime) -> int:
    """Says again where taxis were last that have said nothing for a while; how many.

    Raises StreamUnavailable.
    """
    last = positions.where_is(taxi_ids, now=now)
    silent = [
        (taxi_id, to_e7(known.point))
        for taxi_id, known in last.items()
        if now - known.seen_at > REPEATED_AFTER
    ]
    if silent:
        positions.accept(
            [(taxi_id, point.lng_e7, point.lat_e7) for taxi_id, point in silent], now=now - BEFORE
        )
    return len(silent)
