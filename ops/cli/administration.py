"""Changes of accounts that only the registry's staff make: new ones, roles, keys, suspension."""

import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from chalicelib.foundation import clock, passwords, sealing
from chalicelib.foundation.errors import Unavailable, Unknown, in_request
from chalicelib.foundation.outbound import headers
from chalicelib.foundation.retry import Retry
from chalicelib.foundation.sealing import Ring
from chalicelib.foundation.store import documents
from chalicelib.foundation.values import replace
from chalicelib.taxis.access import hooks, rules, store
from chalicelib.taxis.vocabulary import Account, Role
from ops.errors import CannotGoOn

# A command that keeps losing: from its second try on, the account's own changes are held back.
TRIES = Retry(tries=100, longest_s=0.1)  # some 7 s in all
HELD = timedelta(seconds=30)  # longer than all tries take


class AccountUnknown(Unknown):
    """No account has this e-mail."""


class AccountBusy(Unavailable):
    """The account kept changing, to the last try."""


class OverlapRefused(CannotGoOn):
    """The overlap of an old API key is longer than allowed."""


class PasswordTooShort(CannotGoOn):
    """The password is shorter than allowed."""


def add(
    email: str,
    *,
    roles: Iterable[Role] = (),
    name: str | None = None,
    manager: str | None = None,
    hook: tuple[str, str, str] | None = None,
    fleet_size: int | None = None,
    now: datetime | None = None,
) -> tuple[Account, str]:
    """Creates an account, or updates the one there is; returns it with its API key.

    `hook` is the webhook's address and its header's name and value. An admin is a moteur and an
    operateur too [contract: Accounts by command]. Without `now`, nobody will know how old a new key is. Raises
    AccountUnknown for the manager, and HeaderRefused.
    """
    if hook is not None:
        headers.check_name(hook[1])
        headers.check_value(hook[2])
    all_roles = rules.implied(roles)
    manager_id = find(manager).account.id if manager else None

    def updated(record: rules.Record) -> rules.Record:
        account = record.account
        changed = replace(
            record,
            account=replace(
                account,
                roles=account.roles | all_roles,
                manager_id=account.manager_id if manager_id is None else manager_id,
            ),
            name=record.name if name is None else name,
            fleet_size=record.fleet_size if fleet_size is None else fleet_size,
        )
        return (
            changed
            if hook is None
            else hooks.changed(changed, dict(zip(hooks.FIELDS, hook, strict=True)))
        )

    if known(email) is None:
        key = new_key()
        record = new_record(email, account_id=documents.next_number("account"), key=key, now=now)
        with suppress(store.RecordMoved):  # then somebody else has just added it
            return store.put(updated(record), before=None).account, key
    stored = _change(email, updated)
    return stored.account, sealing.unseal(stored.sealed_key)


def new_key() -> str:
    """A new, random API key."""
    return str(uuid.uuid4())


def new_record(email: str, *, account_id: int, key: str, now: datetime | None) -> rules.Record:
    """A new account: named by its e-mail, without roles, not stored yet."""
    return with_key(rules.Record(Account(account_id, email, frozenset()), email, "", ""), key, now)


def with_key(
    record: rules.Record, key: str, now: datetime | None, *, old_key: rules.OldKey | None = None
) -> rules.Record:
    """The account with another API key, which was made at `now`, and with none before it but `old_key`."""
    return replace(
        record,
        key_digest=sealing.digest(key),
        sealed_key=sealing.seal(key),
        key_since=now,
        old_key=old_key,
    )


def known(email: str) -> rules.Record | None:
    """The account of an e-mail, where there is one."""
    return store.by_email(email)


def find(email: str) -> rules.Record:
    """The account of an e-mail. Raises AccountUnknown."""
    record = known(email)
    if record is None:
        raise AccountUnknown(
            in_request(
                f"There is no account {email!r}; `maraude account list` shows those there are."
            )
        )
    return record


def set_active(email: str, *, active: bool) -> Account:
    """Suspends an account, or resumes it. Raises AccountUnknown, AccountBusy."""
    return _change_account(email, active=active)


def set_roles(email: str, roles: Iterable[Role]) -> Account:
    """Gives the account these roles and no others; an admin has two more. Raises AccountUnknown, AccountBusy."""
    return _change_account(email, roles=rules.implied(roles))


def set_manager(email: str, manager: str | None) -> Account:
    """Lets another account act as this one, or none. Raises AccountUnknown for either, AccountBusy."""
    return _change_account(email, manager_id=find(manager).account.id if manager else None)


