"""Who a caller is, and what the ops team does to accounts."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from chalicelib.foundation import cache, passwords, sealing
from chalicelib.foundation.errors import Unidentified, Unknown, in_request
from chalicelib.foundation.rate_limit.store import throttle
from chalicelib.foundation.settings import settings
from chalicelib.foundation.store import documents
from chalicelib.foundation.values import replace
from chalicelib.taxis.access import rules, store
from chalicelib.taxis.access.rules import Account, Line, Role


class KeyMissing(Unidentified):
    """No `X-Api-Key`."""


class KeyUnknown(Unidentified):
    """No active account has this key, or the key's owner may not act as the account of `X-Logas`."""


class AccountUnknown(Unknown):
    """No account has this e-mail."""


class OverlapRefused(Exception):
    """An old key may not open for so long."""


class PasswordTooShort(Exception):
    """No password is that short."""


# An unknown key is never remembered, so that a new account works at once.
_by_key: cache.Memory[str, Account] = cache.Memory(
    lambda: 4096, lambda: float(settings().account_cache_s)
)
_by_email: cache.Memory[str, Account] = cache.Memory(
    lambda: 4096, lambda: float(settings().account_cache_s)
)
_names: cache.Memory[int, str] = cache.Memory(
    lambda: 4096, lambda: float(settings().account_cache_s)
)


class Caller(NamedTuple):
    """Whose key came with a request, and the account that it is made as: mostly the same."""

    owner: Account
    account: Account


def recognize(*, key: str | None, logas: str | None, now: datetime) -> Caller:
    """Who makes a request, and as whom (letaxi-api 2).

    A suspension or a new key bites within `account_cache_s`. Each request of a known key counts, even
    one that is refused here. Raises KeyMissing, KeyUnknown, TooManyRequests.
    """
    if key is None:
        raise KeyMissing(in_request("Header X-Api-Key required."))
    owner = _of_key(key, now)
    if owner is not None:
        throttle.take(owner.id, now=now)
    if logas is None:
        if owner is None:
            raise KeyUnknown(in_request("Header X-Api-Key not valid."))
        return Caller(owner, owner)
    other = None if owner is None else _of_email(logas)
    integration = settings().integration_account_email if settings().integration_enabled else None
    if (
        owner is None
        or other is None
        or not rules.may_act_as(owner, other, integration_email=integration)
    ):
        raise KeyUnknown(in_request("Header X-Api-Key and/or X-Logas not valid."))
    return Caller(owner, other)


def _of_key(key: str, now: datetime) -> Account | None:
    def opened(digest: str) -> store.Record | None:
        record = store.by_key(digest)
        return record if record is not None and record.opens_with(digest, now=now) else None

    return _active(_by_key, sealing.digest(key), opened) if key else None


def _of_email(email: str) -> Account | None:
    return _active(_by_email, email, store.by_email) if email else None


def _active(
    memory: cache.Memory[str, Account], name: str, read: Callable[[str], store.Record | None]
) -> Account | None:
    """The active account of a name; one that is unknown or suspended is not remembered."""
    known = memory.get(name)
    if known is not None:
        return known
    record = read(name)
    if record is None or not record.account.active:
        return None
    memory.put(name, record.account)
    return record.account


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
    """The account and its API key: a new one, or the one there is, brought to what is given.

    `hook` is the webhook's address and its header's name and value. An admin is a moteur and an
    operateur too (stats-and-ops 8). Without `now`, nobody will know how old a new key is. Raises
    AccountUnknown for the manager.
    """
    wanted = rules.implied(roles)
    before = store.by_email(email)
    if before is None:
        key = new_key()
        record = new_record(email, account_id=documents.next_number("account"), key=key, now=now)
    else:
        key, record = sealing.unseal(before.sealed_key), before
    account = replace(
        record.account,
        roles=record.account.roles | wanted,
        manager_id=find(manager).account.id if manager else record.account.manager_id,
    )
    url, header, value = hook or (
        record.hail_endpoint_production,
        record.operator_header_name,
        record.operator_api_key,
    )
    changed = replace(
        record,
        account=account,
        name=record.name if name is None else name,
        hail_endpoint_production=url,
        operator_header_name=header,
        operator_api_key=value,
        fleet_size=record.fleet_size if fleet_size is None else fleet_size,
    )
    if changed != before:
        store.put(changed, before=before)
    return account, key


def new_key() -> str:
    """An API key that nobody has."""
    return str(uuid.uuid4())


