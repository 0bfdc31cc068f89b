"""New hails: a free taxi, taken for a customer in one transaction."""

import hashlib
import json
import secrets
import uuid
from datetime import datetime, timedelta

from msgspec.structs import asdict

from chalicelib.foundation.errors import (
    Conflict,
    Forbidden,
    Malformed,
    Refusal,
    Unknown,
    in_body,
    in_request,
)
from chalicelib.foundation.observe import metrics
from chalicelib.foundation.store import reads
from chalicelib.foundation.store.writes import Moved
from chalicelib.taxis.hails import expiry, lookup, presentation, queue, rules, steps, store, writes
from chalicelib.taxis.hails.request_log import Exchange
from chalicelib.taxis.hails.rules import Busy, Hail, HailRequest, Status, Transition
from chalicelib.taxis.hails.store import Context, Replay
from chalicelib.taxis.hails.writes import TaxiStep
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.positions.rules import LastPosition
from chalicelib.taxis.registry import service as registry
from chalicelib.taxis.registry.rules import Description, Driver, Taxi
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import (
    Account,
    Action,
    Activity,
    Pending,
    Resource,
    TaxiStatus,
    is_taxi_id,
)


class TaxiGone(Unknown):
    """There is no such taxi, or its operator does not describe its vehicle."""


class CustomerBanned(Forbidden):
    """The moteur's customer is banned."""


class TaxiUnavailable(Malformed):
    """The taxi is not free, or not online."""


class SessionUnknown(Malformed):
    """The moteur has no such session with this customer."""


class KeyReused(Conflict):
    """The `Idempotency-Key` came with another body before."""


def create_hail(
    viewer: Account,
    request: HailRequest,
    *,
    key: str | None = None,
    entry: Pending | None = None,
    now: datetime,
) -> tuple[Hail, LastPosition | None]:
    """Hails a taxi: one transaction takes it, or nothing has happened [contract: Hailing].

    Answers the hail and where its taxi is. `key` is the `Idempotency-Key`: with the same one and the
    same request, the hail is the one that there is already. `entry` is the request's own in the
    journal, which goes with the transaction. Raises KeyReused, TaxiGone, CustomerBanned,
    TaxiUnavailable, SessionUnknown, Busy.
    """
    replay = None
    if key:
        body = json.dumps(asdict(request), sort_keys=True)
        replay = Replay(viewer.id, key, hashlib.sha256(body.encode()).hexdigest())
    for _ in steps.RETRY.attempts():
        try:
            return _create(viewer, request, replay, entry, now=now)
        except Moved:
            continue
        except Refusal:
            # What refuses this request may be its twin's success: then the twin's hail is the answer.
            earlier = replay and store.earlier(replay, now=now)
            if not (replay and earlier):
                raise
            return _answer_of_replay(earlier, replay, now=now)
    raise Busy(in_request("The taxi is much asked for. Please try again."))


def _create(
    viewer: Account,
    request: HailRequest,
    replay: Replay | None,
    entry: Pending | None,
    *,
    now: datetime,
) -> tuple[Hail, LastPosition | None]:
    taxi_id = registry.real_id(request.taxi_id, viewer=viewer, now=now)
    gone = TaxiGone(in_body("operateur", f"Unable to find taxi {request.taxi_id} of the operator"))
    if not is_taxi_id(taxi_id):
        raise gone
    context = store.context(
        taxi_id,
        moteur_id=viewer.id,
        customer_id=request.customer_id,
        session_id=request.session_id,
        replay=replay,
        now=now,
    )
    if replay is not None and context.earlier is not None:
        return _answer_of_replay(context.earlier, replay, now=now)
    if context.taxi is None:
        raise gone
    description, driver, sighting = reads.read(
        registry.description_of(context.taxi),
        registry.driver_of(context.taxi),
        positions.sighting(context.trail),
    )
    if description is None or driver is None:
        raise gone
    if context.customer is not None and context.customer.is_banned(now):
        raise CustomerBanned(in_body("customer_id", "Customer is banned"))
    last = _online(sighting.last(taxi_id, now=now), now=now)
    descriptions = _free(description, now=now)
    description = descriptions[0]
    session_id, is_new = _session(request, context, now=now)
    hail = _hail(viewer, request, context.taxi, description, driver, last, session_id, now=now)
    taken = [_taken(one, hail, now=now) for one in descriptions]
    activity = Activity(
        now,
        Resource.CUSTOMER,
        hail.customer_id,
        Action.CUSTOMER_HAIL,
        {"taxi_id": hail.taxi_id, "hail_id": hail.hail_id},
    )
    writes.create(
        hail,
        taken,
        new_session=is_new,
        replay=replay,
        exchange=Exchange(
            at=now,
            method="POST",
            payload=presentation.log_text(asdict(request)),
            user=viewer.email,
            code=201,
            final_status=hail.status.value,
        ),
        activities=[activity] if entry is None else [activity, entry.activity],
    )
    if entry is not None:
        entry.kept = True
    metrics.emit({"outcome": hail.status}, counts={"hails": 1}, about={"hail": hail.hail_id})
    steps.show_taxi(taken[0].after, now=now, sighting=sighting)
    for other in taken[1:]:
        steps.show_taxi(other.after, now=now)
    queue.put_dispatch(hail.hail_id)
    steps.queue_deadline(hail, now=now)
    return hail, last


