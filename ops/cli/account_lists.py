"""`maraude account list`, `show` and `export`: accounts, without keys."""

import argparse
import csv
import json
import re
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ops.cli import tables
from ops.cli.emails import email

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from chalicelib.taxis.access.rules import Record


def add_actions(actions: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the three actions to those of `maraude account`."""
    every = actions.add_parser("list", help="a table of all accounts, without keys")
    every.add_argument("--json", action="store_true", help="one JSON object a line")
    every.set_defaults(run=_list)
    show = actions.add_parser("show", help="all about one account, without keys and secrets")
    show.add_argument("email", metavar="EMAIL", type=email)
    show.add_argument("--json", action="store_true", help="one JSON object")
    show.set_defaults(run=_show)
    every = actions.add_parser("export", help="CSV of all accounts, without keys")
    every.set_defaults(run=_export)


def _list(arguments: argparse.Namespace) -> None:
    """Prints all accounts, by id."""
    from chalicelib.foundation import clock
    from chalicelib.taxis.access import store

    now = clock.now()
    records = sorted(store.every(), key=lambda record: record.account.id)
    emails = {record.account.id: record.account.email for record in records}
    found = [
        _about(record, manager=emails.get(record.account.manager_id or 0), now=now)
        for record in records
    ]
    if arguments.json:
        for one in found:
            print(json.dumps(one, ensure_ascii=False))
    else:
        rows = [[_said(value) for value in one.values()] for one in found]
        for line in tables.lines(rows, titles=_TITLES):
            print(line)
    print(f"{len(records)} accounts", file=sys.stderr)


def _about(record: "Record", *, manager: str | None, now: datetime) -> dict[str, Any]:
    """What a list says of an account, as JSON; the titles of a table are its keys."""
    account, old_key = record.account, record.old_key_at(now)
    return {
        "id": account.id,
        "email": account.email,
        "name": record.name,
        "roles": sorted(account.roles),
        "manager": manager,
        "active": account.active,
        "fleet_size": record.fleet_size,
        "hail_url": record.hail_endpoint_production,
        "old_key_until": old_key.until.isoformat() if old_key else None,
    }


_TITLES = (
    *("ID", "E-MAIL", "NAME", "ROLES", "MANAGER", "ACTIVE"),
    *("STATED TAXIS", "WEBHOOK", "OLD KEY UNTIL"),
)


def _show(arguments: argparse.Namespace) -> None:
    """Prints an account with its fleet. Raises AccountUnknown.

    Takes a read for its manager, one for those it manages, and one a page of its fleet.
    """
    from chalicelib.foundation import clock
    from chalicelib.taxis.access import service
    from chalicelib.taxis.fleets import service as fleets
    from ops.cli import administration

    record, now = administration.find(arguments.email), clock.now()
    account = record.account
    managers = service.records([account.manager_id] if account.manager_id else [])
    pages = fleets.pages_of(account.owner)
    old_secret = record.old_nonce and record.old_nonce.until
    found = {
        **_about(record, manager=managers[0].account.email if managers else None, now=now),
        "manages": [line.email for line in service.managed_by(account.id)],
        "hail_header": record.operator_header_name,
        "old_webhook_secret_until": old_secret.isoformat()
        if old_secret and now < old_secret
        else None,
        "has_password": bool(record.password),
        "key_since": record.key_since.isoformat() if record.key_since else None,
        "taxis": len(pages),
        "fleet_pages": len(set(pages.values())),
    }
    if arguments.json:
        print(json.dumps(found, ensure_ascii=False))
        return
    found["key_since"] = (
        found["key_since"] or "unknown"
    )  # of before it was noted, or set by no command
    for line in tables.lines([(title, _said(found[key])) for key, title in _SHOWN.items()]):
        print(line)


# In the order of `account show`; its key in JSON.
_SHOWN = {
    "email": "e-mail",
    "id": "id",
    "name": "name",
    "roles": "roles",
    "active": "active",
    "manager": "manager",
    "manages": "manages",
    "hail_url": "webhook",
    "hail_header": "webhook's header",
    "old_webhook_secret_until": "old webhook secret until",
    "key_since": "last key change",
    "old_key_until": "old key until",
    "has_password": "password",
    "taxis": "taxis registered",
    "fleet_pages": "pages of its fleet",
    "fleet_size": "taxis stated",
}


def _said(value: object) -> object:
    """A value as people say it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else value


_COLUMNS = (
    *("id", "email", "name", "roles", "manager", "active", "fleet_size", "has_password"),
    *("hail_url", "email_customer", "email_technical"),
    *("phone_number_customer", "phone_number_technical"),
)
# What a spreadsheet would take for a formula, and what only looks like one: a phone number.
_FORMULA, _PHONE = re.compile(r"[=+\-@\t\r]"), re.compile(r"\+?[\d ().-]+")


def _export(_: argparse.Namespace) -> None:
    """Prints a CSV of all accounts, by id."""
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
