"""Changes of a hail that its parties ask for: the next status, reports, ratings."""

from datetime import datetime

from chalicelib.foundation.errors import in_request
from chalicelib.foundation.store.writes import Moved
from chalicelib.taxis.hails import lifecycle, lookup, presentation, steps, store
from chalicelib.taxis.hails.request_log import Exchange
from chalicelib.taxis.hails.rules import Busy, Customer, Hail, HailChange
from chalicelib.taxis.vocabulary import Account


def change_hail(viewer: Account, hail: Hail, update: HailChange, *, now: datetime) -> Hail:
    """The hail after an update by an account [contract: Changing a hail].

    Raises StepRefused, FieldRefused; both name the state that won where another was faster. Raises
    Busy.
    """
    for attempt in steps.RETRY.attempts():
        if attempt:
            hail = lookup.current(hail.hail_id, now=now) or hail
        after = lifecycle.apply_change(hail, update, viewer=viewer, now=now, waits=steps.waits())
        if after is hail:
            return hail
        customers = _reported_customer(hail, after, now=now)
        exchange = Exchange(
            at=now,
            method="PUT",
            payload=presentation.log_text(update),
            user=viewer.email,
            code=200,
            initial_status=hail.status.value,
            final_status=after.status.value,
        )
        try:
            return steps.write(hail, after, customers=customers, exchange=exchange, now=now)
        except Moved:
            continue
    raise Busy(in_request("The hail keeps changing. Please try again."))


def _reported_customer(
    before: Hail, after: Hail, *, now: datetime
) -> tuple[Customer, Customer] | None:
    """The customer before and after a report; None where it changes nothing, or nobody knows whose the hail was."""
    if before.blurred or before.reporting_customer == after.reporting_customer:
        return None
    customer = store.customer(before.moteur_id, before.customer_id)
    known = customer or Customer(before.moteur_id, before.customer_id)
    return known, lifecycle.apply_report(before, after, known, now=now)
