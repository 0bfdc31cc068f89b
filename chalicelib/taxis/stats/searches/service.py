"""What is searched: noted in passing, counted from a stream, folded by day, and read."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar

from msgspec import Struct

from chalicelib.foundation import cache, clock, geo
from chalicelib.foundation.geo import LngLat
from chalicelib.foundation.jobs.rules import Page
from chalicelib.foundation.observe import logs
from chalicelib.foundation.store.sheets import SheetTooLarge
from chalicelib.taxis.stats.calendar import months_before
from chalicelib.taxis.stats.filters import Filter
from chalicelib.taxis.stats.searches import rules, store
from chalicelib.taxis.stats.searches.rules import Counts, Place, Search, SearchQuartiles, TownCounts
from chalicelib.taxis.stats.searches.store import Record, Total
from chalicelib.taxis.stats.searches.stream import notes
from chalicelib.taxis.territory.rules import departement_of

T = TypeVar("T")

TOP = 10  # of the accounts that search most
HEAVIEST = 20_000  # cells of a heat map
REMEMBERED_S = 300.0  # how old an answer may be

_FIRST, _LAST = "0", "9"  # a town's code begins with a digit: the parts of a day

_log = logging.getLogger("maraude.searches")

_quartiles: cache.Memory[Filter, SearchQuartiles] = cache.Memory(lambda: 100, lambda: REMEMBERED_S)
_moteurs: cache.Memory[date, Counter[tuple[int, str]]] = cache.Memory(
    lambda: 1, lambda: REMEMBERED_S
)
_heat: cache.Memory[str, list[tuple[float, float, int]]] = cache.Memory(
    lambda: 1, lambda: REMEMBERED_S
)


# --- noting ---------------------------------------------------------------------------------------


def note(
    point: LngLat,
    *,
    insee: str,
    moteur: int,
    found: int,
    seen: int,
    nearest_m: float | None,
    now: datetime,
) -> None:
    """Notes a search that reached a town, to be sent to the stream in the background.

    `moteur` is the account's id, `nearest_m` the distance of the nearest of those found. Of the
    point only the geohash of 6 characters is kept. `stream.py` says what can be lost.
    """
    notes.add(
        Search(
            hour=_hour(now),
            insee=insee,
            moteur=moteur,
            found=found,
            seen=seen,
            nearest_m=None if nearest_m is None else round(nearest_m),
            geohash=geo.geohash6(point),
        )
    )


# --- counting -------------------------------------------------------------------------------------


class Report(Struct, frozen=True):
    """What a record of the stream holds, its place in its shard, and when it reached the stream."""

    sequence_number: int
    arrived_at: datetime
    searches: Sequence[Search]


class Counted(Struct, frozen=True):
    """What a batch came to: `known` were counted before, `lost` belong into sheets that are full."""

    searches: int
    known: int
    lost: int
    sheets: int


def count(shard: str, reports: Iterable[Report]) -> Counted:
    """Counts the reports of a shard of the stream, in their order, each of them once.

    A strong reading and a write for each day and departement that they touch. A batch that was
    broken off, or comes again, adds what is missing.
    """
    records: dict[Place, list[Record]] = {}
    for report in reports:
        searches: dict[Place, list[Search]] = {}
        arrival_hour = _hour(report.arrived_at)
        for noted in report.searches:
            search = rules.timely(noted, arrival_hour=arrival_hour)
            searches.setdefault(rules.place_of(search), []).append(search)
        for place, some in searches.items():
            records.setdefault(place, []).append(Record(report.sequence_number, some))
    new = known = lost = 0
    for place, of_place in records.items():
        total = sum(len(record.searches) for record in of_place)
        try:
            fresh = store.count(place, shard, of_place)
        except SheetTooLarge as error:
            # Held back, they would hold all that comes after them, and not fit later either.
            logs.fault(_log, error, "sheet_full", departement=str(place), shard=shard)
            lost += total
        else:
            new += fresh
            known += total - fresh
    return Counted(new, known, lost, len(records))


# --- folding --------------------------------------------------------------------------------------


def fold(*, now: datetime, after: str | None, dry_run: bool) -> Page:
    """A page of the job `fold-searches`: a tenth of a day, from its own sheets into the totals.

    Only days that no report can come for any more are folded (`rules.COMPLETE_AFTER`); what is not
    folded yet is read from them. Costs the reading of the tenth, and a strong reading and a
    write of each sheet of totals that it touches.
    """
    last = (now - rules.COMPLETE_AFTER).date() - timedelta(days=1)
    part = _next(max(after or "", _through(now)))
    if store.day_of(part) > last:
        return Page()
    found = store.parts(store.day_of(part), begins=part[-1], consistent=True)
    counts = dict(found).get(part, Counts())
    sheets = 0 if dry_run else store.fold(part, counts)
    return Page(
        {"parts": 1, "searches": counts.searches, "sheets": sheets},
        part if store.day_of(_next(part)) <= last else None,
    )


# --- reading --------------------------------------------------------------------------------------


def quartiles(filters: Filter) -> SearchQuartiles:
    """The quartiles over all searches in the towns asked for, at most `REMEMBERED_S` old.

    All None where accounts are asked for: whose taxis a search found is not kept.
    """
    if filters.owners is not None:
        return SearchQuartiles()
    known = _quartiles.get(filters)
    if known is None:
        known = rules.quartiles(_towns(filters, now=clock.now()), filters)
        _quartiles.put(filters, known)
    return known


def top_moteurs(filters: Filter, *, now: datetime) -> list[tuple[int, int]]:
    """The ten accounts that searched most in the towns asked for since this day of last month.

    (id, searches), most first. Empty where accounts are asked for, as the reference has it.
    """
    if filters.owners is not None:
        return []
    since = months_before(now, 1).date()
    known = _moteurs.get(since)
    if known is None:
        through = _through(now)
        known = store.moteurs(since=since, through=through)
        for _, counts in _unfolded(through, now=now):
            known.update(counts.moteurs)
        _moteurs.put(since, known)
    return rules.top_moteurs(known, filters, size=TOP)


def heat() -> list[tuple[float, float, int]]:
    """Where searches are made: (latitude, longitude, searches) of cells of some 0.8 by 0.6 km.

    The `HEAVIEST` of them, most first, by their middle; at most `REMEMBERED_S` old.
    """
    known = _heat.get("heat")
    if known is None:
        now = clock.now()
        through = _through(now)
        totals = store.cell_totals()
        cells: Counter[str] = Counter()
        for total in totals.values():
            cells.update(total.counts)
        for part, counts in _unfolded(through, now=now):
            cells.update(
                {cell: n for cell, n in counts.cells.items() if _is_missing(totals, cell, part)}
            )
        known = []
        for cell, times in rules.heaviest(cells, size=HEAVIEST):
            centre = geo.geohash_centre(cell)
            known.append((centre.lat, centre.lng, times))
        _heat.put("heat", known)
    return known


def _towns(filters: Filter, *, now: datetime) -> dict[str, TownCounts]:
    """The counts of the towns asked for, and perhaps of some others besides."""
    through = _through(now)
    if not filters.by_territory:
        return _towns_of("", through=through, now=now)
    towns: dict[str, TownCounts] = {}
    for departement in _departements(filters):
        found = _towns_of(departement, through=through, now=now)
        # A number that is none, as 97, is the beginning of others.
        towns.update({key: one for key, one in found.items() if departement_of(key) == departement})
    return towns


def _towns_of(departement: str, *, through: str, now: datetime) -> dict[str, TownCounts]:
    """The counts of a departement's towns, or of all of them (`""`)."""
    totals = store.town_totals(begins=departement)
    towns: dict[str, TownCounts] = {}
    for total in totals.values():
        towns.update(total.counts)
    begins = departement and f"{departement}#"
    for part, counts in _unfolded(through, begins=begins, now=now):
        missing = {
            insee: some for insee, some in counts.towns.items() if _is_missing(totals, insee, part)
        }
        rules.add_towns(towns, missing)
    return towns


