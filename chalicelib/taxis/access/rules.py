"""Accounts, roles and impersonation (`X-Logas`): pure."""

from collections.abc import Iterable
from datetime import timedelta

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
