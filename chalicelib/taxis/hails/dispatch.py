"""Dispatch of hails to their operators: the message, its outcome, and the request log."""

import json
from datetime import datetime, timedelta

from msgspec import Struct

from chalicelib.taxis.access import service as access
from chalicelib.taxis.hails import lifecycle, presentation, request_log, shares, steps, store
from chalicelib.taxis.hails.request_log import Exchange
from chalicelib.taxis.hails.rules import Hail, Status
from chalicelib.taxis.settings import settings

TASK = "send_request_operator"  # in the journal


class Dispatch(Struct, frozen=True):
    """A hail to send to its operator: the address, its header if it has a name, what signs, the envelope."""

    hail_id: str
    url: str
    header_name: str
    header_value: str
    signing_secrets: tuple[str, ...]
    operator_id: int
    moteur_id: int
    body: bytes


def prepare(
    hail_id: str, *, now: datetime, waiting_since: datetime | None = None
) -> Dispatch | None:
    """The message to the hail's operator; None where nothing is to be sent [contract: Webhook].

    A hail that is looked at too late, or whose operator has no address, has failed; so has one that has
    waited for a lane to its operator (`waiting_since`) until a call could no longer end in time.
    """
    hail = store.hail(hail_id)
    if hail is None or hail.status is not Status.RECEIVED:
        return None
    within, call = (
        timedelta(seconds=limit_s)
        for limit_s in (settings().dispatch_within_s, settings().hook_within_s)
    )
    if shares.is_too_late(hail, waiting_since=waiting_since, now=now, within=within):
        fail(
            hail_id, reason=f"The job was called after more than {within.seconds} seconds", now=now
        )
        return None
    if waiting_since is not None and not shares.has_time_for(hail, call, now=now):
        fail(hail_id, reason="The operator's server was too busy with other hails", now=now)
        return None
    hook = access.hook_of(hail.operateur_id, now=now)
    if hook is None:
        fail(hail_id, reason="The operator has no address for hails", now=now)
        return None
    envelope = {"data": [presentation.hail_object(hail, viewer=None, last=None)]}
    body = json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode()
    return Dispatch(
        hail_id, *hook, operator_id=hail.operateur_id, moteur_id=hail.moteur_id, body=body
    )


def confirm(hail_id: str, *, taxi_phone_number: str | None, now: datetime) -> None:
    """Moves the hail on, which its operator has taken; nothing where it has moved on meanwhile."""

    def deliver(hail: Hail) -> Hail:
        return lifecycle.deliver(
            hail, taxi_phone_number=taxi_phone_number, now=now, waits=steps.waits()
        )

    steps.advance(hail_id, deliver, task=TASK, now=now)


def fail(hail_id: str, *, reason: str, now: datetime) -> None:
    """Ends the hail, which its operator has not taken; nothing where it has moved on meanwhile."""

    def give_up(hail: Hail) -> Hail:
        return lifecycle.fail(hail, reason=reason, now=now, waits=steps.waits())

    steps.advance(hail_id, give_up, task=TASK, now=now)


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
    request_log.append(
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
