"""Survey of all registered taxis: taken by an hourly job, read by the statistics."""

from datetime import datetime

from chalicelib.foundation import cache
from chalicelib.foundation.jobs.rules import Page
from chalicelib.taxis.registry import service as registry
from chalicelib.taxis.stats.fleets import rules, store
from chalicelib.taxis.stats.fleets.rules import Survey

_latest: cache.Memory[str, Survey] = cache.Memory(lambda: 1, lambda: 60.0)


def count_fleets(*, now: datetime, after: str | None = None, dry_run: bool = False) -> Page:  # noqa: ARG001  # one page
    """The hourly job: counts all taxis anew.

    One page, for a survey that went on in the middle would be of no one moment: what is broken off
    is begun again. Reads all taxis and descriptions, some 5,400 units for 60,000 taxis and 54,000
    for 600,000; counting again is harmless.
    """
    fleets = rules.count(registry.every_taxi(), at=now)
    if not dry_run:
        store.put_survey(fleets, at=now)
    return Page({"taxis": sum(fleet.count for fleet in fleets), "fleets": len(fleets)})


def survey() -> Survey:
    """The latest survey, at most a minute behind the store."""
    return _latest.of("latest", store.latest_survey)