def set_fleet_size(email: str, fleet_size: int | None) -> None:
    """Sets how many taxis an account states that it has, None for no statement. Raises AccountUnknown, AccountBusy."""
    _change(email, lambda record: replace(record, fleet_size=fleet_size))


def _change_account(email: str, **changes: Any) -> Account:  # noqa: ANN401  # fields of `Account`
    return _change(
        email, lambda record: replace(record, account=replace(record.account, **changes))
    ).account


def _change(email: str, change: Callable[[rules.Record], rules.Record]) -> rules.Record:
    """The account of an e-mail, changed. Raises AccountUnknown, AccountBusy."""
    return settle(lambda: find(email), change)


def settle(
    read: Callable[[], rules.Record], change: Callable[[rules.Record], rules.Record]
) -> rules.Record:
    """The account as `change` makes it of what `read` finds, however often it changes itself meanwhile.

    Raises AccountBusy, and what the two raise.
    """
    before = read()
    for attempt in TRIES.attempts():
        with suppress(store.RecordMoved):
            if attempt:
                store.hold(before.account.id, until=clock.now() + HELD)
                before = read()
            changed = change(before)
            return before if changed == before else store.put(changed, before=before)
    raise AccountBusy(
        in_request(f"The account {before.account.email!r} keeps being changed; say it again.")
    )


def set_password(email: str, password: str) -> Account:
    """Gives the account a password for the console. Raises AccountUnknown, AccountBusy, PasswordTooShort."""
    find(email)
    if len(password) < passwords.SHORTEST:
        raise PasswordTooShort(f"A password has at least {passwords.SHORTEST} characters.")
    hashed = passwords.hashed(password)
    return _change(email, lambda record: replace(record, password=hashed)).account


def rotate_key(
    email: str,
    *,
    now: datetime,
    overlap: timedelta = timedelta(0),
    keeps_password: bool = False,
) -> tuple[Account, str]:
    """Rotates the API key; the previous one stays valid for `overlap`, any one before it does not.

    The password goes with the key, for whoever had that may have set this. Raises AccountUnknown, AccountBusy, OverlapRefused.
    """
    _check_overlap(overlap)
    key = new_key()

    def rotated(record: rules.Record) -> rules.Record:
        until = now + overlap
        old = rules.OldKey(record.key_digest, record.sealed_key, until) if overlap else None
        password = record.password if keeps_password else ""
        return with_key(replace(record, password=password), key, now, old_key=old)

    return _change(email, rotated).account, key


def revoke_old_key(email: str) -> Account:
    """Revokes the previous API key. Raises AccountUnknown, AccountBusy."""
    return _change(email, lambda record: replace(record, old_key=None)).account


def rotate_signing_secret(email: str, *, now: datetime, overlap: timedelta) -> rules.Record:
    """Changes what an account's hails are signed with; for `overlap` they are signed with both.

    Raises AccountUnknown, AccountBusy, OverlapRefused.
    """
    _check_overlap(overlap)
    return _change(
        email, lambda record: hooks.with_new_signing_secret(record, old_until=now + overlap)
    )


def _check_overlap(overlap: timedelta) -> None:
    if not timedelta(0) <= overlap <= rules.LONGEST_OVERLAP:
        raise OverlapRefused(f"Both keys may open for {rules.LONGEST_OVERLAP.days} days at most.")


def reseal(record: rules.Record, *, dry_run: bool) -> bool:
    """Encrypts an account's secrets with the newest keys; whether anything had another key, or none.

    Raises AccountBusy, and cryptography.fernet.InvalidToken where it was no key of ours.
    """
    is_due = _resealed(record) != record

    def anew(current: rules.Record) -> rules.Record:
        nonlocal is_due
        resealed = _resealed(current)
        is_due = resealed != current
        return resealed

    if is_due and not dry_run:
        settle(lambda: find(record.account.email), anew)
    return is_due


def _resealed(record: rules.Record) -> rules.Record:
    """The account with its secrets encrypted by the newest keys; what is already stays as it is."""
    record = store.sealed(record)
    old_key, own = record.old_key, record.sealed_operator_api_key
    return replace(
        record,
        sealed_key=sealing.resealed(record.sealed_key) or record.sealed_key,
        old_key=old_key
        and old_key._replace(sealed=sealing.resealed(old_key.sealed) or old_key.sealed),
        sealed_operator_api_key=own and (sealing.resealed(own, Ring.HOOKS) or own),
    )
