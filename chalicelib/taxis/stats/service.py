"""What the statistics' pages show, put together from what each subject has counted.

No request walks over taxis, hails or searches: it reads sheets that jobs wrote, and at most a list
of accounts. What is shown is as old as its schedule (`jobs/service.py`).
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from chalicelib.foundation import cache
from chalicelib.foundation.geo import LngLat
from chalicelib.taxis.access import service as access
from chalicelib.taxis.access.rules import Account, Line, Role
from chalicelib.taxis.stats.active import service as active
from chalicelib.taxis.stats.calendar import months_before
from chalicelib.taxis.stats.filters import Filter
from chalicelib.taxis.stats.fleets import service as fleets
from chalicelib.taxis.stats.fleets.rules import FleetSummary
from chalicelib.taxis.stats.hails import service as hails
from chalicelib.taxis.stats.hails.rules import HailStatistics
from chalicelib.taxis.stats.searches import service as searches
from chalicelib.taxis.stats.searches.rules import SearchQuartiles
from chalicelib.taxis.territory import service as territory

MONTH_DAYS = 30  # of the hails in `monthly_hails_per_taxi`

Heat = Sequence[
    tuple[float, float, int]
]  # latitude and longitude of a cell's centre, and its weight


def filters(
    *,
    departements: Collection[str] | None = None,
    insees: Collection[str] | None = None,
    groups: Collection[int] | None = None,
    manager: int | None = None,
) -> Filter:
    """The filter of a request: accounts by their ids, those of a manager, or both at once."""
    owners = None if groups is None else frozenset(map(str, groups))
    if manager is not None:
        managed = frozenset(str(line.id) for line in access.managed_by(manager))
        owners = managed if owners is None else owners & managed
    return Filter(
        None if departements is None else frozenset(departements),
        None if insees is None else frozenset(insees),
        owners,
    )


class TaxiStatistics(Struct, frozen=True):
    """What GET /stats/taxis shows."""

    fleet: FleetSummary
    connected_now: int
    connected_per_hour: Mapping[int, float]
    monthly_hails_per_taxi: float


def taxis(asked: Filter, *, now: datetime) -> TaxiStatistics:
    """How many taxis there are and were, and what they are doing."""
    fleet = fleets.summary(asked)
    connected = fleet.connected_taxis.today
    received = hails.received_in_last_days(asked, now=now, days=MONTH_DAYS)
    return TaxiStatistics(
        fleet,
        active.connected_now(asked),
        active.connected_per_hour(asked),
        received / connected if connected else 0.0,
    )


def hail_statistics(asked: Filter, *, now: datetime) -> HailStatistics:
    """What became of hails."""
    return hails.statistics(asked, now=now)


# --- groups ---------------------------------------------------------------------------------------


class Group(Struct, frozen=True):
    """A group of taxis (`groupement`): how many it has of those that it says it has."""

    account: Account
    manager: str | None  # its manager's e-mail
    fleet_size: int | None
    count: int
    last_added_at: datetime | None

    @property
    def ratio(self) -> float | None:
        """Registered taxis in percent of the fleet that it declared; None where it declared none."""
        return 100 * self.count / self.fleet_size if self.fleet_size else None


def groups(asked: Filter) -> list[Group]:
    """The groups, by e-mail; where towns are asked for, only those with taxis of these towns."""
    lines = access.every_line()
    emails = {line.id: line.email for line in lines}
    wanted = [
        line.id
        for line in lines
        if Role.GROUPEMENT in line.roles and asked.takes_owner(str(line.id))
    ]
    of_owners = fleets.of_owners(asked)
    found = []
    for record in access.records(wanted):
        account = record.account
        fleet = of_owners.get(account.owner)
        if fleet is None and asked.by_territory:
            continue
        found.append(
            Group(
                account,
                None if account.manager_id is None else emails.get(account.manager_id),
                record.fleet_size,
                fleet.count if fleet else 0,
                fleet.last_added_at if fleet else None,
            )
        )
    return sorted(found, key=lambda group: group.account.email)


def group_accounts(search: str) -> list[Line]:
    """The accounts of groups whose e-mail or name contains a text, whatever its case, by e-mail."""
    part = search.casefold()
    found = [
        line
        for line in access.every_line()
        if Role.GROUPEMENT in line.roles
        and (part in line.email.casefold() or part in line.name.casefold())
    ]
    return sorted(found, key=lambda line: line.email)


def managers() -> list[Line]:
    """The accounts that manage others, by e-mail."""
    lines = access.every_line()
    managing = {line.manager_id for line in lines}
    return sorted((line for line in lines if line.id in managing), key=lambda line: line.email)


# --- maps -----------------------------------------------------------------------------------------


class DepartementCount(Struct, frozen=True):
    """The taxis with a licence of a departement, and a point inside it where its towns are known."""

    numero: str
    nom: str
    count: int
    point: LngLat | None


def departements(asked: Filter) -> list[DepartementCount]:
    """The departements that have taxis, by number."""
    names, points = territory.departement_names(), territory.departement_points()
    return [
        DepartementCount(numero, names.get(numero, ""), count, points.get(numero))
        for numero, count in sorted(fleets.of_departements(asked).items())
    ]


def hail_heat(*, now: datetime) -> Heat:
    """Where taxis were hailed."""
    return hails.heat(now=now)


def taxi_heat() -> Heat:
    """Where taxis are."""
    return active.taxi_heat()


def search_heat() -> Heat:
    """Where taxis were searched for."""
    return searches.heat()


# --- searches -------------------------------------------------------------------------------------


class SearchStatistics(Struct, frozen=True):
    """What GET /stats/searches shows: `moteurs` by their e-mails, those that searched most first."""

    quartiles: SearchQuartiles
    moteurs: Sequence[tuple[str, int]]


def search_statistics(asked: Filter, *, now: datetime) -> SearchStatistics:
    """What searches came to, and whose they were."""
    top = searches.top_moteurs(asked, now=now)
    emails = {
        record.account.id: record.account.email
        for record in access.records([id_ for id_, _ in top])
    }
    return SearchStatistics(
        searches.quartiles(asked),
        [(emails.get(account_id, ""), count) for account_id, count in top],
    )


# --- the public page ------------------------------------------------------------------------------


class PublicFigures(Struct, frozen=True):
    """What anybody may see: taxis in percent of the licences that each conurbation declared.

    `connected` has an entry for the first day of each month of the last year and of the present
    one. A conurbation that declared nothing, or had no hails a year ago, has None.
    """

    groups: int
    apps: int
    connected: Sequence[tuple[str, Mapping[str, float | None]]]
    growth: Mapping[str, float | None]


_public: cache.Memory[str, PublicFigures] = cache.Memory(lambda: 1, lambda: 300.0)


def public_figures(*, now: datetime) -> PublicFigures:
    """The figures of the public page, at most five minutes old: anybody may ask, as often as they like."""
    known = _public.get("figures")
    if known is None:
        known = _public_figures(now)
        _public.put("figures", known)
    return known


def _public_figures(now: datetime) -> PublicFigures:
    lines = access.every_line()
    months = [f"{months_before(now, back):%Y-%m}" for back in range(12, -1, -1)]
    percents: dict[str, dict[str, float | None]] = {month: {} for month in months}
    growth = {}
    for one in territory.conurbations():
        counts = fleets.registered_before(one.members, months)
        for month, count in zip(months, counts, strict=True):
            declared = one.declared_ads
            percents[month][one.conurbation_id] = (
                round(100 * count / declared, 2) if declared else None
            )
        growth[one.conurbation_id] = hails.growth(one.members, now=now)
    return PublicFigures(
        groups=sum(Role.GROUPEMENT in line.roles for line in lines),
        apps=sum(Role.EDITEUR in line.roles for line in lines),
        connected=[(f"{month}-01", percents[month]) for month in months],
        growth=growth,
    )
