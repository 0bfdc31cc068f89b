"""Accounts, roles and impersonation (`X-Logas`): pure."""

import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import Struct

from chalicelib.taxis.vocabulary import Account, Role

LONGEST_OVERLAP = timedelta(days=30)  # for which an account's old key opens beside the new one


def implied(roles: Iterable[Role]) -> frozenset[Role]:
    """The roles with those that they imply: an admin is a moteur and an operateur [contract: Accounts by command]."""
    named = frozenset(roles)
    return named | {Role.MOTEUR, Role.OPERATEUR} if Role.ADMIN in named else named


def may_act_as(key_owner: Account, other: Account, *, integration_email: str | None) -> bool:
    """Whether `X-Logas` lets the owner of the key act as another account [contract: Keys].

    `integration_email` is the integration account's where the feature is on, else None.
    """
    return (
        other.email == key_owner.email
        or key_owner.has(Role.ADMIN)
        or (integration_email is not None and other.email == integration_email)
        or other.manager_id == key_owner.id
    )


class Line(Struct, frozen=True):
    """A line of a list of accounts."""

    id: int
    email: str
    name: str
    roles: frozenset[Role]
    manager_id: int | None = None


class AccountFilter(Struct, frozen=True):
    """The filter of a list of accounts [contract: Lists of accounts]; an empty text filters nothing."""

    email: str = ""
    name: str = ""
    manager: str = ""
    role: str = ""


def visible(lines: Iterable[Line], filters: AccountFilter, *, viewer: Account) -> list[Line]:
    """The accounts that match the filter, in their order, of those that the viewer may see.

    Admins see all, others those that they manage; only admins may ask for a manager or a role.
    """
    lines = list(lines)
    is_admin = viewer.has(Role.ADMIN)
    emails = {line.id: line.email for line in lines}

    def matches(line: Line) -> bool:
        if not (_contains(line.email, filters.email) and _contains(line.name, filters.name)):
            return False
        if not is_admin:
            return line.manager_id == viewer.id
        manager = "" if line.manager_id is None else emails.get(line.manager_id, "")
        return _contains(manager, filters.manager) and (
            not filters.role or filters.role in line.roles
        )

    return [line for line in lines if matches(line)]


def _contains(text: str, part: str) -> bool:
    return part.casefold() in text.casefold()


class OldKey(NamedTuple):
    """The previous API key, valid until an agreed time."""

    digest: str
    sealed: str
    until: datetime


class OldNonce(NamedTuple):
    """What the previous signing secret of an account's hails was derived with, in use until an agreed time."""

    nonce: str
    until: datetime


class Record(Struct, frozen=True):
    """All that is kept of an account. `sealed_key` is decrypted by `sealing.unseal`, `key_digest` is what it is looked up by.

    `hooks.py` reads and writes what belongs to its webhook.
    """

    account: Account
    name: str
    key_digest: str
    sealed_key: str
    hail_endpoint_production: str = ""
    operator_header_name: str = ""
    sealed_operator_api_key: str = ""  # by the keys of webhooks; empty where there is none
    clear_operator_api_key: str = ""  # of before it was sealed: `put` seals it
    signing_nonce: str = ""
    email_customer: str = ""
    email_technical: str = ""
    phone_number_customer: str = ""
    phone_number_technical: str = ""
    password: str = ""  # its hash (`passwords.py`); empty for an account that has none
    fleet_size: int | None = None
    key_since: datetime | None = (
        None  # when its key was made; None for one of before this was noted
    )
    old_key: OldKey | None = None  # it may have run out
    old_nonce: OldNonce | None = None  # so may this
    version: int = 0

    def old_key_at(self, now: datetime) -> OldKey | None:
        """The previous API key, where it is still valid."""
        return self.old_key if self.old_key is not None and now < self.old_key.until else None

    def opens_with(self, key_digest: str, *, now: datetime) -> bool:
        """Whether this is the digest of a valid key."""
        old_key = self.old_key_at(now)
        own = (self.key_digest, *((old_key.digest,) if old_key else ()))
        return any(hmac.compare_digest(key_digest, digest) for digest in own)

    @property
    def line(self) -> Line:
        """Its line in lists."""
        account = self.account
        return Line(account.id, account.email, self.name, account.roles, account.manager_id)
