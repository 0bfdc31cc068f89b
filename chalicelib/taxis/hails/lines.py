"""Lines of hail lists, sessions, and the filter of GET /hails: pure."""

from collections.abc import Collection, Sequence
from datetime import datetime

from msgspec import Struct

from chalicelib.foundation.values import milliseconds
from chalicelib.taxis.hails.rules import Hail, Status, day_of, knows_taxi
from chalicelib.taxis.vocabulary import Account, Role


def moment_entry(at: datetime, name: str) -> str:
    """A key that sorts by time."""
    return f"{milliseconds(at):015}#{name}"


class Line(Struct, frozen=True):
    """A hail in a list: what lists show of it and filter by; the names are those of `Hail`."""

    hail_id: str
    status: Status
    created_at: datetime
    deadline: datetime | None
    moteur_id: int
    moteur: str
    operateur_id: int
    operateur: str
    customer_id: str
    taxi_id: str
    shown_taxi_id: str

    @property
    def entry(self) -> str:
        """Its key in every list: lists are in the order of creation."""
        return moment_entry(self.created_at, self.hail_id)

    def taxi_id_for(self, viewer: Account) -> str:
        """The taxi's id as this account knows it."""
        return self.taxi_id if knows_taxi(viewer, self.operateur_id) else self.shown_taxi_id


def line_of(hail: Hail) -> Line:
    """A hail's line."""
    return Line(**{name: getattr(hail, name) for name in Line.__struct_fields__})


class Session(Struct, frozen=True):
    """A session, and the ids of its hails. `begun_at` is when its first hail was created."""

    session_id: str
    moteur_id: int
    customer_id: str
    begun_at: datetime
    hail_ids: frozenset[str]


class SessionHails(Struct, frozen=True):
    """A session with its hails, oldest first."""

    session: Session
    hails: Sequence[Hail]


class Filter(Struct, frozen=True):
    """The query of GET /hails: of each filter any value, of all filters each [contract: Lists of hails].

    Texts match what begins with them, whatever the case; `dates` are days in UTC.
    """

    ids: Collection[str] = ()
    moteurs: Collection[str] = ()
    operateurs: Collection[str] = ()
    taxi_ids: Collection[str] = ()
    customer_ids: Collection[str] = ()
    statuses: Collection[Status] = ()
    dates: Collection[str] = ()

    def accepts(self, line: Line, viewer: Account) -> bool:
        """Whether the list shows the hail. A taxi is asked for by the id that the viewer is shown."""
        operateurs = self.operateurs if viewer.has(Role.ADMIN) else ()
        return (
            _begins(line.hail_id, self.ids)
            and _begins(line.moteur, self.moteurs)
            and _begins(line.operateur, operateurs)
            and _begins(line.taxi_id_for(viewer), self.taxi_ids)
            and _begins(line.customer_id, self.customer_ids)
            and (not self.statuses or line.status in self.statuses)
            and (not self.dates or day_of(line.created_at) in self.dates)
        )


def _begins(text: str, prefixes: Collection[str]) -> bool:
    return not prefixes or text.casefold().startswith(tuple(map(str.casefold, prefixes)))
