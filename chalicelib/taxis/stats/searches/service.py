"""Counting of searches from their stream, folding by day, and the statistics of searches."""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import chain

from msgspec import Struct

from chalicelib.foundation import cache, clock
from chalicelib.foundation.jobs.rules import Page
from chalicelib.foundation.observe import logs
from chalicelib.foundation.store.sheets import SheetTooLarge
from chalicelib.taxis.search.rules import Search
from chalicelib.taxis.stats import heat as heat_map
from chalicelib.taxis.stats.calendar import months_before
from chalicelib.taxis.stats.filters import Filter
from chalicelib.taxis.stats.heat import Points
from chalicelib.taxis.stats.searches import rules, store
from chalicelib.taxis.stats.searches.rules import Count, Counts, Figure, Place, SearchQuartiles
from chalicelib.taxis.stats.searches.store import Totals
from chalicelib.taxis.territory.rules import departement_of

TOP = 10  # of the accounts that search most
REMEMBERED_S = 300.0  # how old an answer may be

_log = logging.getLogger("maraude.searches")

_quartiles: cache.Memory[Filter, SearchQuartiles] = cache.Memory(lambda: 100, lambda: REMEMBERED_S)
_moteurs: cache.Memory[date, Counts] = cache.Memory(lambda: 1, lambda: REMEMBERED_S)
_heat: cache.Memory[str, Points] = cache.Memory(lambda: 1, lambda: REMEMBERED_S)


# --- counting -------------------------------------------------------------------------------------


class Report(Struct, frozen=True):
    """A record of the stream: its searches, its place in its shard, when it reached the stream."""

    sequence_number: int
    arrived_at: datetime
    searches: Sequence[Search]


class BatchCount(Struct, frozen=True):
    """Searches of a batch: new ones, those `known` from before, those `lost` to sheets that are full."""

    searches: int
    known: int
    lost: int
    sheets: int


def count(shard: str, reports: Iterable[Report]) -> BatchCount:
    """Counts the reports of a shard of the stream, in their order, each of them once.

    A strong reading and a write for each day and departement that they touch. A batch that was
    broken off, or comes again, adds what is missing.
    """
    by_place: dict[Place, list[tuple[int, Search]]] = {}
    for report in reports:
        arrival_hour = int(report.arrived_at.timestamp()) // 3600
        for noted in report.searches:
            search = rules.timely(noted, arrival_hour=arrival_hour)
            by_place.setdefault(rules.place_of(search), []).append((report.sequence_number, search))
    new = known = lost = 0
    for place, searches in by_place.items():
        try:
            fresh = store.count(place, shard, searches)
        except SheetTooLarge as error:
            # Held back, they would hold all that comes after them, and not fit later either.
            logs.fault(_log, error, "sheet_full", departement=str(place), shard=shard)
            lost += len(searches)
        else:
            new += fresh
            known += len(searches) - fresh
    return BatchCount(new, known, lost, len(by_place))


def fold(*, now: datetime, after: str | None, dry_run: bool) -> Page:
    """A page of the job `fold-searches`: a tenth of a day, from its own sheets into the totals.

    Only days that no report can come for any more are folded (`rules.COMPLETE_AFTER`); what is not
    folded yet is read from them. Costs the reading of the tenth, and a strong reading and a
    write of each sheet of totals that it touches.
    """
    end = store.part_of((now - rules.COMPLETE_AFTER).date())
    part = max(int(after or 0), _through(now)) + 1
    if part >= end:
        return Page()
    found = store.parts(store.day_of(part), begins=f"{part % 10}", consistent=True)
    counts = rules.counts_of(chain.from_iterable(some for _, some in found))
    sheets = 0 if dry_run else store.fold(part, counts)
    done = {"parts": 1, "searches": rules.total(counts), "sheets": sheets}
    return Page(done, f"{part}" if part + 1 < end else None)


# --- reading --------------------------------------------------------------------------------------


def quartiles(filters: Filter) -> SearchQuartiles:
    """The quartiles over all searches in the towns asked for, at most `REMEMBERED_S` old.

    All None where accounts are asked for: whose taxis a search found is not kept.
    """
    if filters.owners is not None:
        return SearchQuartiles()
    return _quartiles.of(filters, lambda: rules.quartiles(_in_towns(filters, now=clock.now())))


def top_moteurs(filters: Filter, *, now: datetime) -> list[tuple[int, int]]:
    """The ten accounts that searched most in the towns asked for since this day of last month.

    (id, searches), most first. Empty where accounts are asked for, as the reference has it.
    """
    if filters.owners is not None:
        return []
    since = months_before(now, 1).date()

    def read() -> Counts:
        through = _through(now)
        unfolded = _unfolded(through, {}, now=now)
        found = chain(store.moteurs(since=since, through=through), unfolded)
        return rules.counts_of(count for count in found if count.figure is Figure.MOTEUR)

    totals = Counter[int]()
    for (_, insee, moteur), times in _moteurs.of(since, read).items():
        if filters.takes_town(insee):
            totals[moteur] += times
    return sorted(totals.items(), key=lambda one: (-one[1], one[0]))[:TOP]


def heat() -> Points:
    """Heat map of searches: the cells with most of them first; at most `REMEMBERED_S` old."""

    def read() -> Points:
        now = clock.now()
        through, totals = _through(now), store.cell_totals()
        weights = Counter[str]()
        for count in _all(totals, through, now=now):
            if count.figure is Figure.CELL:
                weights[count.place] += count.times
        return heat_map.points(heat_map.heaviest(weights))

    return _heat.of("heat", read)


def _in_towns(filters: Filter, *, now: datetime) -> Iterator[Count]:
    """The counts of the towns asked for; each departement is read by itself."""
    through = _through(now)
    for departement in _departements(filters):
        totals = store.town_totals(begins=departement or "")
        begins = departement and f"{departement}#"
        for count in _all(totals, through, begins=begins or "", now=now):
            town = count.place
            # A number that is none, as 97, is the beginning of others.
            if departement in (None, departement_of(town)) and filters.takes_town(town):
                yield count


def _departements(filters: Filter) -> Collection[str | None]:
    """The departements of the matching towns; None is all of them."""
    if filters.insees is None:
        return (None,) if filters.departements is None else filters.departements
    of_towns = frozenset(map(departement_of, filters.insees))
    return of_towns if filters.departements is None else of_towns & filters.departements


def _all(totals: Totals, through: int, *, begins: str = "", now: datetime) -> Iterator[Count]:
    """What is in the totals, which are read after `through`, and what is in none of them yet."""
    in_totals: dict[str, int] = {}
    for entry, total in totals:
        in_totals[entry] = total.through
        yield from total.counts
    yield from _unfolded(through, in_totals, begins=begins, now=now)


def _unfolded(
    through: int, in_totals: Mapping[str, int], *, begins: str = "", now: datetime
) -> Iterator[Count]:
    """The counts of the parts that were not folded when `through` was read, less those in the totals."""
    day = store.day_of(through + 1)
    while day <= now.date():
        for part, counts in store.parts(day, begins=begins):
            for count in counts:
                if part > max(through, in_totals.get(store.together(count.place), 0)):
                    yield count
        day += timedelta(days=1)


def _through(now: datetime) -> int:
    """The last part that is folded, or that is forgotten anyway."""
    forgotten = store.part_of(now.date() - store.KEPT - timedelta(days=1)) - 1
    return max(store.folded_through(), forgotten)
