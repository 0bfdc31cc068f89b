"""What partners and queues ask of hails: to make one, to move it on, to end it in time.

Whoever reads a hail whose deadline has passed applies it first. A step that another came before is
decided anew on what that other left, so that no update is lost and the loser is told what won.
"""

import hashlib
import json
import logging
import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError
from msgspec import Struct, field
from msgspec.structs import asdict

from chalicelib.foundation.errors import (
    Conflict,
    Forbidden,
    Malformed,
    Unavailable,
    Unknown,
    in_body,
    in_request,
    in_url,
)
from chalicelib.foundation.observe import logs, metrics
from chalicelib.foundation.settings import settings
from chalicelib.foundation.store.reads import StoreBusy
from chalicelib.foundation.store.writes import Moved, pause
from chalicelib.foundation.values import replace
from chalicelib.taxis.access import service as access
from chalicelib.taxis.access.rules import Account, Role
from chalicelib.taxis.activity.rules import Action, Activity, Pending, Resource
from chalicelib.taxis.hails import lists, presentation, queue, rules, store
from chalicelib.taxis.hails.rules import (
    Customer,
    Hail,
    HailAsked,
    HailWanted,
    Status,
    Transition,
    Waits,
)
from chalicelib.taxis.hails.store import Before, Exchange, Replay, TaxiStep
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.positions.rules import LastPosition
from chalicelib.taxis.positions.service import Sighting
from chalicelib.taxis.registry import service as registry
from chalicelib.taxis.registry.rules import Description, Driver, Taxi, TaxiStatus, is_taxi_id
from chalicelib.taxis.search import service as search

TRIES = 14  # of a step that others are in the way of: 3 s in all

TASK_DISPATCH, TASK_DEADLINE = "send_request_operator", "handle_hail_timeout"

log = logging.getLogger("maraude.hails")


class TaxiGone(Unknown):
    """There is no such taxi, or its operator does not describe its vehicle."""


class CustomerBanned(Forbidden):
    """The moteur's customer is banned."""


class TaxiUnavailable(Malformed):
    """The taxi is not free, or has not been heard of lately."""


class SessionUnknown(Malformed):
    """The moteur has no such session with this customer."""


class KeyReused(Conflict):
    """The `Idempotency-Key` came with another body before."""


class HailUnknown(Unknown):
    """There is no such hail, or it is too old for this account."""


class HailForbidden(Forbidden):
    """The hail is other people's."""


class CustomerUnknown(Unknown):
    """The account has never hailed a taxi for this customer."""


class Busy(Unavailable):
    """Others kept changing the same thing; the request may be sent again."""


def _waits() -> Waits:
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


def _pause(tries: int) -> None:
    pause(min(tries, 5))


# --- a new hail ----------------------------------------------------------------------------------


def create(
    viewer: Account,
    wanted: HailWanted,
    *,
    key: str | None = None,
    entry: Pending | None = None,
    now: datetime,
) -> tuple[Hail, LastPosition | None]:
    """Hails a taxi: one transaction takes it, or nothing has happened (letaxi-api 15.2).

    Answers the hail and where its taxi is. `key` is the `Idempotency-Key`: with the same one and the
    same wish, the hail is the one that there is already. `entry` of the journal goes with it. Raises KeyReused, TaxiGone, CustomerBanned,
    TaxiUnavailable, SessionUnknown, Busy.
    """
    replay = None
    if key:
        wish = json.dumps(asdict(wanted), sort_keys=True)
        replay = Replay(viewer.id, key, hashlib.sha256(wish.encode()).hexdigest())
    for tries in range(TRIES):
        try:
            return _create(viewer, wanted, replay, entry, now=now)
        except Moved:
            _pause(tries)
    raise Busy(in_request("The taxi is much asked for. Please try again."))


