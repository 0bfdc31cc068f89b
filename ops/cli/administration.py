"""Changes of accounts that only the registry's staff make: new ones, roles, keys, suspension."""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from chalicelib.foundation import passwords, sealing
from chalicelib.foundation.errors import Unknown, in_request
from chalicelib.foundation.sealing import Ring
from chalicelib.foundation.store import documents
from chalicelib.foundation.values import replace
from chalicelib.taxis.access import hooks, rules, store
from chalicelib.taxis.vocabulary import Account, Role


class AccountUnknown(Unknown):
    """No account has this e-mail."""


class OverlapRefused(Exception):
    """The overlap of an old API key is longer than allowed."""


class PasswordTooShort(Exception):
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
    AccountUnknown for the manager.
    """
    all_roles = rules.implied(roles)
    before = store.by_email(email)
    if before is None:
        key = new_key()
        record = new_record(email, account_id=documents.next_number("account"), key=key, now=now)
    else:
        key, record = sealing.unseal(before.sealed_key), before
    account = replace(
        record.account,
        roles=record.account.roles | all_roles,
        manager_id=find(manager).account.id if manager else record.account.manager_id,
    )
    changed = replace(
        record,
        account=account,
        name=record.name if name is None else name,
        fleet_size=record.fleet_size if fleet_size is None else fleet_size,
    )
    if hook is not None:
        names = ("hail_endpoint_production", "operator_header_name", "operator_api_key")
        changed = hooks.changed(changed, dict(zip(names, hook, strict=True)))
    if changed != before:
        store.put(changed, before=before)
    return account, key


def new_key() -> str:
    """A new, random API key."""
    return str(uuid.uuid4())


def new_record(email: str, *, account_id: int, key: str, now: datetime | None) -> store.Record:
    """A new account: named by its e-mail, without roles, not stored yet."""
    return with_key(store.Record(Account(account_id, email, frozenset()), email, "", ""), key, now)


def with_key(
    record: store.Record, key: str, now: datetime | None, *, old_key: store.OldKey | None = None
) -> store.Record:
    """The account with another API key, which was made at `now`, and with none before it but `old_key`."""
    return replace(
        record,
        key_digest=sealing.digest(key),
        sealed_key=sealing.seal(key),
        key_since=now,
        old_key=old_key,
    )


def find(email: str) -> store.Record:
    """The account of an e-mail. Raises AccountUnknown."""
    record = store.by_email(email)
    if record is None:
        raise AccountUnknown(in_request(f"There is no account {email!r}."))
    return record


def set_active(email: str, *, active: bool) -> Account:
    """Suspends an account, or resumes it. Raises AccountUnknown."""
    return _change_account(email, active=active)


def set_roles(email: str, roles: Iterable[Role]) -> Account:
    """Gives the account these roles and no others; an admin has two more. Raises AccountUnknown."""
    return _change_account(email, roles=rules.implied(roles))


def set_manager(email: str, manager: str | None) -> Account:
    """Lets another account act as this one, or none. Raises AccountUnknown for either."""
    return _change_account(email, manager_id=find(manager).account.id if manager else None)


def set_fleet_size(email: str, fleet_size: int | None) -> None:
    """Sets how many taxis an account states that it has, None for no statement. Raises AccountUnknown."""
    record = find(email)
    if fleet_size != record.fleet_size:
        store.put(replace(record, fleet_size=fleet_size), before=record)


def _change_account(email: str, **changes: Any) -> Account:  # noqa: ANN401  # fields of `Account`
    record = find(email)
    account = replace(record.account, **changes)
    if account != record.account:
        store.put(replace(record, account=account), before=record)
    return account


def set_password(email: str, password: str) -> Account:
    """Gives the account a password for the console. Raises AccountUnknown, PasswordTooShort."""
    record = find(email)
    if len(password) < passwords.SHORTEST:
        raise PasswordTooShort(f"A password has at least {passwords.SHORTEST} characters.")
    store.put(replace(record, password=passwords.hashed(password)), before=record)
    return record.account


def rotate_key(
    email: str, *, now: datetime, overlap: timedelta = timedelta(0)
) -> tuple[Account, str]:
    """Rotates the API key; the previous one stays valid for `overlap`, any one before it does not.

    Raises AccountUnknown, OverlapRefused.
    """
    _check_overlap(overlap)
    record = find(email)
    key = new_key()
    old_key = store.OldKey(record.key_digest, record.sealed_key, now + overlap) if overlap else None
    store.put(with_key(record, key, now, old_key=old_key), before=record)
    return record.account, key


def revoke_old_key(email: str) -> Account:
    """Revokes the previous API key. Raises AccountUnknown."""
    record = find(email)
    if record.old_key is not None:
        store.put(replace(record, old_key=None), before=record)
    return record.account


def rotate_signing_secret(email: str, *, now: datetime, overlap: timedelta) -> store.Record:
    """Changes what an account's hails are signed with; for `overlap` they are signed with both.

    Raises AccountUnknown, OverlapRefused.
    """
    _check_overlap(overlap)
    record = find(email)
    changed = hooks.with_new_signing_secret(record, old_until=now + overlap)
    return store.put(changed, before=record)


def _check_overlap(overlap: timedelta) -> None:
    if not timedelta(0) <= overlap <= rules.LONGEST_OVERLAP:
        raise OverlapRefused(f"Both keys may open for {rules.LONGEST_OVERLAP.days} days at most.")


def reseal(record: store.Record, *, dry_run: bool) -> bool:
    """Encrypts an account's secrets with the newest keys; whether anything had another key, or none.

    Raises cryptography.fernet.InvalidToken where it was no key of ours.
    """
    before: store.Record | None = record
    while before is not None:
        resealed = _resealed(before)
        if resealed == before or dry_run:
            return resealed != before
        try:
            store.put(resealed, before=before)
        except store.RecordMoved:
            before = store.by_id(record.account.id)
        else:
            return True
    return False


def _resealed(record: store.Record) -> store.Record:
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
