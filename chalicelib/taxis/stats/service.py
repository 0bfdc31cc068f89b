"""Statistics pages, put together from the counts of each subject.

No request walks over taxis, hails or searches: it reads sheets that jobs wrote, and at most a list
of accounts. What is shown is as old as its schedule (`jobs/service.py`).
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from msgspec.structs import asdict

from chalicelib.foundation import cache
from chalicelib.taxis.access import service as access
from chalicelib.taxis.access.rules import Line
from chalicelib.taxis.stats.active import service as active
from chalicelib.taxis.stats.calendar import months_before
from chalicelib.taxis.stats.filters import Filter
from chalicelib.taxis.stats.fleets import service as fleets
from chalicelib.taxis.stats.hails import service as hails
from chalicelib.taxis.stats.pages import (
    AccountChoice,
    DepartementCount,
    Group,
    Groups,
    Position,
    PublicFigures,
    Searcher,
    SearchStatistics,
    TaxiStatistics,
)
from chalicelib.taxis.stats.searches import service as searches
from chalicelib.taxis.territory import service as territory
from chalicelib.taxis.vocabulary import Role

MONTH_DAYS = 30  # of the hails in `monthly_hails_per_taxi`

_public: cache.Memory[str, PublicFigures] = cache.Memory(lambda: 1, lambda: 300.0)


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


def taxis(filters: Filter, *, now: datetime) -> TaxiStatistics:
    """Registered and connected taxis, now and at the milestones."""
    fleet = fleets.survey().summary(filters)
    connected = fleet.connected_taxis.today
    received = hails.received_in_last_days(filters, now=now, days=MONTH_DAYS)
    per_hour = active.connected_per_hour(filters)
    return TaxiStatistics(
        **asdict(fleet),
        connected_taxis_now=active.active_now().within(filters),
        connected_taxis_per_hour={str(hour): mean for hour, mean in per_hour.items()},
        monthly_hails_per_taxi=received / connected if connected else 0.0,
    )


def groups(filters: Filter) -> Groups:
    """The groups, by e-mail; where towns are asked for, only those with taxis of these towns."""
    lines = access.every_line()
    emails = {line.id: line.email for line in lines}
    fleets_of = fleets.survey().of_owners(filters)
    wanted = [line.id for line in _groups(lines) if filters.takes_owner(str(line.id))]
    found = []
    for record in access.records(wanted):
        account, size = record.account, record.fleet_size
        fleet = fleets_of.get(account.owner)
        count = fleet.count if fleet else 0
        if fleet or not filters.by_territory:
            found.append(
                Group(
                    account.id,
                    account.email,
                    size,
                    count,
                    100 * count / size if size else None,
                    _moment(fleet.last_added_at) if fleet else None,
                    None if account.manager_id is None else emails.get(account.manager_id),
                )
            )
    return Groups(sorted(found, key=lambda group: group.email))


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat()


def _groups(lines: Iterable[Line]) -> list[Line]:
    return [line for line in lines if Role.GROUPEMENT in line.roles]


def group_accounts(search: str) -> list[AccountChoice]:
    """The accounts of groups whose e-mail or name contains a text, whatever its case, by e-mail."""
    part = search.casefold()
    return _choice(
        line
        for line in _groups(access.every_line())
        if part in line.email.casefold() or part in line.name.casefold()
    )


def managers() -> list[AccountChoice]:
    """The accounts that manage others, by e-mail."""
    lines = access.every_line()
    managing = {line.manager_id for line in lines}
    return _choice(line for line in lines if line.id in managing)


def _choice(lines: Iterable[Line]) -> list[AccountChoice]:
    by_email = sorted(lines, key=lambda line: line.email)
    return [AccountChoice(line.id, line.email, line.name) for line in by_email]


def departements(filters: Filter) -> list[DepartementCount]:
    """The departements that have taxis, by number."""
    names, points = territory.departement_names(), territory.departement_points()
    return [
        DepartementCount(
            numero,
            names.get(numero, ""),
            count,
            Position(points[numero]) if numero in points else None,
        )
        for numero, count in sorted(fleets.survey().of_departements(filters).items())
    ]


def search_statistics(filters: Filter, *, now: datetime) -> SearchStatistics:
    """Quartiles of search results, and the accounts that search most."""
    top = searches.top_moteurs(filters, now=now)
    emails = {
        record.account.id: record.account.email
        for record in access.records([id_ for id_, _ in top])
    }
    return SearchStatistics(
        searches.quartiles(filters),
        [Searcher(emails.get(account_id, ""), count) for account_id, count in top],
    )


def public_figures(*, now: datetime) -> PublicFigures:
    """The figures of the public page, at most five minutes old: anybody may ask, as often as they like."""

    def read() -> PublicFigures:
        lines = access.every_line()
        months = [f"{months_before(now, back):%Y-%m}" for back in range(12, -1, -1)]
        percents: dict[str, dict[str, float | None]] = {month: {} for month in months}
        growth = {}
        for one in territory.conurbations():
            counts = fleets.survey().registered_before(one.members, months)
            for month, count in zip(months, counts, strict=True):
                declared = one.declared_ads
                percents[month][one.conurbation_id] = (
                    round(100 * count / declared, 2) if declared else None
                )
            growth[one.conurbation_id] = hails.growth(one.members, now=now)
        return PublicFigures(
            groups=len(_groups(lines)),
            apps=sum(Role.EDITEUR in line.roles for line in lines),
            taxis_connected=[(f"{month}-01", percents[month]) for month in months],
            hails_growth=growth,
        )

    return _public.of("figures", read)
