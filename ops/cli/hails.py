"""`maraude hail`: one hail with its transitions and request log."""

import argparse
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from ops.cli import target
from ops.errors import CannotGoOn

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from chalicelib.taxis.hails.request_log import Exchange
    from chalicelib.taxis.hails.rules import Transition
    from chalicelib.taxis.hails.service import History


def add_parser(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command and its action."""
    hail = commands.add_parser("hail", help="show what became of a hail")
    actions = hail.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = actions.add_parser("show", help="the hail, its steps and its requests, oldest first")
    show.add_argument("hail_id", metavar="ID")
    target.add_arguments(show)
    show.set_defaults(run=_show)


def _show(arguments: argparse.Namespace) -> None:
    from chalicelib.taxis.hails import rules, service

    try:
        history = service.history(arguments.hail_id)
    except rules.HailUnknown:
        raise CannotGoOn(f"There is no hail {arguments.hail_id!r}.") from None
    for line in lines(history):
        print(line)


def lines(history: "History") -> Iterator[str]:
    """The hail in a few lines, then its events, oldest first; no telephone number."""
    hail = history.hail
    deadline = "" if hail.deadline is None else f", until {_at(hail.deadline)} at most"
    yield f"hail {hail.hail_id} is {hail.status}{deadline}"
    yield f"taxi {hail.taxi_id} ({hail.licence_plate}) of {hail.operateur}, account {hail.operateur_id}"
    yield f"customer {hail.customer_id!r} of {hail.moteur}, account {hail.moteur_id}"
    yield f"session {hail.session_id}"
    steps = [(step.at, _step(step)) for step in hail.transitions]
    requests = [(exchange.at, _request(exchange)) for exchange in history.exchanges]
    for at, text in sorted(steps + requests, key=lambda event: event[0]):
        yield f"{_at(at)}  {text}"


def _at(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="milliseconds").replace("+00:00", "Z")


def _step(step: "Transition") -> str:
    by = "the registry" if step.user is None else f"account {step.user}"
    why = f" ({step.reason})" if step.reason else ""
    return f"becomes {step.to_status}, by {by}{why}"


def _request(exchange: "Exchange") -> str:
    parts = [exchange.method]
    if exchange.user:
        parts.append(f"by {exchange.user}")
    parts.append(exchange.payload)
    if exchange.code is not None or exchange.answer:
        parts.append("->")
        parts += [str(part) for part in (exchange.code, exchange.answer) if part]
    return " ".join(parts)