def _departements(filters: Filter) -> frozenset[str]:
    """Where the towns asked for are."""
    if filters.insees is None:
        return filters.departements or frozenset()
    of_towns = frozenset(departement_of(insee) for insee in filters.insees)
    return of_towns if filters.departements is None else of_towns & filters.departements


def _is_missing(totals: Mapping[str, Total[T]], key: str, part: str) -> bool:
    """Whether what a part holds of a town or cell is not in its sheet of totals."""
    total = totals.get(store.together(key))
    return total is None or total.through < part


def _unfolded(through: str, *, begins: str = "", now: datetime) -> Iterator[tuple[str, Counts]]:
    """The parts that were not folded when `through` was read, from the days' own sheets."""
    for day in rules.days(store.day_of(_next(through)), now.date()):
        for part, counts in store.parts(day, begins=begins):
            if part > through:
                yield part, counts


def _through(now: datetime) -> str:
    """The last part that is folded, or that is forgotten anyway."""
    forgotten = store.mark(now.date() - store.KEPT - timedelta(days=2), _LAST)
    return max(store.folded_through() or "", forgotten)


def _next(part: str) -> str:
    day, character = store.day_of(part), part[-1]
    if character == _LAST:
        return store.mark(day + timedelta(days=1), _FIRST)
    return store.mark(day, str(int(character) + 1))


def _hour(at: datetime) -> int:
    return int(at.timestamp()) // 3600