def _answer_of_replay(
    earlier: tuple[str, str], replay: Replay, *, now: datetime
) -> tuple[Hail, LastPosition | None]:
    hail_id, digest = earlier
    if digest != replay.digest:
        raise KeyReused(in_request("This Idempotency-Key has been used with another body before."))
    hail = lookup.current(hail_id, now=now)
    if hail is None:
        raise LookupError(f"hail {hail_id} was deleted within a day of its creation")
    return hail, lookup.where_is_taxi(hail, now=now)


def _online(last: LastPosition | None, *, now: datetime) -> LastPosition:
    """Where the taxi is. Raises TaxiUnavailable where it has not reported lately."""
    if last is None:
        raise TaxiUnavailable(in_body("taxi_id", "Taxi is not online."))
    if now - last.seen_at > timedelta(seconds=settings().freshness_s):
        raise TaxiUnavailable(in_body("taxi_id", "Taxi is no longer online."))
    return last


def _free(description: Description, *, now: datetime) -> list[Description]:
    """The descriptions of the free taxi's vehicle, its own first, after a late hail of it is expired.

    A vehicle makes one ride at a time, whoever describes it. Raises TaxiUnavailable.
    """
    found = registry.of_same_vehicle(description)
    holders = {one.open_hail for one in found if one.open_hail is not None}
    late = [hail for hail in store.hails(holders).values() if hail.is_late(now)] if holders else []
    for hail in late:
        expiry.expire(hail.hail_id, now=now, way="read")
    if late:
        found = registry.of_same_vehicle(
            registry.described(description.description_id) or description
        )
    if found[0].status is not TaxiStatus.FREE or any(one.open_hail for one in found):
        raise TaxiUnavailable(in_body("taxi_id", "Taxi is not free."))
    return found


def _taken(description: Description, hail: Hail, *, now: datetime) -> TaxiStep:
    """The hold of a new hail on a description; one that another operator has, off or occupied, stays so."""
    free, taken = TaxiStatus.FREE, rules.TAXI[hail.status]
    status = taken if description.status is free else description.status
    return TaxiStep(description, description.hailed(status, open_hail=hail.hail_id, now=now))


def _session(request: HailRequest, context: Context, *, now: datetime) -> tuple[str, bool]:
    """The new hail's session, and whether it is a new one. Raises SessionUnknown."""
    if request.session_id is not None:
        known = context.session
        if known is None or known.customer_id != request.customer_id:
            raise SessionUnknown(in_body("session_id", "Unknown session for this customer"))
        return known.session_id, False
    good_for = timedelta(seconds=settings().session_s)
    current = context.customer and context.customer.session(now=now, good_for=good_for)
    return (current, False) if current else (str(uuid.uuid4()), True)


def _hail(
    viewer: Account,
    request: HailRequest,
    taxi: Taxi,
    description: Description,
    driver: Driver,
    last: LastPosition,
    session_id: str,
    *,
    now: datetime,
) -> Hail:
    status, vehicle = Status.RECEIVED, description.vehicle
    return Hail(
        hail_id=secrets.token_hex(4)[:7],
        status=status,
        created_at=now,
        last_status_change=now,
        last_update_at=now,
        deadline=rules.deadline(status, now, steps.waits()),
        transitions=(Transition(None, status, now, viewer.id, None),),
        session_id=session_id,
        moteur_id=viewer.id,
        moteur=viewer.email,
        operateur_id=int(taxi.owner),
        operateur=taxi.operator,
        customer_id=request.customer_id,
        customer_lon=request.customer_lon,
        customer_lat=request.customer_lat,
        customer_address=request.customer_address,
        customer_phone_number=request.customer_phone_number,
        taxi_id=taxi.taxi_id,
        shown_taxi_id=request.taxi_id,
        description_id=taxi.description_id,
        initial_taxi_lon=last.point.lng,
        initial_taxi_lat=last.point.lat,
        licence_plate=vehicle.licence_plate,
        color=vehicle.color or "",
        nb_seats=vehicle.nb_seats,
        characteristics=vehicle.characteristics,
        first_name=driver.first_name,
        last_name=driver.last_name,
    )
