"""Accounts, their roles, and who may act as whom: pure."""

from collections.abc import Iterable
from datetime import timedelta

from msgspec import Struct

from chalicelib.taxis.vocabulary import Account, Role

LONGEST_OVERLAP = timedelta(days=30)  # for which an account's old key opens beside the new one


def implied(roles: Iterable[Role]) -> frozenset[Role]:
    """The roles with those that come along: an admin is a moteur and an operateur (stats-and-ops 8)."""
    wanted = frozenset(roles)
    return wanted | {Role.MOTEUR, Role.OPERATEUR} if Role.ADMIN in wanted else wanted


def may_act_as(key_owner: Account, other: Account, *, integration_email: str | None) -> bool:
    """Whether `X-Logas` lets the owner of the key act as another account (letaxi-api 2).

    `integration_email` is the integration account's where the feature is on, else None.
    """
    return (
        other.email == key_owner.email
        or key_owner.has(Role.ADMIN)
        or (integration_email is not None and other.email == integration_email)
        or other.manager_id == key_owner.id
    )


class Line(Struct, frozen=True):
    """What a list of accounts says of one of them."""

    id: int
    email: str
    name: str
    roles: frozenset[Role]
    manager_id: int | None = None


class Wanted(Struct, frozen=True):
    """Which accounts are asked for (letaxi-api 10.4); an empty text asks for nothing in particular."""

    email: str = ""
    name: str = ""
    manager: str = ""
    role: str = ""


def visible(lines: Iterable[Line], wanted: Wanted, *, viewer: Account) -> list[Line]:
    """The accounts that are asked for, in their order, of those that the viewer may see.

    Admins see all, others those that they manage; only admins may ask for a manager or a role.
    """
    lines = list(lines)
    is_admin = viewer.has(Role.ADMIN)
    emails = {line.id: line.email for line in lines}

    def is_wanted(line: Line) -> bool:
        if not (_contains(line.email, wanted.email) and _contains(line.name, wanted.name)):
            return False
        if not is_admin:
            return line.manager_id == viewer.id
        manager = "" if line.manager_id is None else emails.get(line.manager_id, "")
        return _contains(manager, wanted.manager) and (not wanted.role or wanted.role in line.roles)

    return [line for line in lines if is_wanted(line)]


def _contains(text: str, part: str) -> bool:
    return part.casefold() in text.casefold()
