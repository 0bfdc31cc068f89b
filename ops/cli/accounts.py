"""`maraude account`: accounts, their keys, roles and managers."""

import argparse
import json
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

from ops.cli import account_keys, account_lists, asking, signing, target, webhook_trial
from ops.cli.durations import duration
from ops.cli.emails import email
from ops.errors import CannotGoOn

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from chalicelib.taxis.vocabulary import Account

_ROLES = ("admin", "operateur", "moteur", "groupement", "editeur")


def add_parser(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command and its actions."""
    account = commands.add_parser("account", help="add, list, export, change, suspend accounts")
    actions = account.add_subparsers(dest="action", required=True, metavar="ACTION")

    add = actions.add_parser(
        "add", help="add an account, or bring the one there is to what is given; prints its key"
    )
    add.add_argument(
        "email", metavar="EMAIL", type=email, help="any identifier, not checked as an address"
    )
    add.add_argument("--role", action="append", default=[], choices=_ROLES, dest="roles")
    add.add_argument(
        "--manager", metavar="EMAIL", type=email, help="the account that may act as this one"
    )
    add.add_argument("--name", metavar="TEXT", help="the name shown to people")
    add.add_argument("--hail-url", metavar="URL", help="where its hails are sent")
    add.add_argument("--hail-header", metavar="NAME", default="", help="a header sent with them")
    add.add_argument("--hail-value", metavar="VALUE", default="", help="and its value")
    add.add_argument("--fleet-size", metavar="N", type=_size, help="how many taxis it says it has")
    add.set_defaults(run=_add)

    roles = actions.add_parser("set-role", help="give it these roles and no others")
    roles.add_argument("email", metavar="EMAIL", type=email)
    roles.add_argument("--role", action="append", required=True, choices=_ROLES, dest="roles")
    roles.set_defaults(run=_set_roles)

    manager = actions.add_parser("set-manager", help="let another account act as it, or none")
    manager.add_argument("email", metavar="EMAIL", type=email)
    which = manager.add_mutually_exclusive_group(required=True)
    which.add_argument("--manager", metavar="EMAIL", type=email)
    which.add_argument("--none", action="store_true", help="nobody manages it any more")
    manager.set_defaults(run=_set_manager)

    size = actions.add_parser("set-fleet-size", help="how many taxis it says it has, or none said")
    size.add_argument("email", metavar="EMAIL", type=email)
    size_given = size.add_mutually_exclusive_group(required=True)
    size_given.add_argument("fleet_size", metavar="N", nargs="?", type=_size)
    size_given.add_argument("--none", action="store_true", help="it has not said how many")
    size.set_defaults(run=_set_fleet_size)

    account_lists.add_actions(actions)

    for name, text, run in (
        ("suspend", "let its key open nothing any more, within a minute", _suspend),
        ("resume", "let it in again", _resume),
        (
            "rotate-key",
            "give it a new key and print it; the old one stops within a minute, or after --overlap",
            account_keys.rotate,
        ),
        (
            "revoke-old-key",
            "let the key of before its last rotation stop within a minute",
            account_keys.revoke,
        ),
        (
            "set-password",
            "give it a password for the console: asked for, or the first line of standard input",
            account_keys.set_password,
        ),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("email", metavar="EMAIL", type=email)
        action.set_defaults(run=run)

    actions.choices["rotate-key"].add_argument(
        "--overlap",
        metavar="TIME",
        type=duration,
        default=timedelta(0),
        help="for how long the old key opens as well: 30m, 24h, 7d",
    )
    actions.choices["rotate-key"].add_argument(
        "--keep-password",
        action="store_true",
        help="where nobody else can have had the key; else its password goes with it",
    )
    for action in (add, roles, manager):
        asking.add_argument(action)
    signing.add_actions(actions)
    webhook_trial.add_action(actions)
    for action in actions.choices.values():
        target.add_arguments(action)


def _add(arguments: argparse.Namespace) -> None:
    from chalicelib.foundation import clock
    from chalicelib.foundation.outbound.headers import NameRefused, ValueRefused
    from chalicelib.taxis.vocabulary import Role
    from ops.cli import account_effects, administration

    hook = None
    if arguments.hail_url is not None:
        hook = (arguments.hail_url, arguments.hail_header, arguments.hail_value)
    elif arguments.hail_header or arguments.hail_value:
        raise CannotGoOn("--hail-header and --hail-value need --hail-url.")
    roles = frozenset(map(Role, arguments.roles))
    there = administration.known(arguments.email)
    manager = administration.find(arguments.manager).account if arguments.manager else None
    effects: list[str] = []
    if there is not None:
        others = {
            "the manager": arguments.manager,
            "the name": arguments.name,
            "the webhook": arguments.hail_url,
            "a fleet of": arguments.fleet_size,
        }
        effects += account_effects.of_adding(there, roles, others)
    before = there.account if there else None
    effects += account_effects.of_opening(
        arguments.email,
        before,
        roles=roles | (before.roles if before else frozenset()),
        manager=manager or (_manager_of(before) if before else None),
    )
    asking.confirm(arguments, *effects)
    try:
        account, key = administration.add(
            arguments.email,
            roles=roles,
            name=arguments.name,
            manager=arguments.manager,
            hook=hook,
            fleet_size=arguments.fleet_size,
            now=clock.now(),
        )
    except NameRefused as refused:
        raise CannotGoOn(f"--hail-header: {refused}") from None
    except ValueRefused as refused:
        raise CannotGoOn(f"--hail-value: {refused}") from None
    print(json.dumps({"id": account.id, "email": account.email, "api_key": key}))
    if not account.roles:
        print(
            f"{account.email} has no role: it may neither search, nor hail, nor register taxis. "
            f"`maraude account set-role {account.email} --role ROLE` gives it one.",
            file=sys.stderr,
        )


def _manager_of(account: "Account") -> "Account | None":
    from chalicelib.taxis.access import store

    manager = None if account.manager_id is None else store.by_id(account.manager_id)
    return manager.account if manager else None


def _set_roles(arguments: argparse.Namespace) -> None:
    from chalicelib.taxis.vocabulary import Role
    from ops.cli import account_effects, administration

    before = administration.find(arguments.email).account
    roles = frozenset(map(Role, arguments.roles))
    effects = account_effects.of_opening(
        before.email, before, roles=roles, manager=_manager_of(before)
    )
    asking.confirm(arguments, *effects)
    account = administration.set_roles(arguments.email, roles)
    print(f"{account.email} is {', '.join(sorted(account.roles))}, within a minute.")


def _set_manager(arguments: argparse.Namespace) -> None:
    from ops.cli import account_effects, administration

    before = administration.find(arguments.email).account
    if arguments.manager:
        manager = administration.find(arguments.manager).account
        effects = account_effects.of_opening(
            before.email, before, roles=before.roles, manager=manager
        )
        asking.confirm(arguments, *effects)
    administration.set_manager(arguments.email, arguments.manager)
    print(f"{arguments.manager or 'Nobody'} manages {arguments.email}, within a minute.")


def _set_fleet_size(arguments: argparse.Namespace) -> None:
    from ops.cli import administration

    administration.set_fleet_size(arguments.email, arguments.fleet_size)
    if arguments.none:
        print(f"{arguments.email} has not said how many taxis it has.")
    else:
        print(f"{arguments.email} says it has {arguments.fleet_size} taxis.")


def _size(text: str) -> int:
    size = int(text)
    if size < 0:
        raise ValueError(text)
    return size


def _suspend(arguments: argparse.Namespace) -> None:
    _set_active(arguments, active=False)
    print(f"{arguments.email} is suspended; its key opens nothing within a minute.")


def _resume(arguments: argparse.Namespace) -> None:
    _set_active(arguments, active=True)
    print(f"{arguments.email} is let in again.")


def _set_active(arguments: argparse.Namespace, *, active: bool) -> None:
    from ops.cli import administration

    administration.set_active(arguments.email, active=active)
