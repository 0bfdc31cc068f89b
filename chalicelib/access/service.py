"""Who a caller is, and what the ops team does to accounts."""

import uuid
from collections.abc import Iterable
from dataclasses import replace

from chalicelib import cache, config, vault
from chalicelib.access import rules, store
from chalicelib.access.rules import Account, Role
from chalicelib.errors import Unidentified, Unknown, in_request
from chalicelib.settings import settings


class KeyMissing(Unidentified):
    """No `X-Api-Key`."""


class KeyUnknown(Unidentified):
    """No active account has this key, or the key's owner may not act as the account of `X-Logas`."""


class AccountUnknown(Unknown):
    """No account has this e-mail."""


# An unknown key is never remembered, so that a new account works at once.
_by_key: cache.Memory[str, Account] = cache.Memory(
    lambda: 4096, lambda: float(settings().account_cache_s)
)
_by_email: cache.Memory[str, Account] = cache.Memory(
    lambda: 4096, lambda: float(settings().account_cache_s)
)


def identify(*, key: str | None, logas: str | None) -> Account:
    """The account that a request is made as (letaxi-api 2). Raises KeyMissing, KeyUnknown.

    A suspension or a new key bites within `account_cache_s`.
    """
    if key is None:
        raise KeyMissing(in_request("Header X-Api-Key required."))
    owner = _of_key(key)
    if logas is None:
        if owner is None:
            raise KeyUnknown(in_request("Header X-Api-Key not valid."))
        return owner
    other = None if owner is None else _of_email(logas)
    integration = settings().integration_account_email if settings().integration_enabled else None
    if (
        owner is None
        or other is None
        or not rules.may_act_as(owner, other, integration_email=integration)
    ):
        raise KeyUnknown(in_request("Header X-Api-Key and/or X-Logas not valid."))
    return other


def _of_key(key: str) -> Account | None:
    digest = vault.digest(key)
    known = _by_key.get(digest)
    if known is not None:
        return known
    record = store.by_key(digest) if key else None
    if record is None or not record.account.active:
        return None
    _by_key.put(digest, record.account)
    return record.account


def _of_email(email: str) -> Account | None:
    known = _by_email.get(email)
    if known is not None:
        return known
    record = store.by_email(email) if email else None
    if record is None or not record.account.active:
        return None
    _by_email.put(email, record.account)
    return record.account


def add(
    email: str,
    *,
    roles: Iterable[Role] = (),
    name: str | None = None,
    manager: str | None = None,
    hook: tuple[str, str, str] | None = None,
) -> tuple[Account, str]:
    """The account and its API key: a new one, or the one there is, brought to what is given.

    `hook` is the webhook's address and its header's name and value. An admin is a moteur and an
    operateur too (stats-and-ops 8). Raises AccountUnknown for the manager.
    """
    wanted = frozenset(roles)
    if Role.ADMIN in wanted:
        wanted |= {Role.MOTEUR, Role.OPERATEUR}
    before = store.by_email(email)
    if before is None:
        key = str(uuid.uuid4())
        record = store.Record(
            account=Account(config.next_number("account"), email, frozenset()),
            name=email,
            key_digest=vault.digest(key),
            sealed_key=vault.seal(key),
        )
    else:
        key, record = vault.unseal(before.sealed_key), before
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
    )
    if changed != before:
        store.put(changed, before=before)
    return account, key


def find(email: str) -> store.Record:
    """The account of an e-mail. Raises AccountUnknown."""
    record = store.by_email(email)
    if record is None:
        raise AccountUnknown(in_request(f"There is no account {email!r}."))
    return record


def set_active(email: str, *, active: bool) -> Account:
    """Suspends an account, or lets it in again. Raises AccountUnknown."""
    record = find(email)
    account = replace(record.account, active=active)
    if account != record.account:
        store.put(replace(record, account=account), before=record)
    return account


def rotate_key(email: str) -> tuple[Account, str]:
    """Gives the account a new API key; the old one opens nothing any more. Raises AccountUnknown."""
    record = find(email)
    key = str(uuid.uuid4())
    store.put(
        replace(record, key_digest=vault.digest(key), sealed_key=vault.seal(key)), before=record
    )
    return record.account, key
