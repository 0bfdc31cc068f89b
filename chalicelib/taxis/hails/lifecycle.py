"""Steps and changes of a hail, by the tables of `rules`: pure."""

from datetime import datetime

from chalicelib.foundation.errors import in_body
from chalicelib.foundation.values import replace
from chalicelib.taxis.hails.rules import (
    FIELDS,
    LATE,
    STEPS,
    Customer,
    FieldRefused,
    Hail,
    HailChange,
    Party,
    Status,
    StepRefused,
    Transition,
    Waits,
    deadline,
)
from chalicelib.taxis.vocabulary import Account, Role


def step(
    hail: Hail,
    to: Status,
    *,
    now: datetime,
    waits: Waits,
    user: int | None = None,
    reason: str | None = None,
) -> Hail:
    """The hail after a step of `STEPS`, its log never running backwards. Raises ValueError for no step."""
    if to not in STEPS.get(hail.status, {}):
        raise ValueError(f"a hail that is {hail.status} cannot become {to}")
    at = max(now, hail.last_status_change)
    return replace(
        hail,
        status=to,
        last_status_change=at,
        last_update_at=at,
        deadline=deadline(to, at, waits),
        transitions=(*hail.transitions, Transition(hail.status, to, at, user, reason)),
    )


def apply_deadline(hail: Hail, *, now: datetime, waits: Waits) -> Hail:
    """The hail with its deadline applied, if that has passed; else itself."""
    if not hail.is_late(now):
        return hail
    return step(hail, LATE[hail.status], now=now, waits=waits, reason="timeout")


def deliver(hail: Hail, *, taxi_phone_number: str | None, now: datetime, waits: Waits) -> Hail:
    """The hail after its operator's server took it; itself where its status has changed."""
    if hail.status is not Status.RECEIVED:
        return hail
    taken = step(hail, Status.RECEIVED_BY_OPERATOR, now=now, waits=waits)
    return replace(taken, taxi_phone_number=taxi_phone_number or hail.taxi_phone_number)


def fail(hail: Hail, *, reason: str, now: datetime, waits: Waits) -> Hail:
    """The hail after its operator's server failed; itself where its status has changed."""
    if hail.status is not Status.RECEIVED:
        return hail
    return step(hail, Status.FAILURE, now=now, waits=waits, reason=reason)


def _acts_as(viewer: Account, party: Party, hail: Hail) -> bool:
    """Whether the account is this party of the hail; an admin is both [contract: Parties of a hail]."""
    if viewer.has(Role.ADMIN):
        return True
    return viewer.id == (hail.moteur_id if party is Party.MOTEUR else hail.operateur_id)


_ROLES = {Party.MOTEUR: Role.MOTEUR, Party.OPERATEUR: Role.OPERATEUR}


def apply_change(
    hail: Hail, update: HailChange, *, viewer: Account, now: datetime, waits: Waits
) -> Hail:
    """The hail after an update by an account; itself where nothing differs.

    Status first, then the operateur's fields, then the moteur's [contract: Changing a hail]. Raises StepRefused, FieldRefused.
    """
    after = hail
    to = update.get("status", hail.status)
    if to is not hail.status:
        phone = update.get("taxi_phone_number") or hail.taxi_phone_number
        _check_step(hail, to, phone=phone, viewer=viewer)
        after = step(hail, to, now=now, waits=waits, user=viewer.id)
        if to is Status.ACCEPTED_BY_TAXI:
            after = replace(after, taxi_phone_number=phone)
    differing = {
        field: update[field]  # type: ignore[literal-required]  # a key of both
        for field in FIELDS
        if field in update and update[field] != getattr(hail, field)  # type: ignore[literal-required]
    }
    for field in differing:
        if not _acts_as(viewer, FIELDS[field], hail):
            raise FieldRefused(in_body(field, f"No permission to change {field}"))
    if differing:
        at = max(now, hail.last_update_at)
        after = replace(after, **differing, last_update_at=at)
    return after


def _check_step(hail: Hail, to: Status, *, phone: str, viewer: Account) -> None:
    """Raises StepRefused; the first of the contract's reasons that applies."""

    def refuse(why: str) -> None:
        raise StepRefused(in_body("status", why))

    if hail.status.is_over:
        refuse(f"Hail is {hail.status}, which is final: it cannot become {to}")
    if to is Status.ACCEPTED_BY_TAXI and not phone:
        refuse("Phone number not provided")
    party = STEPS[hail.status].get(to, Party.REGISTRY)
    if party is Party.REGISTRY:
        refuse(f"Impossible to change status from {hail.status} to {to}")
    elif not (_acts_as(viewer, party, hail) and viewer.has(Role.ADMIN, _ROLES[party])):
        refuse(f"Permission {party} of this hail is required to change status to {to}")


def apply_report(before: Hail, after: Hail, customer: Customer, *, now: datetime) -> Customer:
    """The customer after a change of a hail: only a change of `reporting_customer` counts."""
    if before.reporting_customer == after.reporting_customer:
        return customer
    return customer.reported(now=now) if after.reporting_customer else customer.cleared()


REDACTED = "[REDACTED]"


def blur(
    hail: Hail, customer: tuple[float, float], taxi: tuple[float, float], *, customer_id: str
) -> Hail:
    """The hail without personal data; the points (lon, lat) and the id replace those it had."""
    return replace(
        hail,
        customer_id=customer_id,
        customer_lon=customer[0],
        customer_lat=customer[1],
        initial_taxi_lon=taxi[0],
        initial_taxi_lat=taxi[1],
        customer_address=REDACTED,
        customer_phone_number=REDACTED,
        taxi_phone_number=REDACTED,
        blurred=True,
    )
