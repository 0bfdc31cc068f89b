"""`maraude secrets`: encrypting stored secrets anew (docs/runbook.md, Rotate the secret keys)."""

import argparse
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ops.cli import target
from ops.cli.territory.progress import Progress
from ops.errors import CannotGoOn

if TYPE_CHECKING:
    from argparse import _SubParsersAction


@dataclass(slots=True)
class Sealed:
    """Counts: accounts, those encrypted anew, and those that no key decrypts."""

    accounts: int = 0
    anew: int = 0
    lost: list[str] = field(default_factory=list)


def add_parser(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command and its action."""
    secrets = commands.add_parser("secrets", help="what is sealed with the deployment's keys")
    actions = secrets.add_subparsers(dest="action", required=True, metavar="ACTION")
    again = actions.add_parser(
        "reseal", help="seal with the newest key what an older one sealed, or none; may be repeated"
    )
    again.add_argument("--dry-run", action="store_true", help="change nothing, count only")
    again.set_defaults(run=_reseal)
    target.add_arguments(again)


def _reseal(arguments: argparse.Namespace) -> None:
    sealed = reseal(dry_run=arguments.dry_run)
    would = "would be" if arguments.dry_run else "were"
    print(f"{sealed.accounts} accounts: {sealed.anew} {would} sealed with the newest key.")
    if sealed.lost:
        raise CannotGoOn(
            f"No key of ours opens those of {len(sealed.lost)}: {', '.join(sealed.lost[:10])}. Put the "
            "secret key that is missing behind the others, or give each a new API key and its webhook's header anew."
        )


def reseal(*, dry_run: bool, quiet: bool = False) -> Sealed:
    """Encrypts every account's API keys and its webhook's own secret with the newest keys of their rings.

    Nothing else is sealed. A scan of the accounts, half a unit per 4 KB, and 8 to 12 write units for each
    that is sealed anew. Broken off, it goes on where it was: what is sealed anew is left alone.
    """
    from cryptography.fernet import InvalidToken

    from chalicelib.taxis.access import store
    from ops.cli import administration

    progress = Progress(quiet=quiet)
    sealed = Sealed()
    for record in store.every():
        sealed.accounts += 1
        try:
            sealed.anew += administration.reseal(record, dry_run=dry_run)
        except InvalidToken:
            sealed.lost.append(record.account.email)
        progress.step("accounts looked at", sealed.accounts)
    return sealed
