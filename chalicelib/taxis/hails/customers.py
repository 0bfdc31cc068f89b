"""Bans of a moteur's customers."""

from collections.abc import Mapping
from datetime import datetime

from chalicelib.foundation.errors import Unknown, in_request, in_url
from chalicelib.foundation.store.writes import Moved
from chalicelib.foundation.values import replace
from chalicelib.taxis.hails import rules, steps, store, writes
from chalicelib.taxis.hails.rules import Busy, Customer
from chalicelib.taxis.vocabulary import Account


class CustomerUnknown(Unknown):
    """The account has never hailed a taxi for this customer."""


def change_customer(
    viewer: Account, customer_id: str, bans: Mapping[str, datetime | None]
) -> Customer:
    """The viewer's customer with other bans; only the given ones are written. Raises CustomerUnknown, Busy."""
    possible = len(customer_id) <= rules.LONGEST_TEXT
    for _ in steps.RETRY.attempts():
        customer = store.customer(viewer.id, customer_id) if possible else None
        if customer is None:
            raise CustomerUnknown(
                in_url(f"No customer {customer_id} found associated to user {viewer.email}")
            )
        changed = replace(customer, **bans)  # type: ignore[arg-type]  # the schema's names
        if changed == customer:
            return customer
        try:
            writes.change_customer(customer, changed)
        except Moved:
            continue
        return changed
    raise Busy(in_request("The customer keeps changing. Please try again."))
