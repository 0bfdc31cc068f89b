"""The survey of all registered taxis: taken each hour by a job, read by the statistics."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from chalicelib.foundation import cache
from chalicelib.foundation.jobs.rules import Page
from chalicelib.taxis.registry import service as registry
from chalicelib.taxis.stats.filters import Filter
from chalicelib.taxis.stats.fleets import rules, store
from chalicelib.taxis.stats.fleets.rules import FleetSummary, OwnerFleet, Survey

_latest: cache.Memory[str, Survey] = cache.Memory(lambda: 1, lambda: 60.0)


def count_fleets(*, now: datetime, after: str | None = None, dry_run: bool = False) -> Page:  # noqa: ARG001  # one page
    """The hour's job: counts all taxis anew, so that whatever became of them shows.

    One page, for a survey that went on in the middle would be of no one moment: what is broken off
    is begun again. Reads all taxis and descriptions, some 5,400 units for 60,000 taxis and 54,000
    for 600,000; counting again is harmless.
    """
    fleets = rules.count(registry.every_taxi(), at=now)
    if not dry_run:
        store.put_survey(fleets, at=now)
    return Page({"taxis": sum(fleet.count for fleet in fleets), "fleets": len(fleets)})


def summary(filters: Filter) -> FleetSummary:
    """How many taxis are registered and connected, now and before, and their radius."""
    return rules.summary(_survey(), filters)


def of_owners(filters: Filter) -> Mapping[str, OwnerFleet]:
    """The fleets of the accounts that have such taxis."""
    return rules.of_owners(_survey(), filters)


def of_departements(filters: Filter) -> Mapping[str, int]:
    """The taxis by departement of their licence, three characters overseas."""
    return rules.of_departements(_survey(), filters)


def registered_before(members: Collection[str], months: Sequence[str]) -> list[int]:
    """For each month (`YYYY-MM`) the taxis of these towns that were added before its first day, UTC."""
    return rules.registered_before(_survey(), members, months)


def _survey() -> Survey:
    """The latest survey, at most a minute behind the store."""
    known = _latest.get("latest")
    if known is None:
        known = store.latest_survey()
        _latest.put("latest", known)
    return known