def _create(
    viewer: Account,
    wanted: HailWanted,
    replay: Replay | None,
    entry: Pending | None,
    *,
    now: datetime,
) -> tuple[Hail, LastPosition | None]:
    taxi_id = search.real_id(wanted.taxi_id, viewer=viewer, now=now)
    gone = TaxiGone(in_body("operateur", f"Unable to find taxi {wanted.taxi_id} of the operator"))
    if not is_taxi_id(taxi_id):
        raise gone
    before = store.before(
        taxi_id,
        moteur_id=viewer.id,
        customer_id=wanted.customer_id,
        session_id=wanted.session_id,
        replay=replay,
        now=now,
    )
    if replay is not None and before.replayed is not None:
        hail = _replayed(before.replayed, replay, now=now)
        return hail, where_is_taxi(hail, now=now)
    if before.taxi is None:
        raise gone
    description, driver, [cells] = registry.crew(before.taxi, positions.trail_wanted(before.trail))
    if description is None or driver is None:
        raise gone
    if before.customer is not None and before.customer.is_banned(now):
        raise CustomerBanned(in_body("customer_id", "Customer is banned"))
    sighting = positions.sighting(before.trail, cells)
    last = _online(sighting.last(taxi_id, now=now), now=now)
    description = _free(description, now=now)
    session_id, is_new = _session(wanted, before, now=now)
    hail = _hail(viewer, wanted, before.taxi, description, driver, last, session_id, now=now)
    taken = description.hailed(rules.TAXI[hail.status], open_hail=hail.hail_id, now=now)
    hailed = Activity(
        now,
        Resource.CUSTOMER,
        hail.customer_id,
        Action.CUSTOMER_HAIL,
        {"taxi_id": hail.taxi_id, "hail_id": hail.hail_id},
    )
    store.create(
        hail,
        TaxiStep(description, taken),
        new_session=is_new,
        replay=replay,
        exchange=Exchange(
            at=now,
            method="POST",
            payload=presentation.log_text(asdict(wanted)),
            user=viewer.email,
            code=201,
            final_status=hail.status.value,
        ),
        done=[hailed] if entry is None else [hailed, entry.activity],
    )
    if entry is not None:
        entry.kept = True
    metrics.emit({"outcome": hail.status}, counts={"hails": 1}, about={"hail": hail.hail_id})
    _show(taken, now=now, sighting=sighting)
    queue.put_dispatch(hail.hail_id)
    _queue_deadline(hail, now=now)
    return hail, last


def _replayed(earlier: tuple[str, str], replay: Replay, *, now: datetime) -> Hail:
    hail_id, digest = earlier
    if digest != replay.digest:
        raise KeyReused(in_request("This Idempotency-Key has been used with another body before."))
    hail = current(hail_id, now=now)
    if hail is None:
        raise LookupError(f"hail {hail_id} was deleted within a day of its creation")
    return hail


def _online(last: LastPosition | None, *, now: datetime) -> LastPosition:
    """Where the taxi is. Raises TaxiUnavailable where it has not said lately."""
    if last is None:
        raise TaxiUnavailable(in_body("taxi_id", "Taxi is not online."))
    if now - last.seen_at > timedelta(seconds=settings().freshness_s):
        raise TaxiUnavailable(in_body("taxi_id", "Taxi is no longer online."))
    return last


def _free(description: Description, *, now: datetime) -> Description:
    """The free taxi's description, once a hail that is late has let it go. Raises TaxiUnavailable."""
    free = TaxiStatus.FREE
    if description.status is not free and description.open_hail is not None:
        holder = store.hail(description.open_hail)
        if holder is not None and holder.is_late(now):
            expire(holder.hail_id, now=now, way="read")
            description = registry.described(description.description_id) or description
    if description.status is not free:
        raise TaxiUnavailable(in_body("taxi_id", "Taxi is not free."))
    return description


def _session(wanted: HailWanted, before: Before, *, now: datetime) -> tuple[str, bool]:
    """The new hail's session, and whether it is a new one. Raises SessionUnknown."""
    if wanted.session_id is not None:
        known = before.session
        if known is None or known.customer_id != wanted.customer_id:
            raise SessionUnknown(in_body("session_id", "Unknown session for this customer"))
        return known.session_id, False
    good_for = timedelta(seconds=settings().session_s)
    current = before.customer and before.customer.session(now=now, good_for=good_for)
    return (current, False) if current else (str(uuid.uuid4()), True)


