"""Positions that wait for the stream, the newest of each taxi. Never blocks.

Each one that is posted is counted once: as `accepted` when it is in the stream, as `superseded` when its
taxi sent a newer one before it was, or as dropped, by reason.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from udp_gateway.datagram import Drop


class Position(NamedTuple):
    """Where a taxi is, and since when, in whole Unix seconds."""

    lng_e7: int
    lat_e7: int
    at_s: float


class Batch(NamedTuple):
    """Positions (taxi id, lng_e7, lat_e7) to be sent together, as of one moment."""

    at: datetime
    positions: list[tuple[str, int, int]]


class Outbox:
    """The positions of at most `taxis` taxis. `late_s`: age from which one is not worth sending."""

    def __init__(
        self, *, late_s: float, taxis: int, counts: Counter[str], drops: Counter[Drop]
    ) -> None:
        self._late_s = late_s
        self._taxis = taxis
        self._counts = counts
        self._drops = drops
        self._positions: dict[str, Position] = {}

    def __len__(self) -> int:
        return len(self._positions)

    def post(self, taxi_id: str, position: Position) -> None:
        """Keeps a position until it is taken; the newest of a taxi stays."""
        before = self._positions.get(taxi_id)
        if before is not None:
            self._counts["superseded"] += 1
            if before.at_s > position.at_s:
                return
        elif len(self._positions) >= self._taxis:
            self._drops[Drop.OVERFLOW] += 1
            return
        self._positions[taxi_id] = position

    def batches(self) -> list[Batch]:
        """Takes out all positions, oldest first.

        They are the caller's now: to be sent, and then `sent` or `put_back`.
        """
        by_moment: dict[float, list[tuple[str, int, int]]] = {}
        for taxi_id, (lng_e7, lat_e7, at_s) in self._positions.items():
            by_moment.setdefault(at_s, []).append((taxi_id, lng_e7, lat_e7))
        self._positions = {}
        return [
            Batch(datetime.fromtimestamp(at_s, UTC), by_moment[at_s]) for at_s in sorted(by_moment)
        ]

    def sent(self, batch: Batch) -> None:
        """Marks a batch as sent to the stream."""
        self._counts["accepted"] += len(batch.positions)

    def put_back(self, batches: Iterable[Batch], *, now_s: float) -> None:
        """Keeps what the stream did not take for the next time, unless newer ones came or it is late."""
        for batch in batches:
            at_s = batch.at.timestamp()
            for taxi_id, lng_e7, lat_e7 in batch.positions:
                if taxi_id in self._positions:
                    self._counts["superseded"] += 1
                elif now_s - at_s >= self._late_s or len(self._positions) >= self._taxis:
                    self._drops[Drop.STREAM_UNAVAILABLE] += 1
                else:
                    self._positions[taxi_id] = Position(lng_e7, lat_e7, at_s)
