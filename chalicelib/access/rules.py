"""Accounts, their roles, and who may act as whom: pure."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What an account may do (letaxi-api 3). `groupement` and `editeur` are labels for statistics."""

    ADMIN = "admin"
    OPERATEUR = "operateur"
    MOTEUR = "moteur"
    GROUPEMENT = "groupement"
    EDITEUR = "editeur"


@dataclass(frozen=True, slots=True)
class Account:
    """Whoever a request is made as. `email` is its login and its name as an operator; it need not be an address."""

    id: int
    email: str
    roles: frozenset[Role]
    manager_id: int | None = None
    active: bool = True

    def has(self, *roles: Role) -> bool:
        """Whether it has at least one of the roles."""
        return not self.roles.isdisjoint(roles)

    @property
    def owner(self) -> str:
        """The account as the owner of records: the first part of their keys."""
        return str(self.id)


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
