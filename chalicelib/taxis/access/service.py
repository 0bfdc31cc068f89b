"""Accounts: who a caller is, and what the other domains ask of them."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from chalicelib.foundation import cache, sealing
from chalicelib.foundation.errors import Unidentified, in_request
from chalicelib.foundation.rate_limit.store import throttle
from chalicelib.taxis.access import hooks, lists, rules, store
from chalicelib.taxis.access.rules import Line
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import Account

FAMILIAR_S = 3600


class KeyMissing(Unidentified):
    """No `X-Api-Key`."""


class KeyUnknown(Unidentified):
    """No active account has this key, or the key's owner may not act as the account of `X-Logas`."""


# An unknown key is never remembered, so that a new account works at once.
_by_key: cache.Memory[str, Account] = cache.Memory(
    lambda: 4096, lambda: float(settings().account_cache_s)
)
# Keys that have opened within the hour, by digest: who has one is no stranger, wherever it comes from.
_familiar: cache.Memory[str, bool] = cache.Memory(lambda: 4096, lambda: float(FAMILIAR_S))
_by_email: cache.Memory[str, Account] = cache.Memory(
    lambda: 4096, lambda: float(settings().account_cache_s)
)
_names: cache.Memory[int, str] = cache.Memory(
    lambda: 4096, lambda: float(settings().account_cache_s)
)


class Caller(NamedTuple):
    """The owner of a request's API key, and the account that it acts as: mostly the same."""

    owner: Account
    account: Account


def recognize(*, key: str | None, logas: str | None, now: datetime, anew: bool = False) -> Caller:
    """Authenticates a request by its API key and `X-Logas` [contract: Keys].

    A suspension or a new key bites within `account_cache_s`, and at once where it is read `anew`. Each
    request of a known key counts, even one that is refused here. Raises KeyMissing, KeyUnknown, TooManyRequests.
    """
    if key is None:
        raise KeyMissing(in_request("Header X-Api-Key required."))
    owner = _of_key(key, now, anew=anew)
    if owner is not None:
        throttle.take(owner.id, now=now)
    return _acting(owner, logas, anew=anew)


def confirm(*, key: str, logas: str | None, now: datetime) -> None:
    """Authenticates a request that is known once more, by what is stored now. Raises KeyUnknown."""
    _acting(_of_key(key, now, anew=True), logas, anew=True)


def _acting(owner: Account | None, logas: str | None, *, anew: bool) -> Caller:
    if logas is None:
        if owner is None:
            raise KeyUnknown(in_request("Header X-Api-Key not valid."))
        return Caller(owner, owner)
    other = None if owner is None else _of_email(logas, anew=anew)
    integration = settings().integration_account_email if settings().integration_enabled else None
    if (
        owner is None
        or other is None
        or not rules.may_act_as(owner, other, integration_email=integration)
    ):
        raise KeyUnknown(in_request("Header X-Api-Key and/or X-Logas not valid."))
    return Caller(owner, other)


def _of_key(key: str, now: datetime, *, anew: bool) -> Account | None:
    def opened(digest: str) -> rules.Record | None:
        record = store.by_key(digest)
        return record if record is not None and record.opens_with(digest, now=now) else None

    if not key:
        return None
    digest = sealing.digest(key)
    owner = _active(_by_key, digest, opened, anew=anew)
    if bool(_familiar.get(digest)) != (owner is not None):
        _familiar.put(digest, owner is not None)
    return owner


def owner_of(key: str, *, now: datetime) -> Account | None:
    """The active account of a key, as `recognize` last found it: for the log, it counts as no request."""
    return _of_key(key, now, anew=False)


def is_familiar(key: str | None) -> bool:
    """Whether a key has opened in this process within the hour, and has not been refused since: no call."""
    return bool(key and _familiar.get(sealing.digest(key)))


def _of_email(email: str, *, anew: bool) -> Account | None:
    return _active(_by_email, email, store.by_email, anew=anew) if email else None


def _active(
    memory: cache.Memory[str, Account],
    name: str,
    read: Callable[[str], rules.Record | None],
    *,
    anew: bool,
) -> Account | None:
    """The active account of a name; one that is unknown or suspended is not remembered."""
    known = None if anew else memory.get(name)
    if known is not None:
        return known
    record = read(name)
    if record is None or not record.account.active:
        return None
    memory.put(name, record.account)
    return record.account


def signer(email: str, *, now: datetime) -> tuple[Account, list[str]] | None:
    """The active account of an e-mail and its API keys, newest first, as the last write left them."""
    record = store.by_email(email) if email else None
    if record is None or not record.account.active:
        return None
    old_key = record.old_key_at(now)
    sealed_keys = (record.sealed_key, *((old_key.sealed,) if old_key else ()))
    return record.account, [sealing.unseal(sealed_key) for sealed_key in sealed_keys]


def hook_of(account_id: int, *, now: datetime) -> hooks.Hook | None:
    """An operator's webhook, read strongly; None where it has none."""
    record = store.by_id(account_id)
    if record is None or not record.hail_endpoint_production:
        return None
    return hooks.hook(record, now=now)


def every_line() -> list[Line]:
    """A line on each account, by id; of the 10,000 with the lowest ids (`lists.LISTED`)."""
    return lists.every()


def managed_by(manager_id: int) -> list[Line]:
    """A line on each account that one manages, by id."""
    return lists.managed_by(manager_id)


def records(account_ids: Iterable[int]) -> list[rules.Record]:
    """The records of the accounts that exist, by id."""
    found = store.by_ids(frozenset(account_ids))
    return sorted(found, key=lambda record: record.account.id)


def names_of(account_ids: Iterable[int]) -> Mapping[int, str]:
    """The names of the accounts that exist, by id, at most `account_cache_s` old."""
    ids = set(account_ids)
    names = _names.get_many(ids)
    for account_id in ids - names.keys():
        record = store.by_id(account_id)
        if record is not None:
            names[account_id] = record.name
            _names.put(account_id, record.name)
    return names
