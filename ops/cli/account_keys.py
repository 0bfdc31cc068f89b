"""`maraude account rotate-key`, `revoke-old-key` and `set-password`: what opens an account."""

import argparse
import getpass
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ops.errors import CannotGoOn

if TYPE_CHECKING:
    from chalicelib.taxis.access.rules import Record


def rotate(arguments: argparse.Namespace) -> None:
    """Prints the new key, and beside it what whoever had the old one may have left or seen."""
    from chalicelib.foundation import clock
    from ops.cli import administration

    before = administration.find(arguments.email)
    account, key = administration.rotate_key(
        arguments.email,
        now=clock.now(),
        overlap=arguments.overlap,
        keeps_password=arguments.keep_password,
    )
    print(json.dumps({"id": account.id, "email": account.email, "api_key": key}))
    for line in _left(before, password_kept=arguments.keep_password):
        print(line, file=sys.stderr)


def _left(record: "Record", *, password_kept: bool) -> Iterator[str]:
    """What a rotation leaves for somebody to look at, where the key was stolen."""
    from chalicelib.taxis.access import service
    from chalicelib.taxis.vocabulary import Role

    if record.password:
        kept = "stays, though the old key may have set it" if password_kept else "is dropped"
        yield f"Its password {kept}; `maraude account set-password` gives it another."
    if record.hail_endpoint_production:
        yield f"Its hails are sent to {record.hail_endpoint_production}: is that its own server?"
    managed = [line.email for line in service.managed_by(record.account.id)]
    if record.account.has(Role.ADMIN):
        yield "It is an admin: the old key showed the key of every account."
    elif managed:
        yield f"The old key showed those of the accounts that it manages: {', '.join(managed)}."


def revoke(arguments: argparse.Namespace) -> None:
    """Revokes the old key."""
    from ops.cli import administration

    administration.revoke_old_key(arguments.email)
    print(f"Only the newest key of {arguments.email} opens, within a minute.")


def set_password(arguments: argparse.Namespace) -> None:
    """Sets a password that is asked for."""
    from ops.cli import administration

    administration.set_password(arguments.email, _asked_password())
    print(f"{arguments.email} has a new password.")


def _asked_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("New password: ")
    if getpass.getpass("Again: ") != password:
        raise CannotGoOn("The two passwords are not the same.")
    return password
