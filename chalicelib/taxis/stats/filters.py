"""Filters of statistics by territory and account [contract: Statistics pages]: pure."""

from msgspec import Struct

from chalicelib.taxis.territory.rules import departement_of


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

    def takes(self, insee: str, owner: str) -> bool:
        """Whether a town and an account match."""
        return self.takes_town(insee) and self.takes_owner(owner)

    @property
    def by_territory(self) -> bool:
        """Whether the filter is for a part of the country only."""
        return self.departements is not None or self.insees is not None


EVERYTHING = Filter()
