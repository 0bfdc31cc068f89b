"""`maraude account list` and `export`: all accounts, without keys."""

import argparse
import csv
import json
import re
import sys


def every(_: argparse.Namespace) -> None:
    """Prints a JSON line an account, by id."""
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


def export(_: argparse.Namespace) -> None:
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
