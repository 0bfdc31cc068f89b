"""Import of accounts."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.foundation import sealing
from chalicelib.foundation.store import documents
from chalicelib.foundation.values import replace
from chalicelib.taxis.access import hooks
from chalicelib.taxis.access import store as accounts_store
from chalicelib.taxis.access.rules import Record, implied
from chalicelib.taxis.vocabulary import Account, Role
from ops.cli import administration
from ops.cli.imports import forms
from ops.cli.imports.forms import Form
from ops.cli.imports.kinds import Found, Key, Read, Verdict, Wrong


@dataclass
class Accounts:
    """The accounts; those that are there are changed where the file says so, never taken away."""

    known: Mapping[str, Account]
    tell: Callable[[str, str], None]  # hears of an e-mail and the key that was made for it
    name: str = "accounts"
    form: Form = forms.ACCOUNTS
    batch: int = 1_000_000  # all of them, for a manager may stand below those whom they manage
    coming: set[str] = field(default_factory=set)  # e-mails
    managers: dict[str, str] = field(default_factory=dict)  # by account, both by their e-mails
    needs_keys: bool = False
    highest: int = 0
    _digests: dict[str, str] = field(default_factory=dict)
    _ids: dict[int, str] = field(default_factory=dict)

    def key(self, read: Read) -> Key:
        """The e-mail."""
        return (str(read.beside["email"]),)

    def compare(self, reads: Sequence[Read]) -> list[Found]:
        """Three units each: accounts are few."""
        there = {*self.known, *(read.beside["email"] for read in reads)}
        return [self._compare(read, there) for read in reads]

    def _compare(self, read: Read, there: Collection[str]) -> Found:
        fields, email = read.beside, read.beside["email"]
        before = accounts_store.by_email(email)
        manager = fields.get("manager")
        if manager and manager not in there:
            return Wrong("manager", f"there is no account {manager!r}")
        if (taken := self._taken(read, before)) is not None:
            return taken
        self.coming.add(email)
        if manager and (
            before is None
            or manager not in self.known
            or self.known[manager].id != before.account.manager_id
        ):
            self.managers[email] = manager
        if before is None:
            self.needs_keys |= "apikey" not in fields
            return Verdict.NEW
        is_same = self._target(before, read, now=None) == before and email not in self.managers
        return Verdict.SAME if is_same else Verdict.CHANGED

    def _taken(self, read: Read, before: Record | None) -> Wrong | None:
        """Whether its id or its key is another account's, here or in the file."""
        email, account_id = read.beside["email"], read.beside["id"]
        if account_id is not None:
            if before is not None and before.account.id != account_id:
                return Wrong("id", f"this account has the id {before.account.id} here")
            holder = accounts_store.by_id(account_id)
            other = holder.account.email if holder else self._ids.setdefault(account_id, email)
            if other != email:
                return Wrong("id", f"it is the account {other!r}")
            self.highest = max(self.highest, account_id)
        if "apikey" in read.beside:
            digest = sealing.digest(read.beside["apikey"])
            owner = accounts_store.by_key(digest)
            other = owner.account.email if owner else self._digests.setdefault(digest, email)
            if other != email:
                return Wrong("apikey", f"the account {other!r} has this key")
        return None

    def _target(self, before: Record, read: Read, *, now: datetime | None) -> Record:
        """The account as the line has it, but for its manager."""
        fields = read.beside
        account = before.account
        changed = replace(
            hooks.changed(before, read.body),
            account=replace(
                account,
                roles=implied(Role(role) for role in fields["roles"])
                if "roles" in fields
                else account.roles,
                active=fields.get("active", account.active),
            ),
            fleet_size=fields.get("fleet_size", before.fleet_size),
        )
        key = fields.get("apikey")
        if key is None or sealing.digest(key) == before.key_digest:
            return changed
        return administration.with_key(changed, key, now)

    def prepare(self) -> None:
        """Reserves the ids of the file."""
        if self.highest:
            documents.pass_numbers("account", self.highest)

    def write(self, read: Read, *, now: datetime) -> None:
        """Stores it; its manager comes when all are there (`set_managers`)."""
        email = read.beside["email"]
        before = accounts_store.by_email(email)
        if before is None:
            key = read.beside.get("apikey") or administration.new_key()
            if "apikey" not in read.beside:
                self.tell(email, key)  # first: a key that nobody was told is lost
            account_id = read.beside["id"] or documents.next_number("account")
            base = administration.new_record(email, account_id=account_id, key=key, now=now)
            accounts_store.put(self._target(base, read, now=now), before=None)
        else:
            administration.settle(
                lambda: administration.find(email), lambda base: self._target(base, read, now=now)
            )

    def set_managers(self) -> None:
        """Sets the managers, once all accounts exist."""
        for email, manager in self.managers.items():
            administration.set_manager(email, manager)
