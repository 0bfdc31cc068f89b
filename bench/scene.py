"""State of a registry in the middle of a day: taxis, fleet pages, cells and pointers."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np

from bench import fleets, taxis
from bench.cloud import Cloud, Drawn
from bench.fleets import SHIFT_S, Fleet
from chalicelib.foundation import geo
from chalicelib.foundation.settings import table
from chalicelib.taxis.fleets import store as pages
from chalicelib.taxis.positions import codec, leaf_map, pointers, store
from chalicelib.taxis.positions.codec import Entry
from chalicelib.taxis.positions.entries import Cell
from chalicelib.taxis.positions.leaf_map import LeafMap
from chalicelib.taxis.registry import rows
from chalicelib.taxis.registry.rules import Description, Taxi
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import Account, Role, TaxiStatus

VIEWERS = [
    Account(operator + 1, f"operator-{operator}@example.org", frozenset({Role.OPERATEUR}))
    for operator in range(fleets.OPERATORS)
]


class Scene:
    """A fleet in the middle of its day, and the cloud that knows it."""

    def __init__(self, fleet: Fleet, *, period_s: int) -> None:
        self.fleet = fleet
        self.period_s = period_s
        self.cloud = Cloud()
        self.second = 0
        self.ids = [codec.id_of(fleets.number(taxi)) for taxi in range(len(fleet.lng))]
        self._numbers = {taxi_id: taxi for taxi, taxi_id in enumerate(self.ids)}
        self._know_taxis()
        self._know_places()

    def _know_taxis(self) -> None:
        """Pages of ids as they are kept, taxis and descriptions as they are asked for."""
        by_operator: dict[int, list[str]] = {}
        for taxi, taxi_id in enumerate(self.ids):
            operator = self.fleet.operator(taxi // fleets.POST)
            by_operator.setdefault(operator, []).append(taxi_id)
        for operator, ids in by_operator.items():
            for start in range(0, len(ids), pages.PAGE):
                key = {
                    "owner": {"S": VIEWERS[operator].owner},
                    "entry": {"S": f"page#{start // pages.PAGE:06}"},
                }
                page = {"ids": {"SS": ids[start : start + pages.PAGE]}}
                self.cloud.put(table("fleets"), key, {**key, **page})  # type: ignore[dict-item]
        self.cloud.dynamodb.tables[table("taxis")] = Drawn(self._taxi)
        self.cloud.dynamodb.tables[table("descriptions")] = Drawn(self._description)

    def _made_of(self, taxi: int) -> tuple[Taxi, Description]:
        owner = VIEWERS[self.fleet.operator(taxi // fleets.POST)]
        at = self.cloud.now - timedelta(days=30)
        return taxis.build(self.ids[taxi], taxi, owner, is_free=bool(self.fleet.free[taxi]), at=at)

    def _taxi(self, taxi_id: str) -> dict[str, Any] | None:
        if taxi_id not in self._numbers:
            return None
        return rows.taxi_row(*self._made_of(self._numbers[taxi_id])).to_dynamodb_dict()

    def _description(self, key: str) -> dict[str, Any] | None:
        _, described = self._made_of(int(key.rpartition("#")[2]))
        return taxis.description_row(described).to_dynamodb_dict()

    def _know_places(self) -> None:
        """The grid that suits the fleet, every taxi in its cell, and a pointer to each.

        Of those that went home, the last two minutes' are still in their cells.
        """
        fleet, now = self.fleet, self.cloud.now
        lngs, lats = (column.tolist() for column in fleet.e7())
        finest = [geo.finest_cell(lng, lat) for lng, lat in zip(lngs, lats, strict=True)]
        tree = leaf_map.fitted(finest[taxi] for taxi in np.flatnonzero(fleet.on))
        store.replace_leaf_maps([LeafMap(1, 0, tree)])
        freshness_s = settings().freshness_s
        away = np.flatnonzero(~fleet.on)
        absent = away[: round(fleet.size * freshness_s / SHIFT_S)]
        age_s = {int(taxi): fleet.rng.uniform(0, freshness_s) for taxi in absent}
        changed = codec.tick(now - timedelta(hours=1))
        cells: dict[int, list[Entry]] = {}
        for taxi in [*map(int, np.flatnonzero(fleet.on)), *age_s]:
            group = taxi // fleets.POST % self.period_s
            seen = codec.tick(now - timedelta(seconds=age_s.get(taxi, self.period_s - group)))
            status = TaxiStatus.FREE if fleet.free[taxi] else TaxiStatus.OCCUPIED
            head = codec.head(fleets.number(taxi), status, 0)
            cells.setdefault(tree.leaf(finest[taxi]), []).append(
                (head, lats[taxi], lngs[taxi], seen, changed)
            )
        for cell, entries in cells.items():
            packed = codec.pack_entries(entries)
            store.write_cell(cell, 0, packed, map_version=1, now_tick=codec.tick(now))
        for taxi, taxi_id in enumerate(self.ids):
            pointer = a_pointer(taxi_id, (lngs[taxi], lats[taxi]), since=now - timedelta(hours=1))
            self.cloud.put(table("last-positions"), {"taxi_id": {"S": taxi_id}}, pointer)

    def cells(self) -> dict[int, Cell]:
        """Every cell there is."""
        return {name: cell for _, some in store.every_cell() for name, cell in some.items()}


def a_pointer(taxi_id: str, at_e7: tuple[int, int], *, since: datetime) -> dict[str, Any]:
    """The item of a taxi that has been on the road for longer."""
    square = {"S": leaf_map.square_name(leaf_map.square_of(*at_e7))}
    return {
        "taxi_id": {"S": taxi_id},
        "before": square,
        "square": square,
        "since": {"N": str(codec.tick(since))},
        "ttl": {"N": str(int(since.timestamp()) + pointers.LAST_POSITION_KEPT_S)},
    }
