"""Senders of a load test, a process of their own: batches of positions at a given rate.

A taxi's reports go one after the other on one connection, so that the last one answered 200 is its
newest. One that got no answer, or a 5xx, may be in the stream all the same: it is remembered too.
"""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from bench.fleets import Fleet
from bench.load import fleet as fleets
from bench.load.fleet import MARKS, Places
from chalicelib.foundation.geo import E7

CONNECTIONS = 8
TIMEOUT_S = 30.0
MOVE_S = 1.0
AGAIN_S = 0.5  # after a request that got no answer


@dataclass
class Sent:
    """What became of the positions that were sent. Taxis by their number in the fleet."""

    accepted: int = 0  # positions, answered 200
    unanswered: int = 0  # positions: no answer, or a 5xx; they may be stored or not
    refused: int = 0  # positions, answered 4xx
    statuses: Counter[int] = field(default_factory=Counter)  # of POSTs; 0: no answer
    took_ms: list[float] = field(default_factory=list)
    last: dict[int, tuple[int, int]] = field(default_factory=dict)  # newest accepted, lng and lat
    since: dict[int, list[tuple[int, int]]] = field(default_factory=dict)  # unanswered after that


class _Senders:
    """The threads of the process."""

    def __init__(self, port: int, keys: Mapping[str, str], fleet: Fleet, rate: Any) -> None:  # noqa: ANN401  # a shared number
        self._port = port
        self._fleet = fleet
        self._ids = fleets.taxi_ids(fleet)
        self._keys = [keys[fleets.operator(one)] for one in range(fleets.OPERATORS)]
        self._rate = rate  # POSTs a second, of all
        self._places = Places.of(fleet)
        self.stopped = threading.Event()
        self.sent = [Sent() for _ in range(CONNECTIONS)]

    def run(self) -> None:
        """Sends until it is stopped."""
        threads = [threading.Thread(target=self._send, args=(n,)) for n in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        while not self.stopped.wait(MOVE_S):
            self._fleet.move(MOVE_S)
            self._places = Places.of(self._fleet)
        for thread in threads:
            thread.join()

    def _send(self, number: int) -> None:
        sent = self.sent[number]
        groups = range(number, self._fleet.groups, CONNECTIONS)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
        due_s, reports = time.monotonic() + number / 100, 0
        while groups:
            reports += 1
            for group in groups:
                now_s = time.monotonic()
                # Who cannot keep up does not run after what it has missed
                due_s = max(due_s, now_s - 1) + CONNECTIONS / max(self._rate.value, 0.1)
                if self.stopped.wait(max(0.0, due_s - now_s)):
                    connection.close()
                    return
                self._post(connection, sent, group, reports)

    def _post(
        self, connection: http.client.HTTPConnection, sent: Sent, group: int, reports: int
    ) -> None:
        places = self._places
        taxis = range(group * fleets.POST, min((group + 1) * fleets.POST, self._fleet.size))
        at = {
            taxi: (
                int(places.lngs_e7[taxi]),
                int(places.lats_e7[taxi]) // MARKS * MARKS + reports % MARKS,
            )
            for taxi in taxis
        }
        positions = ",".join(
            f'{{"taxi_id":"{self._ids[taxi]}","lon":{lng_e7 / E7:.7f},"lat":{lat_e7 / E7:.7f}}}'
            for taxi, (lng_e7, lat_e7) in at.items()
        )
        headers = {
            "X-Api-Key": self._keys[self._fleet.operator(group)],
            "Content-Type": "application/json",
        }
        body = f'{{"data":[{{"positions":[{positions}]}}]}}'
        began_s = time.monotonic()
        status = 0
        try:
            connection.request("POST", "/geotaxi", body, headers)
            answer = connection.getresponse()
            answer.read()
            status = answer.status
        except (OSError, http.client.HTTPException):
            connection.close()
            self.stopped.wait(AGAIN_S)
        sent.statuses[status] += 1
        if status == 200:
            sent.took_ms.append(1000 * (time.monotonic() - began_s))
            sent.accepted += len(at)
            sent.last |= at
            for taxi in at.keys() & sent.since.keys():
                del sent.since[taxi]
        elif status == 0 or status >= 500:
            sent.unanswered += len(at)
            for taxi, place in at.items():
                sent.since.setdefault(taxi, []).append(place)
        else:
            sent.refused += len(at)


def _main(talk: Connection, rate: Any, port: int, keys: Mapping[str, str], taxis: int) -> None:  # noqa: ANN401
    """The process: any word asks how it goes, `stop` for all that was sent."""
    senders = _Senders(port, keys, fleets.simulate(taxis), rate)
    running = threading.Thread(target=senders.run)
    running.start()
    with suppress(EOFError):  # the parent has died
        while talk.recv() != "stop":
            counted: Counter[int] = sum((one.statuses for one in senders.sent), Counter())
            talk.send((sum(one.accepted for one in senders.sent), counted))
    senders.stopped.set()
    running.join()
    total = Sent()
    for one in senders.sent:
        total.accepted += one.accepted
        total.unanswered += one.unanswered
        total.refused += one.refused
        total.statuses += one.statuses
        total.took_ms += one.took_ms
        total.last |= one.last
        total.since |= one.since
    with suppress(OSError):
        talk.send(total)


class Senders:
    """The process of the senders, from outside. `posts_a_second` is theirs to keep to."""

    def __init__(self, port: int, keys: Mapping[str, str], *, taxis: int, rate: float) -> None:
        context = get_context("spawn")
        self._rate = context.Value("d", rate)
        self._talk, inside = context.Pipe()
        self.process = context.Process(
            target=_main, args=(inside, self._rate, port, dict(keys), taxis), daemon=True
        )
        self.process.start()
        inside.close()

    @property
    def rate(self) -> float:
        """POSTs a second that they try to send."""
        return float(self._rate.value)

    @rate.setter
    def rate(self, posts_a_second: float) -> None:
        self._rate.value = posts_a_second

    @property
    def pid(self) -> int:
        """Of their process."""
        return self.process.pid or 0

    def progress(self) -> tuple[int, Counter[int]]:
        """Positions accepted so far, and POSTs by the status of their answer."""
        self._talk.send("how")
        accepted, statuses = self._talk.recv()
        return int(accepted), statuses

    def stop(self) -> Sent:
        """Ends them; all that became of what they sent."""
        self._talk.send("stop")
        sent: Sent = self._talk.recv()
        self.process.join()
        return sent


def percentile(values: list[float], percent: float) -> float:
    """Of values in any order; 0 where there are none."""
    return float(np.percentile(values, percent)) if values else 0.0
