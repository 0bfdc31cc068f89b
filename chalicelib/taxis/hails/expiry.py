"""Deadlines of hails, applied by readers of an overdue hail, by the queue and by the sweep."""

import logging
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError
from msgspec import Struct

from chalicelib.foundation.errors import Unavailable
from chalicelib.foundation.observe import logs, metrics
from chalicelib.foundation.store.reads import StoreBusy
from chalicelib.foundation.values import replace
from chalicelib.taxis.hails import lifecycle, lists, steps
from chalicelib.taxis.hails.rules import Hail, Status

TASK = "handle_hail_timeout"  # in the journal

log = logging.getLogger("maraude.hails")


def expire(hail_id: str, *, now: datetime, way: str) -> Hail | None:
    """The hail, its deadline applied if it has passed; None where there is no such hail.

    `way` is who looked: "read", "queue" or "sweep".
    """
    applied: list[Status] = []

    def decide(hail: Hail) -> Hail:
        applied[:] = [hail.status] if hail.is_late(now) else []
        return lifecycle.apply_deadline(hail, now=now, waits=steps.waits())

    hail = steps.advance(hail_id, decide, task=TASK, now=now)
    if applied:
        metrics.emit(
            {"way": way}, counts={"deadlines": 1}, about={"expired": hail_id, "late": applied[0]}
        )
    return hail


class SweepResult(Struct, frozen=True):
    """How many hails a sweep ended, and how many it could not."""

    expired: int = 0
    failed: int = 0


def sweep(*, now: datetime) -> SweepResult:
    """Applies every overdue deadline. A failure of one hail does not stop the others."""
    result = SweepResult()
    for hail_id in lists.overdue(now):
        try:
            expire(hail_id, now=now, way="sweep")
        except (Unavailable, StoreBusy, ClientError, BotoCoreError) as error:
            logs.fault(log, error, "left_for_the_next_sweep", hail=hail_id)
            result = replace(result, failed=result.failed + 1)
        else:
            result = replace(result, expired=result.expired + 1)
    return result
