"""State of the UDP gateway: known operators, queued datagrams, counts. Never blocks.

It has no socket, no thread and no clock: who has them gives it datagrams (`take`), asks for what is to
be looked up (`questions`) and brings the answers (`settle`, `fail`), and takes what is to be sent
(`batches`), giving back what could not be (`put_back`). Times are Unix seconds.

A datagram that fits what is known of its operator is settled at once. Any other waits until the
operator has been looked up again, at most once each `AGAIN_S`: a new taxi, a new key and a new account
are found, and a flood of others costs a bounded number of reads.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from udp_gateway import datagram, order
from udp_gateway.datagram import Datagram, Drop, Unreadable
from udp_gateway.order import Order
from udp_gateway.outbox import Batch, Outbox, Position
from udp_gateway.senders import Sender

AGAIN_S = 1.0  # between two look-ups of an operator
STRANGE_S = 5.0  # how long an e-mail stays unknown
TRUSTED_S = 60.0  # a suspension or a new key bites within a minute [architecture: D7]
PERIOD_S = 1.0  # positions that came within it are sent together

OPERATORS_AT_ONCE = 16  # looked up together
WAITING = 30_000  # datagrams of operators that are known, and as many of others: 30 MB each
WAITING_EACH = 2500  # of one operator: judging them takes the loop some 10 ms
STRANGERS = 500  # e-mails that wait to be looked up: some three seconds' look-ups
TAXIS = 150_000  # whose positions wait to be sent
STRANGE = 4096  # e-mails that are remembered to be nobody's


class Waiting(NamedTuple):
    """A queued datagram, and when it came."""

    sent: Datagram
    came_s: float


@dataclass(slots=True)
class _Known:
    sender: Sender
    looked_up_s: float
    tried_s: float  # the last look-up, which may have failed


@dataclass(slots=True)
class _Room:
    """Datagrams that wait for their operators to be looked up, in the order in which these came."""

    operators: int
    waiting: dict[str, list[Waiting]] = field(default_factory=dict)
    count: int = 0

    def add(self, one: Waiting) -> bool:
        """Queues a datagram, where there is room."""
        name = one.sent.operator
        there = self.waiting.get(name)
        if self.count >= WAITING:
            return False
        if there is None:
            if len(self.waiting) >= self.operators:
                return False
            self.waiting[name] = [one]
        else:
            if len(there) >= WAITING_EACH:
                return False
            there.append(one)
        self.count += 1
        return True

    def leave(self, operator: str) -> list[Waiting]:
        """Takes out the datagrams of an operator."""
        left = self.waiting.pop(operator, [])
        self.count -= len(left)
        return left


class Question(NamedTuple):
    """An operator to be looked up, and what waits for it."""

    operator: str
    waiting: list[Datagram]


class Door:
    """One gateway's. Not thread-safe: everything is called by the event loop.

    Each datagram is counted as `received`, and then once more: as `accepted` when it is in the stream,
    as `superseded` when its taxi sent a newer one before it was, or as dropped, by reason.
    """

    def __init__(
        self, *, renew_s: float, stale_s: float, late_s: float, now_s: float, taxis: int = TAXIS
    ) -> None:
        """Operators are looked up again each `renew_s`, while they send.

        `stale_s`: age by the sender's clock from which a datagram is refused. For as long at least, one is
        refused too that is no newer than another of its taxi, so that a datagram that somebody has kept
        takes no taxi back. 0: no clock but ours counts. `late_s`: age from which a position is not worth
        sending. `taxis`: those whose positions may wait at most.
        """
        self._renew_s = renew_s
        self._stale_s = stale_s
        self._known: dict[str, _Known] = {}
        self._strange: dict[str, float] = {}  # e-mail, when it was looked up; oldest first
        self._known_room = _Room(operators=WAITING)
        self._strange_room = _Room(operators=STRANGERS)
        self._due: dict[str, None] = {}  # known operators to look up again, in order
        self._asked: dict[str, int] = {}  # being looked up, and how many waited when that began
        self._counts: Counter[str] = Counter()
        self._drops: Counter[Drop] = Counter()
        self._refused: Counter[tuple[str, Drop]] = Counter()  # of operators that there are
        self._order = Order(kept_s=stale_s + order.AHEAD_S, now_s=now_s)
        self._outbox = Outbox(late_s=late_s, taxis=taxis, counts=self._counts, drops=self._drops)

    # --- datagrams come in -----------------------------------------------------------------------

    def take(self, sent: bytes, *, now_s: float) -> None:
        """Receives a datagram, whatever it is."""
        self._counts["received"] += 1
        try:
            read = datagram.read(sent)
        except Unreadable as error:
            self._drops[error.reason] += 1
            return
        one = Waiting(read, now_s)
        known = self._known.get(read.operator)
        fault = self._stale_s and order.clock_fault(read, now_s=now_s, stale_s=self._stale_s)
        if fault:
            self._refuse(one, fault, is_known=known is not None)
        elif known is None:
            self._take_stranger(one, now_s=now_s)
        else:
            self._take_known(one, known, age_s=now_s - known.looked_up_s)

    def _take_known(self, one: Waiting, known: _Known, *, age_s: float) -> None:
        operator = one.sent.operator
        if age_s >= self._renew_s:
            self._due[operator] = None
        if age_s < TRUSTED_S and _refusal(one.sent, known.sender) is None:
            self._post(one)
        elif self._known_room.add(one):
            self._due[operator] = None
        else:
            self._drops[Drop.OVERFLOW] += 1

    def _take_stranger(self, one: Waiting, *, now_s: float) -> None:
        looked_up_s = self._strange.get(one.sent.operator)
        if looked_up_s is not None and now_s - looked_up_s < STRANGE_S:
            self._drops[Drop.UNKNOWN_OPERATOR] += 1
        elif not self._strange_room.add(one):
            self._drops[Drop.OVERFLOW] += 1

    def _post(self, one: Waiting) -> None:
        """Puts a position where the next batch is taken from, unless its taxi has sent a newer one."""
        read, came_s = one
        at_s = float(int(came_s))
        if self._stale_s and read.sent_s is not None:
            refused = self._order.refusal(
                read.taxi_id, read.sent_s, signature=read.signature, came_s=came_s
            )
            if refused is not None:
                self._refuse(one, refused, is_known=True)
                return
            at_s = order.held_since(read.sent_s, came_s=came_s)
        self._outbox.post(read.taxi_id, Position(read.lng_e7, read.lat_e7, at_s))

    def _refuse(self, one: Waiting, reason: Drop, *, is_known: bool) -> None:
        self._drops[reason] += 1
        if is_known:
            self._refused[one.sent.operator, reason] += 1

    # --- operators are looked up -----------------------------------------------------------------

    def questions(self, *, now_s: float) -> list[Question]:
        """The operators to look up now; each must be settled, or failed, before it comes again.

        Those that are known come first, so that a flood of strange e-mails keeps nobody waiting.
        """
        next_questions: list[Question] = []
        for operator in [*self._due]:
            if len(next_questions) + len(self._asked) >= OPERATORS_AT_ONCE:
                return self._ask(next_questions)
            known = self._known.get(operator)
            if operator in self._asked or (known and now_s - known.tried_s < AGAIN_S):
                continue
            del self._due[operator]
            waiting = self._known_room.waiting.get(operator, [])
            next_questions.append(Question(operator, [one.sent for one in waiting]))
        for operator, waiting in self._strange_room.waiting.items():
            if len(next_questions) + len(self._asked) >= OPERATORS_AT_ONCE:
                break
            if operator not in self._asked:
                next_questions.append(Question(operator, [one.sent for one in waiting]))
        return self._ask(next_questions)

    def _ask(self, next_questions: list[Question]) -> list[Question]:
        self._asked |= {question.operator: len(question.waiting) for question in next_questions}
        return next_questions

    def settle(self, operator: str, sender: Sender | None, *, now_s: float) -> None:
        """Stores the result of a look-up, and decides on the datagrams that waited for it.

        What came while it was looked up, and does not fit either, waits for the next time.
        """
        asked = self._asked.get(operator, 0)
        waited = self._leave(operator)
        self._strange.pop(operator, None)
        if sender is None:
            self._known.pop(operator, None)
            if len(self._strange) >= STRANGE:
                del self._strange[next(iter(self._strange))]
            self._strange[operator] = now_s
            self._drops[Drop.UNKNOWN_OPERATOR] += len(waited)
            return
        self._known[operator] = _Known(sender, looked_up_s=now_s, tried_s=now_s)
        for place, one in enumerate(waited):
            refused = _refusal(one.sent, sender)
            if refused is None:
                self._post(one)
            elif place < asked:
                self._refuse(one, refused, is_known=True)
            elif self._known_room.add(one):
                self._due[operator] = None
            else:
                self._drops[Drop.OVERFLOW] += 1

    def fail(self, operator: str, *, now_s: float) -> None:
        """Handles a failed look-up: what is known of the operator stays valid as long as it is trusted."""
        self._drops[Drop.LOOK_UP_FAILED] += len(self._leave(operator))
        known = self._known.get(operator)
        if known is not None:
            known.tried_s = now_s

    def _leave(self, operator: str) -> list[Waiting]:
        self._asked.pop(operator, None)
        return [*self._known_room.leave(operator), *self._strange_room.leave(operator)]

    # --- positions go out ------------------------------------------------------------------------

    def batches(self, *, now_s: float) -> list[Batch]:
        """Takes out all positions, as `Outbox.batches` does."""
        self._order.forget_old(now_s=now_s)
        return self._outbox.batches()

    def sent(self, batch: Batch) -> None:
        """Marks a batch as sent to the stream."""
        self._outbox.sent(batch)

    def put_back(self, batches: Iterable[Batch], *, now_s: float) -> None:
        """Keeps what the stream did not take, as `Outbox.put_back` does."""
        self._outbox.put_back(batches, now_s=now_s)

    # --- counts ----------------------------------------------------------------------------------

    def lost_in_kernel(self, datagrams: int) -> None:
        """Counts datagrams that the socket's buffer had no room for."""
        self._drops[Drop.KERNEL] += datagrams

    def counts(self) -> dict[str, int]:
        """Counts since the last call, by reason, and the length of the queues."""
        counted = {name: self._counts[name] for name in ("received", "accepted", "superseded")}
        counted |= {f"dropped_{reason}": self._drops[reason] for reason in Drop}
        counted["waiting"] = self.waiting
        self._counts.clear()
        self._drops.clear()
        return counted

    def refused(self, *, limit: int) -> list[tuple[str, Drop, int]]:
        """The operators with most refused datagrams since the last call, with reason and number."""
        most = self._refused.most_common(limit)
        self._refused.clear()
        return [(operator, reason, datagrams) for (operator, reason), datagrams in most]

    @property
    def waiting(self) -> int:
        """Datagrams that are neither sent nor dropped."""
        return self._known_room.count + self._strange_room.count + len(self._outbox)


def _refusal(read: Datagram, sender: Sender) -> Drop | None:
    """The reason to refuse a datagram of a sender. The hash is checked first."""
    if not read.is_signed_with(*sender.keys):
        return Drop.BAD_HASH
    return None if read.taxi_id in sender.taxi_ids else Drop.NOT_OWNER
