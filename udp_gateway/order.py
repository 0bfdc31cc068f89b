"""Order of a taxi's datagrams: which one is newer, and since when a position holds. Never blocks.

What is kept here is one door's. Another door may be sent what this one has seen, and knows nothing of it;
so the moment that goes into the stream, `held_since`, follows from the datagram and not from when a door
had it: the cells keep the newest, and what comes again by whatever door is as old as it was. Only of a
clock that is ahead, by `AHEAD_S` at most, is the moment ours.
"""

from typing import NamedTuple

from udp_gateway.datagram import Datagram, Drop

AHEAD_S = 60.0  # what GPS time (18 s) and a neglected clock need
AHEAD_KEPT = 64  # a taxi's datagrams that are remembered one by one: `AHEAD_S` of one each second


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
    # Those whose clock was ahead and is so still, with their signatures: what follows by a right clock is
    # newer than they were, and older than they say.
    ahead: tuple[tuple[float, bytes], ...] = ()


class Order:
    """The newest datagram of each taxi, in this `kept_s` and in the one before."""

    def __init__(self, *, kept_s: float, now_s: float) -> None:
        """`kept_s`: for how long a datagram may be sent again, and is taken."""
        self._kept_s = kept_s
        self._newest: dict[str, _Newest] = {}
        self._before: dict[str, _Newest] = {}
        self._since_s = now_s

    def refusal(
        self, taxi_id: str, sent_s: float, *, signature: bytes, came_s: float
    ) -> Drop | None:
        """The reason to refuse a datagram; where there is none, it is the taxi's newest from now on.

        A right clock is believed at once, however far ahead another of the taxi's was. Of clocks that are
        ahead, the one that is farthest counts. `signature` is a right one, and tells a datagram from others.
        """
        newest = self._newest.get(taxi_id) or self._before.get(taxi_id)
        at_s = min(sent_s, came_s)
        ahead: tuple[tuple[float, bytes], ...] = ()
        if newest is not None:
            if sent_s == newest.sent_s:
                return Drop.DUPLICATE
            if (at_s, sent_s) < newest[:2] or came_s < sent_s < newest.sent_s:
                return Drop.OUT_OF_ORDER
            if newest.ahead:
                if (sent_s, signature) in newest.ahead:
                    return Drop.DUPLICATE
                ahead = tuple(one for one in newest.ahead if one[0] > at_s)
        if came_s < sent_s:
            ahead = (*ahead[1 - AHEAD_KEPT :], (sent_s, signature))
        self._newest[taxi_id] = _Newest(at_s, sent_s, ahead)
        return None

    def forget_old(self, *, now_s: float) -> None:
        """Forgets what is so old that it would be refused for its age."""
        if now_s - self._since_s >= self._kept_s:
            self._before, self._newest, self._since_s = self._newest, {}, now_s
