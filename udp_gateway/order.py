"""Order of a taxi's datagrams: which one is newer, and since when a position holds. Never blocks.

What is kept here is one door's. Another door may be sent what this one has seen, and knows nothing of it;
so the moment that goes into the stream, `held_since`, follows from the datagram and not from when a door
had it: the cells keep the newest, and what comes again by whatever door is as old as it was. Only of a
clock that is ahead, by `AHEAD_S` at most, is the moment ours.
"""

from typing import NamedTuple

from udp_gateway.datagram import Datagram, Drop

AHEAD_S = 60.0  # what GPS time (18 s) and a neglected clock need


def clock_fault(read: Datagram, *, now_s: float, stale_s: float) -> Drop | None:
    """The reason to refuse a datagram for its own clock."""
    if read.sent_s is None or read.sent_s < now_s - stale_s:
        return Drop.STALE
    return Drop.AHEAD if read.sent_s > now_s + AHEAD_S else None


def held_since(sent_s: float, *, came_s: float) -> float:
    """The whole second that a position is of: of its sender's clock, or of ours where that is earlier."""
    return float(int(min(sent_s, came_s)))


class _Newest(NamedTuple):
    """A taxi's newest datagram, in the order of datagrams."""

    at_s: float  # by its clock, or by ours where that is earlier
    sent_s: float


class Order:
    """The newest datagram of each taxi, in this `kept_s` and in the one before."""

    def __init__(self, *, kept_s: float, now_s: float) -> None:
        """`kept_s`: for how long a datagram may be sent again, and is taken."""
        self._kept_s = kept_s
        self._newest: dict[str, _Newest] = {}
        self._before: dict[str, _Newest] = {}
        self._since_s = now_s

    def refusal(self, taxi_id: str, sent_s: float, *, came_s: float) -> Drop | None:
        """The reason to refuse a datagram; where there is none, it is the taxi's newest from now on.

        A right clock is believed at once, however far ahead another of the taxi's was. Of clocks that are
        ahead, the one that is farthest counts.
        """
        newest = self._newest.get(taxi_id) or self._before.get(taxi_id)
        this = _Newest(min(sent_s, came_s), sent_s)
        if newest is not None:
            if sent_s == newest.sent_s:
                return Drop.DUPLICATE
            if this < newest or came_s < sent_s < newest.sent_s:
                return Drop.OUT_OF_ORDER
        self._newest[taxi_id] = this
        return None

    def forget_old(self, *, now_s: float) -> None:
        """Forgets what is so old that it would be refused for its age."""
        if now_s - self._since_s >= self._kept_s:
            self._before, self._newest, self._since_s = self._newest, {}, now_s
