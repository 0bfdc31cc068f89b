"""Filters of statistics by territory and account [contract: Statistics pages]: pure."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from msgspec import Struct

from chalicelib.taxis.territory.rules import departement_of


class Placed(Protocol):
    """What belongs to a town, by its code, and an account, as an owner of records."""

    @property
    def insee(self) -> str: ...
    @property
    def owner(self) -> str: ...


P = TypeVar("P", bound=Placed)


class Filter(Struct, frozen=True):
    """Filters of a statistic: each must match; None matches everything.

    `owners` are accounts as owners of records (`Account.owner`): those of `groups`, of `manager`, or
    of both at once.
    """

    departements: frozenset[str] | None = None
    insees: frozenset[str] | None = None
    owners: frozenset[str] | None = None

    def takes_town(self, insee: str) -> bool:
        """Whether a town matches; `""` is no town."""
        return (self.insees is None or insee in self.insees) and (
            self.departements is None or departement_of(insee) in self.departements
        )

    def takes_owner(self, owner: str) -> bool:
        """Whether an account matches."""
        return self.owners is None or owner in self.owners

    def among(self, records: Iterable[P]) -> list[P]:
        """The records of the towns and accounts that are asked for."""
        return [
            one for one in records if self.takes_town(one.insee) and self.takes_owner(one.owner)
        ]

    @property
    def by_territory(self) -> bool:
        """Whether the filter is for a part of the country only."""
        return self.departements is not None or self.insees is not None


EVERYTHING = Filter()
