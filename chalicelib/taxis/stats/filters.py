"""Which part of the country, and whose taxis, a statistic is asked for (letaxi-api 19): pure."""

from msgspec import Struct

from chalicelib.taxis.territory.rules import departement_of


class Filter(Struct, frozen=True):
    """Each filter that is given must hold; None asks for nothing in particular.

    `owners` are accounts as owners of records (`Account.owner`): those of `groups`, of `manager`, or
    of both at once.
    """

    departements: frozenset[str] | None = None
    insees: frozenset[str] | None = None
    owners: frozenset[str] | None = None

    def takes_town(self, insee: str) -> bool:
        """Whether a town is asked for; `""` is no town."""
        return (self.insees is None or insee in self.insees) and (
            self.departements is None or departement_of(insee) in self.departements
        )

    def takes_owner(self, owner: str) -> bool:
        """Whether an account is asked for."""
        return self.owners is None or owner in self.owners

    def takes(self, insee: str, owner: str) -> bool:
        """Whether something of this town and account is asked for."""
        return self.takes_town(insee) and self.takes_owner(owner)

    @property
    def by_territory(self) -> bool:
        """Whether only a part of the country is asked for."""
        return self.departements is not None or self.insees is not None


EVERYTHING = Filter()
