"""Searches with one keyword to change, whole samples of them, and their count by hand."""

import random
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from chalicelib.foundation import geo
from chalicelib.foundation.geo import LngLat
from chalicelib.taxis.search.rules import Search
from chalicelib.taxis.stats.filters import Filter
from chalicelib.taxis.stats.searches import service
from chalicelib.taxis.stats.searches.rules import SearchQuartiles
from chalicelib.taxis.stats.searches.service import BatchCount, Report

NOON = datetime(2026, 3, 12, 12, 30, tzinfo=UTC)
SHARDS = ("shardId-000000000000", "shardId-000000000001")
TOWNS = ("75056", "94018", "33063", "2A004", "97411", "97302")


def hour_of(at: datetime) -> int:
    return int(at.timestamp()) // 3600


def a_search(
    at: datetime = NOON,
    *,
    insee: str = "75056",
    moteur: int = 7,
    found: int = 2,
    seen: int = 1,
    nearest_m: int | None = 120,
    geohash: str = "u09tvm",
) -> Search:
    return Search(hour_of(at), insee, moteur, found, seen, nearest_m, geohash)


def some_searches(
    size: int, *, seed: int = 1, at: Callable[[random.Random], datetime] = lambda _: NOON
) -> list[Search]:
    """Searches of a few towns and accounts, with all sorts of answers."""
    chance = random.Random(seed)
    searches = []
    for _ in range(size):
        found = chance.choice((0, 0, 1, 2, 3, 5, 8))
        point = LngLat(2.3 + chance.random() / 10, 48.8 + chance.random() / 10)
        searches.append(
            a_search(
                at(chance),
                insee=chance.choice(TOWNS),
                moteur=chance.randint(1, 14),
                found=found,
                seen=chance.randint(0, found),
                nearest_m=chance.randint(0, 500) if found else None,
                geohash=geo.geohash6(point),
            )
        )
    return searches


class Streamed:
    """Counts searches as the stream's function does, with sequence numbers that grow."""

    def __init__(self) -> None:
        self._number = 0

    def count(
        self, searches: Sequence[Search], *, shard: str = SHARDS[0], arrived_at: datetime = NOON
    ) -> BatchCount:
        return service.count(shard, [self.report(searches, arrived_at=arrived_at)])

    def report(self, searches: Sequence[Search], *, arrived_at: datetime = NOON) -> Report:
        # As long as those of Kinesis: too long for a float, and not all of one length.
        self._number += 1
        return Report(10**55 - 5 + self._number, arrived_at, searches)


def value_at(values: Sequence[int], part: float) -> float | None:
    """`percentile_cont` as it is defined: of all the values, in a row."""
    if not values:
        return None
    row = sorted(values)
    place = part * (len(row) - 1)
    low = int(place)
    high = min(low + 1, len(row) - 1)
    return row[low] + (place - low) * (row[high] - row[low])


def by_hand(searches: Iterable[Search], filters: Filter) -> SearchQuartiles:
    """The quartiles over the searches themselves."""
    asked = [search for search in searches if filters.takes_town(search.insee)]
    rows = (
        [search.found for search in asked],
        [search.seen for search in asked],
        [search.nearest_m for search in asked if search.nearest_m is not None],
    )
    return SearchQuartiles(*(value_at(row, part) for row in rows for part in (0.25, 0.5, 0.75)))
