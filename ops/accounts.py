"""`maraude account`: who may use the registry."""

import argparse
import json
import sys
from typing import TYPE_CHECKING

from ops import target
from ops.errors import CannotGoOn

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_ROLES = ("admin", "operateur", "moteur", "groupement", "editeur")


def add_parser(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command and its actions."""
    account = commands.add_parser("account", help="add, list, suspend accounts; rotate their keys")
    actions = account.add_subparsers(dest="action", required=True, metavar="ACTION")

    add = actions.add_parser(
        "add", help="add an account, or bring the one there is to what is given; prints its key"
    )
    add.add_argument("email", metavar="EMAIL", help="any identifier, not checked as an address")
    add.add_argument("--role", action="append", default=[], choices=_ROLES, dest="roles")
    add.add_argument("--manager", metavar="EMAIL", help="the account that may act as this one")
    add.add_argument("--name", metavar="TEXT", help="the name shown to people")
    add.add_argument("--hail-url", metavar="URL", help="where its hails are sent")
    add.add_argument("--hail-header", metavar="NAME", default="", help="a header sent with them")
    add.add_argument("--hail-value", metavar="VALUE", default="", help="and its value")
    add.set_defaults(run=_add)

    every = actions.add_parser("list", help="one JSON line an account, without keys")
    every.set_defaults(run=_list)

    for name, text, run in (
        ("suspend", "let its key open nothing any more, within a minute", _suspend),
        ("resume", "let it in again", _resume),
        (
            "rotate-key",
            "give it a new key and print it; the old one stops within a minute",
            _rotate,
        ),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("email", metavar="EMAIL")
        action.set_defaults(run=run)

    for action in actions.choices.values():
        target.add_arguments(action)


def _add(arguments: argparse.Namespace) -> None:
    from chalicelib.access import service
    from chalicelib.access.rules import Role

    hook = None
    if arguments.hail_url is not None:
        hook = (arguments.hail_url, arguments.hail_header, arguments.hail_value)
    elif arguments.hail_header or arguments.hail_value:
        raise CannotGoOn("--hail-header and --hail-value need --hail-url.")
    try:
        account, key = service.add(
            arguments.email,
            roles=[Role(role) for role in arguments.roles],
            name=arguments.name,
            manager=arguments.manager,
            hook=hook,
        )
    except service.AccountUnknown:
        raise _unknown(arguments.manager) from None
    print(json.dumps({"id": account.id, "email": account.email, "api_key": key}))


def _list(_: argparse.Namespace) -> None:
    from chalicelib.access import store

    records = sorted(store.every(), key=lambda record: record.account.id)
    emails = {record.account.id: record.account.email for record in records}
    for record in records:
        account = record.account
        line = {
            "id": account.id,
            "email": account.email,
            "name": record.name,
            "roles": sorted(account.roles),
            "manager": None if account.manager_id is None else emails.get(account.manager_id),
            "active": account.active,
            "hail_url": record.hail_endpoint_production,
        }
        print(json.dumps(line, ensure_ascii=False))
    print(f"{len(records)} accounts", file=sys.stderr)


def _suspend(arguments: argparse.Namespace) -> None:
    _set_active(arguments, active=False)
    print(f"{arguments.email} is suspended; its key opens nothing within a minute.")


def _resume(arguments: argparse.Namespace) -> None:
    _set_active(arguments, active=True)
    print(f"{arguments.email} is let in again.")


def _set_active(arguments: argparse.Namespace, *, active: bool) -> None:
    from chalicelib.access import service

    try:
        service.set_active(arguments.email, active=active)
    except service.AccountUnknown:
        raise _unknown(arguments.email) from None


def _rotate(arguments: argparse.Namespace) -> None:
    from chalicelib.access import service

    try:
        account, key = service.rotate_key(arguments.email)
    except service.AccountUnknown:
        raise _unknown(arguments.email) from None
    print(json.dumps({"id": account.id, "email": account.email, "api_key": key}))


def _unknown(email: str) -> CannotGoOn:
    return CannotGoOn(
        f"There is no account {email!r}; `maraude account list` shows those there are."
    )
