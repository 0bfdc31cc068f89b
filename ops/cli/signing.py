"""`maraude account webhook-secret` and its rotation: what hails to an operator are signed with."""

import argparse
import json
from datetime import timedelta
from typing import TYPE_CHECKING

from ops.cli.durations import duration
from ops.cli.emails import email

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from chalicelib.taxis.access.rules import Record


def add_actions(actions: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the two actions to those of `maraude account`."""
    show = actions.add_parser(
        "webhook-secret", help="print what the hails sent to it are signed with, newest first"
    )
    show.set_defaults(run=_show)
    rotate = actions.add_parser(
        "rotate-webhook-secret", help="sign its hails with another secret, and print all that sign"
    )
    rotate.add_argument(
        "--overlap",
        metavar="TIME",
        type=duration,
        default=timedelta(days=7),
        help="for how long the secret of before signs as well: 30m, 24h, 7d (the default)",
    )
    rotate.set_defaults(run=_rotate)
    for action in (show, rotate):
        action.add_argument("email", metavar="EMAIL", type=email)


def _show(arguments: argparse.Namespace) -> None:
    from ops.cli import administration

    _print(administration.find(arguments.email))


def _rotate(arguments: argparse.Namespace) -> None:
    from chalicelib.foundation import clock
    from ops.cli import administration

    record = administration.rotate_signing_secret(
        arguments.email, now=clock.now(), overlap=arguments.overlap
    )
    _print(record)


def _print(record: "Record") -> None:
    from chalicelib.foundation import clock
    from chalicelib.taxis.access import hooks

    account = record.account
    secrets = hooks.signing_secrets(record, now=clock.now())
    print(json.dumps({"id": account.id, "email": account.email, "webhook_secrets": secrets}))
