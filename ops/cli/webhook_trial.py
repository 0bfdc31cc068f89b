"""`maraude account test-webhook`: an example hail, marked as a test, to an operator's address."""

import argparse
import json
import secrets
import time
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from ops.cli.emails import email
from ops.errors import CannotGoOn

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from chalicelib.taxis.access.rules import Record
    from chalicelib.taxis.hails.dispatch import Dispatch
    from chalicelib.taxis.hails.rules import Hail
    from chalicelib.taxis.hails.webhook import Outcome
    from chalicelib.taxis.vocabulary import Account

SHOWN = 500  # characters of an answer

# Where the hail would be, were it one: before the Hôtel de Ville in Paris.
CUSTOMER, TAXI = (2.3522, 48.8566), (2.3530, 48.8572)
MARK = "TEST - ne pas envoyer de taxi, do not send a taxi"


class NotTaken(CannotGoOn):
    """The operator's server did not take the example."""


def add_action(actions: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the action to those of `maraude account`."""
    action = actions.add_parser(
        "test-webhook", help="send it an example hail, marked as a test, and show what became of it"
    )
    action.add_argument("email", metavar="EMAIL", type=email)
    action.add_argument(
        "--taxi", metavar="ID", default="test", help="for a server that knows its taxis only"
    )
    action.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Sends it from this machine, as the registry would. Raises NotTaken, and CannotGoOn without an address."""
    from chalicelib.foundation import clock
    from chalicelib.taxis.hails import webhook
    from chalicelib.taxis.settings import settings
    from ops.cli import administration

    record = administration.find(arguments.email)
    if not record.hail_endpoint_production:
        raise CannotGoOn(
            f"{arguments.email} has no address for hails; it is set with "
            f"`maraude account add {arguments.email} --hail-url URL`."
        )
    known, now = settings(), clock.now()
    call = example(record, taxi_id=arguments.taxi, now=now)
    began_s = time.monotonic()
    outcome = webhook.send(
        call,
        now=now,
        limits=webhook.Limits(connect_s=known.hook_connect_s, exchange_s=known.hook_within_s),
        allow_loopback=known.allow_loopback_hooks,
        accept_empty=known.hook_accept_empty,
    )
    for line in lines(call, outcome, took_s=time.monotonic() - began_s):
        print(line)
    if outcome.failure is not None:
        raise NotTaken(f"Not taken: {outcome.failure}. A hail would be `failure` now.")


def example(record: "Record", *, taxi_id: str, now: datetime) -> "Dispatch":
    """A message that has all that a new hail's has [contract: Webhook]; what it is about does not exist.

    Its id, which is the `Idempotency-Key` too, begins with `test`, and so does the customer's.
    """
    from chalicelib.taxis.access import hooks
    from chalicelib.taxis.hails import presentation
    from chalicelib.taxis.hails.dispatch import Dispatch

    hail_id = f"test{secrets.token_hex(2)[:3]}"
    hail = _hail(record.account, hail_id, taxi_id, now)
    envelope = {"data": [presentation.hail_object(hail, viewer=None, last=None)]}
    return Dispatch(
        hail_id,
        *hooks.hook(record, now=now),
        operator_id=record.account.id,
        moteur_id=hail.moteur_id,
        body=json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode(),
    )


def lines(call: "Dispatch", outcome: "Outcome", *, took_s: float) -> Iterator[str]:
    """What was sent and what came back."""
    yield f"POST {call.url}: hail {call.hail_id}, signed, marked as a test"
    code = "no answer" if outcome.code is None else f"{outcome.code}"
    yield f"{code} after {took_s:.2f} s" + ("" if outcome.failure else ": taken")
    if outcome.taxi_phone_number:
        yield f"the driver's number: {outcome.taxi_phone_number}"
    if outcome.reply:
        yield f"the answer: {outcome.reply[:SHOWN]!r}"


def _hail(operator: "Account", hail_id: str, taxi_id: str, now: datetime) -> "Hail":
    from chalicelib.taxis.hails.rules import Hail, Status, Transition

    (customer_lon, customer_lat), (taxi_lon, taxi_lat) = CUSTOMER, TAXI
    return Hail(
        hail_id=hail_id,
        status=Status.RECEIVED,
        created_at=now,
        last_status_change=now,
        last_update_at=now,
        deadline=None,
        transitions=(Transition(None, Status.RECEIVED, now, None, None),),
        session_id="test",
        moteur_id=0,
        moteur="test",
        operateur_id=operator.id,
        operateur=operator.email,
        customer_id="test",
        customer_lon=customer_lon,
        customer_lat=customer_lat,
        customer_address=MARK,
        customer_phone_number="0000000000",
        taxi_id=taxi_id,
        shown_taxi_id=taxi_id,
        description_id="",
        initial_taxi_lon=taxi_lon,
        initial_taxi_lat=taxi_lat,
        licence_plate="TEST",
        color="",
        nb_seats=None,
        characteristics=(),
        first_name="",
        last_name="test",
    )
