"""The write of a hail's step, with its taxi, the journal, the deadline's message and the metric.

A step that another came before is decided anew on what that other left, so that no update is lost.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.foundation.errors import in_body, in_request
from chalicelib.foundation.observe import logs, metrics
from chalicelib.foundation.retry import Retry
from chalicelib.foundation.store.reads import StoreBusy
from chalicelib.foundation.store.writes import Moved
from chalicelib.taxis.activity.rules import taxi_status
from chalicelib.taxis.hails import queue, rules, store, writes
from chalicelib.taxis.hails.request_log import Exchange
from chalicelib.taxis.hails.rules import Busy, Customer, Hail, Status, StepRefused, Waits
from chalicelib.taxis.hails.writes import TaxiStep
from chalicelib.taxis.positions.service import Sighting
from chalicelib.taxis.registry import service as registry
from chalicelib.taxis.registry.rules import Description
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import Activity

RETRY = Retry(tries=14, longest_s=0.32)  # of a step that others are in the way of: some 2 s

log = logging.getLogger("maraude.hails")


def waits() -> Waits:
    """How long a hail may stay in each status."""
    chosen = settings()
    seconds = {
        Status.RECEIVED: chosen.wait_received_s,
        Status.SENT_TO_OPERATOR: chosen.wait_received_s,
        Status.RECEIVED_BY_OPERATOR: chosen.wait_received_by_operator_s,
        Status.RECEIVED_BY_TAXI: chosen.wait_received_by_taxi_s,
        Status.ACCEPTED_BY_TAXI: chosen.wait_accepted_by_taxi_s,
        Status.ACCEPTED_BY_CUSTOMER: chosen.wait_accepted_by_customer_s,
        Status.CUSTOMER_ON_BOARD: chosen.wait_customer_on_board_s,
    }
    return {status: timedelta(seconds=wait) for status, wait in seconds.items()}


def advance(
    hail_id: str, decide: Callable[[Hail], Hail], *, task: str, now: datetime
) -> Hail | None:
    """The hail after what the registry decides on it as it is; None where there is none.

    `task` is the registry's own doing, in the journal's words. Raises Busy.
    """
    for _ in RETRY.attempts():
        hail = store.hail(hail_id)
        if hail is None:
            return None
        after = decide(hail)
        if after is hail:
            return hail
        try:
            return write(hail, after, task=task, now=now)
        except Moved:
            continue
    raise Busy(in_request("The hail keeps changing. Please try again."))


def write(
    before: Hail,
    after: Hail,
    *,
    now: datetime,
    customers: tuple[Customer, Customer] | None = None,
    exchange: Exchange | None = None,
    task: str | None = None,
) -> Hail:
    """Stores a change of a hail together with its taxi's, then shows the taxi's.

    `task` is the registry's own doing, in the journal's words. Raises Moved, and StepRefused where the
    step needs the taxi and the hail does not hold it.
    """
    taxis = _taxi_steps(before, after, now=now)
    moved = [taxi for taxi in taxis if taxi.before.status is not taxi.after.status]
    stored = writes.swap(
        before,
        after,
        taxis=taxis,
        customers=customers,
        exchange=exchange,
        entries=[_journal_entry(after, taxi, task=task, now=now) for taxi in moved],
    )
    for taxi in moved:
        show_taxi(taxi.after, now=now)
    if stored.status is not before.status:
        queue_deadline(stored, now=now)
        metrics.emit(
            {"outcome": stored.status},
            counts={"hails": 1},
            about={"hail": stored.hail_id, "was": before.status},
        )
    return stored


def _taxi_steps(before: Hail, after: Hail, *, now: datetime) -> list[TaxiStep]:
    """Changes of the taxi, in each description of its vehicle that this hail holds.

    Nothing where the step leaves the taxi as it is. Raises StepRefused.
    """
    was, is_now, hail_id = before.status, after.status, before.hail_id
    if is_now is was:
        return []
    description = registry.described(before.description_id)
    if description is None or description.open_hail != hail_id:
        if is_now in rules.TOWARDS_A_RIDE:
            raise StepRefused(in_body("status", "The taxi is no longer held by this hail"))
        return []
    if not is_now.is_over and rules.TAXI[is_now] is rules.TAXI[was]:
        return []
    return [
        TaxiStep(
            one,
            one.hailed(
                rules.taxi_after(one.status, was, is_now, is_hailed=one is description),
                open_hail=None if is_now.is_over else hail_id,
                now=now,
            ),
        )
        for one in registry.of_same_vehicle(description)
        if one.open_hail == hail_id
    ]


def _journal_entry(hail: Hail, moved: TaxiStep, *, task: str | None, now: datetime) -> Activity:
    is_hailed = moved.before.description_id == hail.description_id
    taxi_id = hail.taxi_id if is_hailed else min(moved.before.taxis, default="")
    cause = {"task": task} if task else {"hail_id": hail.hail_id}
    return taxi_status(now, taxi_id, old=moved.before.status, new=moved.after.status, **cause)


def show_taxi(description: Description, *, now: datetime, sighting: Sighting | None = None) -> None:
    """Shows the taxi's status in the cells; the hail is written by then, so a failure is only logged."""
    try:
        registry.show(description, now=now, sighting=sighting)
    except (StoreBusy, ClientError, BotoCoreError) as error:
        logs.fault(log, error, "shown_by_the_stream", taxis=sorted(description.taxis))


def queue_deadline(hail: Hail, *, now: datetime) -> None:
    """Asks for the hail to be looked at when its deadline is up."""
    if hail.deadline is not None:
        queue.put_deadline(hail.hail_id, hail.status, hail.deadline, now=now)
