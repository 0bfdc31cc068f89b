"""Bulk registration of taxis, written into the tables of a running registry: thousands in seconds.

Loaded once the environment names the registry, for its models take their tables' names from there.
Eight in ten taxis are in Paris, evenly over a disc, the others in Bordeaux; a fifth are occupied.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import islice
from math import cos, radians, sin, tau
from typing import Any

import numpy as np
from pynamodb.models import Model

from bench import fleets, taxis
from bench.scene import a_pointer
from chalicelib.foundation import clock, geo
from chalicelib.foundation.aws import clients
from chalicelib.foundation.geo import LngLat, to_e7
from chalicelib.foundation.settings import table
from chalicelib.taxis.fleets import store as pages
from chalicelib.taxis.fleets.store import FleetRow
from chalicelib.taxis.positions import codec, leaf_map, store
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.positions.leaf_map import LeafMap
from chalicelib.taxis.positions.regions import CENTRES
from chalicelib.taxis.registry import rows
from chalicelib.taxis.registry.rules import Driver
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import Account, Role
from ops.cli import administration
from ops.local.demo import seed

OPERATORS = 10
_PARIS, _BORDEAUX = CENTRES["paris"], CENTRES["bordeaux"]
_CUSTOMERS_M = 2000.0  # from the middle of Paris, at most: their whole circle is among taxis
_ITEMS_A_CALL = 25  # BatchWriteItem's limit
_CANDIDATES = 20_000

Reported = tuple[str, float, float]  # taxi id, longitude and latitude


def _is_in_paris(taxi: int) -> bool:
    return taxi % 5 != 4


def _is_free(taxi: int) -> bool:
    return taxi // 5 % 5 != 4


class Registered:
    """A fleet, and the accounts that it belongs to."""

    def __init__(self, *, taxis: int, seen: int, hails_to: str) -> None:
        """Puts so many taxis there, so dense that a customer sees `seen` of them on average.

        Their hails go to the address `hails_to`. Nobody may have asked the registry for taxis
        before, or it still goes by the leaf map of an empty one.
        """
        seed.territory()
        self._rng = np.random.default_rng(taxis)
        free = [taxi for taxi in range(taxis) if _is_in_paris(taxi) and _is_free(taxi)]
        self._seen, self._free = seen, free
        # What a customer sees is to the disc as its circle is
        disc_m = settings().radius_max_m * (len(free) / seen) ** 0.5
        self._places = [
            self._within(disc_m, _PARIS if _is_in_paris(taxi) else _BORDEAUX)
            for taxi in range(taxis)
        ]
        self._ids = [codec.id_of(fleets.number(taxi)) for taxi in range(taxis)]
        _, self.customer_key = administration.add("customers-app", roles=[Role.MOTEUR])
        accounts = [
            administration.add(f"operator-{n}", roles=[Role.OPERATEUR], hook=(hails_to, "", ""))
            for n in range(OPERATORS)
        ]
        self.operator_keys = [key for _, key in accounts]
        self._put([account for account, _ in accounts])

    def _within(self, radius_m: float, middle: LngLat) -> LngLat:
        away_m, angle = radius_m * self._rng.random() ** 0.5, self._rng.uniform(0, tau)
        point = fleets.apart(middle, away_m * cos(angle), away_m * sin(angle))
        return LngLat(round(point.lng, 6), round(point.lat, 6))

    def positions(self) -> list[list[Reported]]:
        """Where all taxis are, by operator."""
        found: list[list[Reported]] = [[] for _ in range(OPERATORS)]
        for taxi, (taxi_id, (lng, lat)) in enumerate(zip(self._ids, self._places, strict=True)):
            found[taxi % OPERATORS].append((taxi_id, lng, lat))
        return found

    def customers(self, count: int) -> list[LngLat]:
        """Points in Paris from where exactly `seen` free taxis are near."""
        lngs, lats = np.array([self._places[taxi] for taxi in self._free]).T
        metres = geo.METRES_A_DEGREE
        found: list[LngLat] = []
        for _ in range(_CANDIDATES):
            point = self._within(_CUSTOMERS_M, _PARIS)
            east = (lngs - point.lng) * metres * cos(radians(point.lat))
            away_m = np.hypot(east, (lats - point.lat) * metres)
            if (away_m < settings().radius_max_m).sum() == self._seen:
                found.append(point)
                if len(found) == count:
                    break
        return found

    def reporting(self, *, seconds: float) -> int:
        """How many taxis are in the cells with a report of the last `seconds`."""
        return len(positions.reporting(since=clock.now() - timedelta(seconds=seconds)))

    def _put(self, accounts: Sequence[Account]) -> None:
        # First of all: the stream of descriptions makes the ingest function look for it
        tree = leaf_map.fitted(geo.finest_cell(*to_e7(place)) for place in self._places)
        store.replace_leaf_maps([LeafMap(1, 0, tree)])
        now = clock.now()
        long_ago = now - timedelta(days=30)
        taxi_rows, descriptions, drivers = [], [], []
        for number, taxi_id in enumerate(self._ids):
            account = accounts[number % OPERATORS]
            licence = taxis.professional_licence(number)
            driver = Driver(taxis.DEPARTEMENT, licence, "Camille", "Martin")
            taxi, described = taxis.build(
                taxi_id, number, account, is_free=_is_free(number), at=long_ago
            )
            taxi_rows.append(rows.taxi_row(taxi, described))
            descriptions.append(taxis.description_row(described))
            drivers.append(rows.driver_row(account.owner, driver))
        for items in (taxi_rows, descriptions, drivers, self._pages(accounts)):
            _put(items[0].Meta.table_name, (row.serialize() for row in items))
        since = now - timedelta(hours=1)
        _put(
            table("last-positions"),
            (
                a_pointer(taxi_id, to_e7(place), since=since)
                for taxi_id, place in zip(self._ids, self._places, strict=True)
            ),
        )

    def _pages(self, accounts: Sequence[Account]) -> Sequence[Model]:
        return [
            FleetRow(
                account.owner, f"page#{start // pages.PAGE:06}", ids=set(ids[start:][: pages.PAGE])
            )
            for operator, account in enumerate(accounts)
            for ids in [self._ids[operator::OPERATORS]]
            for start in range(0, len(ids), pages.PAGE)
        ]


def _put(name: str, items: Iterable[Any]) -> None:
    """Writes items into a table, a few calls at a time."""

    def write(batch: Sequence[Any]) -> None:
        requests: list[Any] = [{"PutRequest": {"Item": item}} for item in batch]
        answer = clients.dynamodb().batch_write_item(RequestItems={name: requests})
        assert not answer.get("UnprocessedItems"), "the local DynamoDB never throttles"

    rest = iter(items)
    batches = iter(lambda: list(islice(rest, _ITEMS_A_CALL)), [])
    with ThreadPoolExecutor(4) as threads:
        for _ in threads.map(write, batches):
            pass