def new_record(email: str, *, account_id: int, key: str, now: datetime | None) -> store.Record:
    """An account as it begins: named by its e-mail, without roles. It is not stored yet."""
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


def signer(email: str, *, now: datetime) -> tuple[Account, list[str]] | None:
    """The active account of an e-mail and its API keys, newest first, as the last write left them."""
    record = store.by_email(email) if email else None
    if record is None or not record.account.active:
        return None
    old_key = record.old_key_at(now)
    sealed_keys = (record.sealed_key, *((old_key.sealed,) if old_key else ()))
    return record.account, [sealing.unseal(sealed_key) for sealed_key in sealed_keys]


def hook_of(account_id: int) -> store.Hook | None:
    """Where an operator wants its hails, as the last write left it; None where it has not said."""
    record = store.by_id(account_id)
    return record.hook if record is not None and record.hail_endpoint_production else None


def every_line() -> list[Line]:
    """A line on each account, by id; of the 10,000 with the lowest ids (`store.LISTED`)."""
    return store.lines()


def managed_by(manager_id: int) -> list[Line]:
    """A line on each account that one manages, by id."""
    return store.managed_by(manager_id)


def records(account_ids: Iterable[int]) -> list[store.Record]:
    """All that is kept of those of the accounts that there are, by id."""
    found = store.by_ids(frozenset(account_ids))
    return sorted(found, key=lambda record: record.account.id)


def names_of(account_ids: Iterable[int]) -> Mapping[int, str]:
    """The names of those of the accounts that there are, at most `account_cache_s` old."""
    wanted = set(account_ids)
    names = _names.get_many(wanted)
    for account_id in wanted - names.keys():
        record = store.by_id(account_id)
        if record is not None:
            names[account_id] = record.name
            _names.put(account_id, record.name)
    return names


def set_active(email: str, *, active: bool) -> Account:
    """Suspends an account, or lets it in again. Raises AccountUnknown."""
    return _change_account(email, active=active)


def set_roles(email: str, roles: Iterable[Role]) -> Account:
    """Gives the account these roles and no others; an admin has two more. Raises AccountUnknown."""
    return _change_account(email, roles=rules.implied(roles))


def set_manager(email: str, manager: str | None) -> Account:
    """Lets another account act as this one, or none. Raises AccountUnknown for either."""
    return _change_account(email, manager_id=find(manager).account.id if manager else None)


def set_fleet_size(email: str, fleet_size: int | None) -> None:
    """Writes down how many taxis an account says it has, None where it has not. Raises AccountUnknown."""
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
    """Gives the account a new API key; the last one opens for `overlap` more, one of before it no more.

    Raises AccountUnknown, OverlapRefused.
    """
    if not timedelta(0) <= overlap <= rules.LONGEST_OVERLAP:
        raise OverlapRefused(f"Both keys may open for {rules.LONGEST_OVERLAP.days} days at most.")
    record = find(email)
    key = new_key()
    old_key = store.OldKey(record.key_digest, record.sealed_key, now + overlap) if overlap else None
    store.put(with_key(record, key, now, old_key=old_key), before=record)
    return record.account, key


def revoke_old_key(email: str) -> Account:
    """Lets the API key of before open nothing any more. Raises AccountUnknown."""
    record = find(email)
    if record.old_key is not None:
        store.put(replace(record, old_key=None), before=record)
    return record.account


def reseal(record: store.Record, *, dry_run: bool) -> bool:
    """Seals an account's API keys with the newest secret key; whether another one had sealed any.

    Raises cryptography.fernet.InvalidToken where no key of ours had.
    """
    before: store.Record | None = record
    while before is not None:
        resealed = _resealed(before)
        if resealed is None or dry_run:
            return resealed is not None
        try:
            store.put(resealed, before=before)
        except store.RecordMoved:
            before = store.by_id(record.account.id)
        else:
            return True
    return False


def _resealed(record: store.Record) -> store.Record | None:
    """The account, sealed with the newest secret key; None where it is already."""
    sealed_key = sealing.resealed(record.sealed_key)
    old_sealed = sealing.resealed(record.old_key.sealed) if record.old_key else None
    if sealed_key is not None:
        record = replace(record, sealed_key=sealed_key)
    if old_sealed is not None and record.old_key is not None:
        record = replace(record, old_key=record.old_key._replace(sealed=old_sealed))
    return record if sealed_key or old_sealed else None
