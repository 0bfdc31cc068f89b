"""Survey of registered taxis, and the figures made of it: pure [contract: Figures of the statistics]."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from chalicelib.taxis.registry.rules import SurveyedTaxi
from chalicelib.taxis.stats.calendar import THRESHOLD, Milestones
from chalicelib.taxis.stats.filters import Filter
from chalicelib.taxis.territory.rules import departement_of


class TownFleet(Struct, frozen=True):
    """The taxis of one owner in one town; there is at least one.

    A taxi is registered from when it was added, and connected from when its operator last set its
    status. "Since threshold" leaves out what was before the decree. `added_in` are the taxis by
    calendar month of their adding (`{"2026-11": 5}`), in UTC.
    """

    insee: str
    owner: str
    registered: Milestones
    connected: Milestones
    registered_since_threshold: Milestones
    connected_since_threshold: Milestones
    with_radius: int
    radius_sum_m: int
    last_added_at: datetime
    added_in: Mapping[str, int]

    @property
    def count(self) -> int:
        """All its taxis."""
        return self.registered.today


class FleetSummary(Struct, frozen=True):
    """The taxis that were asked for, in the contract's names.

    `average_radius` is in metres, of the taxis that have a radius; `average_radius_change` is how
    many percent have one. Both are None of no taxis.
    """

    registered_taxis: Milestones
    connected_taxis: Milestones
    registered_taxis_since_threshold: Milestones
    connected_taxis_since_threshold: Milestones
    average_radius: float | None
    average_radius_change: float | None


class OwnerFleet(Struct, frozen=True):
    """An owner's number of taxis, and when it added the newest."""

    count: int
    last_added_at: datetime


class Survey(Struct, frozen=True):
    """All taxis as of one moment, by town and owner; `at` is None where none was taken."""

    at: datetime | None
    fleets: Sequence[TownFleet]

    def summary(self, filters: Filter) -> FleetSummary:
        """How many taxis are registered and connected, now and before, and their radius."""
        fleets = filters.among(self.fleets)
        count = sum(fleet.count for fleet in fleets)
        with_radius = sum(fleet.with_radius for fleet in fleets)
        radius_sum_m = sum(fleet.radius_sum_m for fleet in fleets)
        return FleetSummary(
            Milestones.sum(fleet.registered for fleet in fleets),
            Milestones.sum(fleet.connected for fleet in fleets),
            Milestones.sum(fleet.registered_since_threshold for fleet in fleets),
            Milestones.sum(fleet.connected_since_threshold for fleet in fleets),
            average_radius=radius_sum_m / with_radius if with_radius else None,
            average_radius_change=100 * with_radius / count if count else None,
        )

    def of_owners(self, filters: Filter) -> dict[str, OwnerFleet]:
        """The fleets of the accounts that have such taxis."""
        found: dict[str, OwnerFleet] = {}
        for fleet in filters.among(self.fleets):
            known = found.get(fleet.owner, OwnerFleet(0, fleet.last_added_at))
            found[fleet.owner] = OwnerFleet(
                known.count + fleet.count, max(known.last_added_at, fleet.last_added_at)
            )
        return found

    def of_departements(self, filters: Filter) -> dict[str, int]:
        """The taxis by departement of their licence, three characters overseas."""
        found = Counter[str]()
        for fleet in filters.among(self.fleets):
            found[departement_of(fleet.insee)] += fleet.count
        return dict(found)

    def registered_before(self, members: Collection[str], months: Sequence[str]) -> list[int]:
        """For each month (`YYYY-MM`) the taxis of these towns that were added before its first day, UTC."""
        added_in = Counter[str]()
        for fleet in self.fleets:
            if fleet.insee in members:
                added_in.update(fleet.added_in)
        return [sum(n for earlier, n in added_in.items() if earlier < month) for month in months]


NO_SURVEY = Survey(None, ())


def count(taxis: Iterable[SurveyedTaxi], *, at: datetime) -> list[TownFleet]:
    """The fleets as of `at`; a taxi that was added then or later is left to the next survey."""
    by_place: dict[tuple[str, str], list[SurveyedTaxi]] = {}
    for taxi in taxis:
        if taxi.added_at < at:
            by_place.setdefault((taxi.insee, taxi.owner), []).append(taxi)
    return [_fleet(*place, by_place[place], at) for place in sorted(by_place)]


def _fleet(insee: str, owner: str, taxis: Sequence[SurveyedTaxi], at: datetime) -> TownFleet:
    added = [taxi.added_at for taxi in taxis]
    used = [
        taxi.usage.status_changed_at for taxi in taxis if taxi.usage.status_changed_at is not None
    ]
    radii_m = [taxi.usage.radius_m for taxi in taxis if taxi.usage.radius_m is not None]
    return TownFleet(
        insee,
        owner,
        registered=_reached(added, at),
        connected=_reached(used, at),
        registered_since_threshold=_reached([time for time in added if time >= THRESHOLD], at),
        connected_since_threshold=_reached([time for time in used if time >= THRESHOLD], at),
        with_radius=len(radii_m),
        radius_sum_m=sum(radii_m),
        last_added_at=max(added),
        added_in=Counter(f"{added_at:%Y-%m}" for added_at in added),
    )


def _reached(times: Collection[datetime], at: datetime) -> Milestones:
    """How many of the times are before each milestone."""
    return Milestones.at(at, lambda milestone: sum(time < milestone for time in times))