def _hail(
    viewer: Account,
    wanted: HailWanted,
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
        deadline=rules.deadline(status, now, _waits()),
        transitions=(Transition(None, status, now, viewer.id, None),),
        session_id=session_id,
        moteur_id=viewer.id,
        moteur=viewer.email,
        operateur_id=int(taxi.owner),
        operateur=taxi.operator,
        customer_id=wanted.customer_id,
        customer_lon=wanted.customer_lon,
        customer_lat=wanted.customer_lat,
        customer_address=wanted.customer_address,
        customer_phone_number=wanted.customer_phone_number,
        taxi_id=taxi.taxi_id,
        shown_taxi_id=wanted.taxi_id,
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


# --- one hail ------------------------------------------------------------------------------------


def find(viewer: Account, hail_id: str, *, now: datetime) -> Hail:
    """The hail, as it is now. Raises HailUnknown, HailForbidden."""
    hail = current(hail_id, now=now)
    kept = timedelta(days=settings().hail_visible_days)
    if hail is None or not rules.is_visible(hail.created_at, viewer, now=now, kept=kept):
        raise HailUnknown(in_url("Hail not found"))
    if not (viewer.has(Role.ADMIN) or hail.concerns(viewer)):
        raise HailForbidden(in_url("You do not have the permissions to view this hail"))
    return hail


def where_is_taxi(hail: Hail, *, now: datetime) -> LastPosition | None:
    """Where the hail's taxi is, for the two parties and as long as the hail is not over."""
    if not presentation.sees_taxi(hail.status):
        return None
    return positions.where_is([hail.taxi_id], now=now).get(hail.taxi_id)


def change(viewer: Account, hail: Hail, asked: HailAsked, *, now: datetime) -> Hail:
    """The hail after what an account asks of it (letaxi-api 15.5).

    Raises StepRefused, FieldRefused; both name the state that won where another was faster. Raises
    Busy.
    """
    for tries in range(TRIES):
        after = rules.changed(hail, asked, viewer=viewer, now=now, waits=_waits())
        if after is hail:
            return hail
        customers = _report(hail, after, now=now)
        exchange = Exchange(
            at=now,
            method="PUT",
            payload=presentation.log_text(asked),
            user=viewer.email,
            code=200,
            initial_status=hail.status.value,
            final_status=after.status.value,
        )
        try:
            return _write(hail, after, customers=customers, exchange=exchange, now=now)
        except Moved:
            _pause(tries)
        hail = current(hail.hail_id, now=now) or hail
    raise Busy(in_request("The hail keeps changing. Please try again."))


def _report(before: Hail, after: Hail, *, now: datetime) -> tuple[Customer, Customer] | None:
    """The customer before and after, where a report changes what they may do."""
    if before.reporting_customer == after.reporting_customer:
        return None
    customer = store.customer(before.moteur_id, before.customer_id)
    known = customer or Customer(before.moteur_id, before.customer_id)
    return known, rules.reported_by(before, after, known, now=now)


def current(hail_id: str, *, now: datetime) -> Hail | None:
    """The hail, its deadline applied."""
    hail = store.hail(hail_id) if rules.is_hail_id(hail_id) else None
    if hail is not None and hail.is_late(now):
        return expire(hail_id, now=now, way="read")
    return hail


def _write(
    before: Hail,
    after: Hail,
    *,
    now: datetime,
    customers: tuple[Customer, Customer] | None = None,
    exchange: Exchange | None = None,
    task: str | None = None,
) -> Hail:
    """Stores a step or another change with the taxi's part in it, and then shows it. Raises Moved.

    The taxi follows only while it is this hail's: its operator may have freed it meanwhile, and
    another hail taken it. `task` is the registry's own doing, in the journal's words.
    """
    taxi = _taxi_step(before, after, now=now)
    moved = taxi if taxi and taxi.before.status is not taxi.after.status else None
    stored = store.swap(
        before,
        after,
        taxi=taxi,
        customers=customers,
        exchange=exchange,
        done=_journal(after, moved, task=task, now=now) if moved else None,
    )
    if moved:
        _show(moved.after, now=now)
    if stored.status is not before.status:
        _queue_deadline(stored, now=now)
        metrics.emit(
            {"outcome": stored.status},
            counts={"hails": 1},
            about={"hail": stored.hail_id, "was": before.status},
        )
    return stored


def _taxi_step(before: Hail, after: Hail, *, now: datetime) -> TaxiStep | None:
    if after.status is before.status or after.status not in rules.TAXI:
        return None
    description = registry.described(before.description_id)
    if description is None or description.open_hail != before.hail_id:
        return None
    return TaxiStep(
        description,
        description.hailed(
            rules.TAXI[after.status],
            open_hail=None if after.status.is_over else before.hail_id,
            now=now,
        ),
    )


def _journal(hail: Hail, moved: TaxiStep, *, task: str | None, now: datetime) -> Activity:
    cause = {"task": task} if task else {"hail_id": hail.hail_id}
    statuses = {"old_status": moved.before.status.value, "new_status": moved.after.status.value}
    return Activity(now, Resource.TAXI, hail.taxi_id, Action.TAXI_STATUS, {**statuses, **cause})


def _show(description: Description, *, now: datetime, sighting: Sighting | None = None) -> None:
    """Shows the taxi's status; the hail is written by then, so no trouble here is the caller's."""
    try:
        registry.show(description, now=now, sighting=sighting)
    except (StoreBusy, ClientError, BotoCoreError) as error:
        logs.fault(log, error, "shown_by_the_stream", taxis=sorted(description.taxis))


def _queue_deadline(hail: Hail, *, now: datetime) -> None:
    if hail.deadline is not None:
        queue.put_deadline(hail.hail_id, hail.status, hail.deadline, now=now)


# --- what the registry does by itself ------------------------------------------------------------


class Dispatch(Struct, frozen=True):
    """A hail to send to its operator: the address, its header if it has a name, and the envelope."""

    hail_id: str
    url: str
    header_name: str
    header_value: str
    operator_id: int
    body: bytes


def dispatch(hail_id: str, *, now: datetime) -> Dispatch | None:
    """What to send to the hail's operator; None where nothing is to be sent (hail-lifecycle 10).

    A hail that is looked at too late, or whose operator has no address, has failed.
    """
    hail = store.hail(hail_id)
    if hail is None or hail.status is not Status.RECEIVED:
        return None
    within_s = settings().dispatch_within_s
    if now - hail.created_at > timedelta(seconds=within_s):
        undelivered(
            hail_id, reason=f"The job was called after more than {within_s} seconds", now=now
        )
        return None
    hook = access.hook_of(hail.operateur_id)
    if hook is None:
        undelivered(hail_id, reason="The operator has no address for hails", now=now)
        return None
    envelope = {"data": [presentation.hail_object(hail, viewer=None, last=None)]}
    body = json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode()
    return Dispatch(hail_id, hook.url, hook.header_name, hook.header_value, hail.operateur_id, body)


def delivered(hail_id: str, *, taxi_phone_number: str | None, now: datetime) -> None:
    """The operator has the hail; nothing where the hail has moved on meanwhile."""

    def taken(hail: Hail) -> Hail:
        return rules.answered(hail, taxi_phone_number=taxi_phone_number, now=now, waits=_waits())

    _step(hail_id, taken, task=TASK_DISPATCH, now=now)


def undelivered(hail_id: str, *, reason: str, now: datetime) -> None:
    """The operator could not be told; nothing where the hail has moved on meanwhile."""

    def failed(hail: Hail) -> Hail:
        return rules.failed(hail, reason=reason, now=now, waits=_waits())

    _step(hail_id, failed, task=TASK_DISPATCH, now=now)


def expire(hail_id: str, *, now: datetime, way: str) -> Hail | None:
    """The hail, its deadline applied if it has passed; None where there is no such hail.

    `way` is who looked: "read", "queue" or "sweep".
    """
    applied: list[Status] = []

    def late(hail: Hail) -> Hail:
        applied[:] = [hail.status] if hail.is_late(now) else []
        return rules.expired(hail, now=now, waits=_waits())

    hail = _step(hail_id, late, task=TASK_DEADLINE, now=now)
    if applied:
        metrics.emit(
            {"way": way}, counts={"deadlines": 1}, about={"expired": hail_id, "late": applied[0]}
        )
    return hail


def _step(hail_id: str, decide: Callable[[Hail], Hail], *, task: str, now: datetime) -> Hail | None:
    """The hail after what the registry decides on it as it is. Raises Busy."""
    for tries in range(TRIES):
        hail = store.hail(hail_id)
        if hail is None:
            return None
        after = decide(hail)
        if after is hail:
            return hail
        try:
            return _write(hail, after, task=task, now=now)
        except Moved:
            _pause(tries)
    raise Busy(in_request("The hail keeps changing. Please try again."))


class Swept(Struct, frozen=True):
    """What a sweep has done. `failed` could not be moved this time."""

    expired: int = 0
    failed: int = 0


def sweep(*, now: datetime) -> Swept:
    """Applies every deadline that has passed. One hail in trouble does not keep the others waiting."""
    swept = Swept()
    for hail_id in lists.late(now):
        try:
            expire(hail_id, now=now, way="sweep")
        except (Unavailable, StoreBusy, ClientError, BotoCoreError) as error:
            logs.fault(log, error, "left_for_the_next_sweep", hail=hail_id)
            swept = replace(swept, failed=swept.failed + 1)
        else:
            swept = replace(swept, expired=swept.expired + 1)
    return swept


def log_exchange(
    hail_id: str,
    *,
    payload: object,
    now: datetime,
    method: str = "POST to operator",
    user: str | None = None,
    code: int | None = None,
    answer: object = None,
    initial_status: Status | None = None,
    final_status: Status | None = None,
) -> None:
    """Adds to the hail's request log; telephone numbers are masked, long texts cut."""
    store.append_log(
        hail_id,
        Exchange(
            at=now,
            method=method,
            payload=presentation.log_text(payload),
            user=user,
            code=code,
            answer=None if answer is None else presentation.log_text(answer),
            initial_status=initial_status,
            final_status=final_status,
        ),
    )


class Story(Struct, frozen=True):
    """A hail, its transitions within, and its request log, oldest first."""

    hail: Hail
    exchanges: Sequence[Exchange] = field(default_factory=tuple)


def show(hail_id: str) -> Story:
    """All that is known of a hail, for the desk; its deadline is left alone. Raises HailUnknown."""
    hail = store.hail(hail_id) if rules.is_hail_id(hail_id) else None
    if hail is None:
        raise HailUnknown(in_url("Hail not found"))
    return Story(hail, store.log(hail_id))


# --- customers -----------------------------------------------------------------------------------


def change_customer(
    viewer: Account, customer_id: str, asked: Mapping[str, datetime | None]
) -> Customer:
    """The viewer's customer with other bans; only the given ones are written. Raises CustomerUnknown, Busy."""
    possible = len(customer_id) <= rules.LONGEST_TEXT
    for tries in range(TRIES):
        customer = store.customer(viewer.id, customer_id) if possible else None
        if customer is None:
            raise CustomerUnknown(
                in_url(f"No customer {customer_id} found associated to user {viewer.email}")
            )
        changed = replace(customer, **asked)  # type: ignore[arg-type]  # the schema's names
        if changed == customer:
            return customer
        try:
            store.change_customer(customer, changed)
        except Moved:
            _pause(tries)
        else:
            return changed
    raise Busy(in_request("The customer keeps changing. Please try again."))
