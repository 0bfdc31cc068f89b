"""Shares of the lanes to an operator's server, by search app, and how long a hail waits for one: pure.

A lane is one call at a time. A moteur with no call under way takes any lane that is free; another one
it takes only below its share: the lanes but a fifth, which is kept for who comes new, divided among the
moteurs that have calls under way. Of ten lanes one alone has eight, two have four each, and both come to
that within one call's time, for who is above its share takes none until it is below.
"""

from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta

from msgspec import Struct

from chalicelib.taxis.hails.rules import Hail

KEPT_FOR_NEW = 5  # one lane in so many


class Call(Struct, frozen=True):
    """A call of the operator's server that is under way: which lane it holds, and for whose hail."""

    lane: str
    moteur_id: int


def may_call(under_way: Collection[Call], moteur_id: int, *, lanes: int) -> bool:
    """Whether a hail of the moteur may take one of the operator's lanes, beside the calls under way."""
    if len(under_way) >= lanes:
        return False
    held = Counter(call.moteur_id for call in under_way)
    if not held[moteur_id]:
        return True
    share = -(-(lanes - lanes // KEPT_FOR_NEW) // len(+held))
    return held[moteur_id] < share


def is_too_late(
    hail: Hail, *, waiting_since: datetime | None, now: datetime, within: timedelta
) -> bool:
    """Whether the hail was looked at too late: more than `within` after its creation.

    The time that it waits for a lane does not count: of one that does, `waiting_since` is its beginning.
    """
    return (waiting_since or now) - hail.created_at > within


def pause_s(waited: timedelta) -> int:
    """Seconds until a hail that has waited so long for a lane is looked at again: one, and a quarter of that.

    So no wait is much longer than it has to be, and one of 20 s takes ten looks instead of twenty.
    """
    return 1 + int(waited.total_seconds()) // 4


def has_time_for(hail: Hail, call: timedelta, *, now: datetime) -> bool:
    """Whether a call of that length, begun now, ends before the hail's own deadline.

    If not, its operator might show the driver a hail that has failed [contract: Deadlines of a hail].
    """
    return hail.deadline is None or now + call <= hail.deadline
