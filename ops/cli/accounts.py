"""`maraude account`: accounts, their keys, roles and managers."""

import argparse
import csv
import getpass
import json
import re
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

from ops.cli import target, webhook_trial
from ops.errors import CannotGoOn

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_ROLES = ("admin", "operateur", "moteur", "groupement", "editeur")


def add_parser(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command and its actions."""
    account = commands.add_parser("account", help="add, list, export, change, suspend accounts")
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
    add.add_argument("--fleet-size", metavar="N", type=_size, help="how many taxis it says it has")
    add.set_defaults(run=_add)

    roles = actions.add_parser("set-role", help="give it these roles and no others")
    roles.add_argument("email", metavar="EMAIL")
    roles.add_argument("--role", action="append", required=True, choices=_ROLES, dest="roles")
    roles.set_defaults(run=_set_roles)

    manager = actions.add_parser("set-manager", help="let another account act as it, or none")
    manager.add_argument("email", metavar="EMAIL")
    which = manager.add_mutually_exclusive_group(required=True)
    which.add_argument("--manager", metavar="EMAIL")
    which.add_argument("--none", action="store_true", help="nobody manages it any more")
    manager.set_defaults(run=_set_manager)

    size = actions.add_parser("set-fleet-size", help="how many taxis it says it has, or none said")
    size.add_argument("email", metavar="EMAIL")
    size_given = size.add_mutually_exclusive_group(required=True)
    size_given.add_argument("fleet_size", metavar="N", nargs="?", type=_size)
    size_given.add_argument("--none", action="store_true", help="it has not said how many")
    size.set_defaults(run=_set_fleet_size)

    export = actions.add_parser("export", help="CSV of all accounts, without keys")
    export.set_defaults(run=_export)

    every = actions.add_parser("list", help="one JSON line an account, without keys")
    every.set_defaults(run=_list)

    for name, text, run in (
        ("suspend", "let its key open nothing any more, within a minute", _suspend),
        ("resume", "let it in again", _resume),
        (
            "rotate-key",
            "give it a new key and print it; the old one stops within a minute, or after --overlap",
            _rotate,
        ),
        ("revoke-old-key", "let the key of before its last rotation stop within a minute", _revoke),
        (
            "set-password",
            "give it a password for the console: asked for, or the first line of standard input",
            _set_password,
        ),
        ("webhook-secret", "print what the hails sent to it are signed with", _secret),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("email", metavar="EMAIL")
        action.set_defaults(run=run)

    actions.choices["rotate-key"].add_argument(
        "--overlap",
        metavar="TIME",
        type=_time,
        default=timedelta(0),
        help="for how long the old key opens as well: 30m, 24h, 7d",
    )
    webhook_trial.add_action(actions)
    for action in actions.choices.values():
        target.add_arguments(action)


def _add(arguments: argparse.Namespace) -> None:
    from chalicelib.foundation import clock
    from chalicelib.taxis.vocabulary import Role
    from ops.cli import administration

    hook = None
    if arguments.hail_url is not None:
        hook = (arguments.hail_url, arguments.hail_header, arguments.hail_value)
    elif arguments.hail_header or arguments.hail_value:
        raise CannotGoOn("--hail-header and --hail-value need --hail-url.")
    try:
        account, key = administration.add(
            arguments.email,
            roles=[Role(role) for role in arguments.roles],
            name=arguments.name,
            manager=arguments.manager,
            hook=hook,
            fleet_size=arguments.fleet_size,
            now=clock.now(),
        )
    except administration.AccountUnknown:
        raise _unknown(arguments.manager) from None
    print(json.dumps({"id": account.id, "email": account.email, "api_key": key}))


def _list(_: argparse.Namespace) -> None:
    from chalicelib.foundation import clock
    from chalicelib.taxis.access import store

    now = clock.now()
    records = sorted(store.every(), key=lambda record: record.account.id)
    emails = {record.account.id: record.account.email for record in records}
    for record in records:
        account = record.account
        old_key = record.old_key_at(now)
        line = {
            "id": account.id,
            "email": account.email,
            "name": record.name,
            "roles": sorted(account.roles),
            "manager": None if account.manager_id is None else emails.get(account.manager_id),
            "active": account.active,
            "fleet_size": record.fleet_size,
            "hail_url": record.hail_endpoint_production,
            "old_key_until": old_key.until.isoformat() if old_key else None,
        }
        print(json.dumps(line, ensure_ascii=False))
    print(f"{len(records)} accounts", file=sys.stderr)


_COLUMNS = (
    *("id", "email", "name", "roles", "manager", "active", "fleet_size", "has_password"),
    *("hail_url", "email_customer", "email_technical"),
    *("phone_number_customer", "phone_number_technical"),
)
# What a spreadsheet would take for a formula, and what only looks like one: a phone number.
_FORMULA, _PHONE = re.compile(r"[=+\-@\t\r]"), re.compile(r"\+?[\d ().-]+")


def _export(_: argparse.Namespace) -> None:
    from chalicelib.taxis.access import store

    records = sorted(store.every(), key=lambda record: record.account.id)
    emails = {record.account.id: record.account.email for record in records}
    lines = csv.writer(sys.stdout, lineterminator="\n")
    lines.writerow(_COLUMNS)
    for record in records:
        account = record.account
        manager = "" if account.manager_id is None else emails.get(account.manager_id, "")
        line = (
            *(account.id, account.email, record.name, " ".join(sorted(account.roles)), manager),
            *("yes" if account.active else "no", record.fleet_size),
            *("yes" if record.password else "no", record.hail_endpoint_production),
            *(record.email_customer, record.email_technical),
            *(record.phone_number_customer, record.phone_number_technical),
        )
        lines.writerow(map(_harmless, line))


def _harmless(value: object) -> object:
    """The value, escaped so that no spreadsheet takes it for a formula; partners write these texts."""
    is_formula = isinstance(value, str) and _FORMULA.match(value) and not _PHONE.fullmatch(value)
    return f"'{value}" if is_formula else value


def _set_roles(arguments: argparse.Namespace) -> None:
    from chalicelib.taxis.vocabulary import Role
    from ops.cli import administration

    try:
        account = administration.set_roles(
            arguments.email, [Role(role) for role in arguments.roles]
        )
    except administration.AccountUnknown:
        raise _unknown(arguments.email) from None
    print(f"{account.email} is {', '.join(sorted(account.roles))}, within a minute.")


def _set_manager(arguments: argparse.Namespace) -> None:
    from ops.cli import administration

    for email in filter(None, (arguments.email, arguments.manager)):
        try:
            administration.find(email)
        except administration.AccountUnknown:
            raise _unknown(email) from None
    administration.set_manager(arguments.email, arguments.manager)
    print(f"{arguments.manager or 'Nobody'} manages {arguments.email}, within a minute.")


def _set_fleet_size(arguments: argparse.Namespace) -> None:
    from ops.cli import administration

    try:
        administration.set_fleet_size(arguments.email, arguments.fleet_size)
    except administration.AccountUnknown:
        raise _unknown(arguments.email) from None
    if arguments.none:
        print(f"{arguments.email} has not said how many taxis it has.")
    else:
        print(f"{arguments.email} says it has {arguments.fleet_size} taxis.")


def _set_password(arguments: argparse.Namespace) -> None:
    from ops.cli import administration

    try:
        administration.set_password(arguments.email, _asked_password())
    except administration.AccountUnknown:
        raise _unknown(arguments.email) from None
    except administration.PasswordTooShort as error:
        raise CannotGoOn(str(error)) from None
    print(f"{arguments.email} has a new password.")


def _asked_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("New password: ")
    if getpass.getpass("Again: ") != password:
        raise CannotGoOn("The two passwords are not the same.")
    return password


def _size(text: str) -> int:
    size = int(text)
    if size < 0:
        raise ValueError(text)
    return size


_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def _time(text: str) -> timedelta:
    found = re.fullmatch("([0-9]{1,5})([mhd])", text)
    if found is None:
        raise ValueError(text)
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _suspend(arguments: argparse.Namespace) -> None:
    _set_active(arguments, active=False)
    print(f"{arguments.email} is suspended; its key opens nothing within a minute.")


def _resume(arguments: argparse.Namespace) -> None:
    _set_active(arguments, active=True)
    print(f"{arguments.email} is let in again.")


def _set_active(arguments: argparse.Namespace, *, active: bool) -> None:
    from ops.cli import administration

    try:
        administration.set_active(arguments.email, active=active)
    except administration.AccountUnknown:
        raise _unknown(arguments.email) from None


def _rotate(arguments: argparse.Namespace) -> None:
    from chalicelib.foundation import clock
    from ops.cli import administration

    try:
        account, key = administration.rotate_key(
            arguments.email, now=clock.now(), overlap=arguments.overlap
        )
    except administration.AccountUnknown:
        raise _unknown(arguments.email) from None
    except administration.OverlapRefused as error:
        raise CannotGoOn(str(error)) from None
    print(json.dumps({"id": account.id, "email": account.email, "api_key": key}))


def _revoke(arguments: argparse.Namespace) -> None:
    from ops.cli import administration

    try:
        administration.revoke_old_key(arguments.email)
    except administration.AccountUnknown:
        raise _unknown(arguments.email) from None
    print(f"Only the newest key of {arguments.email} opens, within a minute.")


def _secret(arguments: argparse.Namespace) -> None:
    from chalicelib.taxis.hails import webhook
    from ops.cli import administration

    try:
        account = administration.find(arguments.email).account
    except administration.AccountUnknown:
        raise _unknown(arguments.email) from None
    secrets = webhook.secrets_of(account.id)
    print(json.dumps({"id": account.id, "email": account.email, "webhook_secrets": secrets}))


def _unknown(email: str) -> CannotGoOn:
    return CannotGoOn(
        f"There is no account {email!r}; `maraude account list` shows those there are."
    )
