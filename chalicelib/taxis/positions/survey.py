"""Scans of every cell: which taxis report, and the leaf map that suits them. For jobs and commands."""

from datetime import datetime
from typing import NamedTuple

from chalicelib.foundation import geo
from chalicelib.foundation.errors import Conflict, in_request
from chalicelib.foundation.observe import metrics
from chalicelib.taxis.positions import codec, leaf_map, rules, store
from chalicelib.taxis.positions.codec import Entry
from chalicelib.taxis.positions.leaf_map import LeafMap
from chalicelib.taxis.positions.lookup import oldest_fresh
from chalicelib.taxis.vocabulary import TaxiStatus


class MapAnnounced(Conflict):
    """A new leaf map is on its way already."""


class Reporting(NamedTuple):
    """A taxi that reports: its status, its position and the time of it.

    `number` is what its id is packed as (`codec.number_of`).
    """

    number: int
    status: TaxiStatus
    lng_e7: int
    lat_e7: int
    seen_at: datetime


def reporting(*, since: datetime) -> dict[str, Reporting]:
    """The taxis that have reported since then, by id. Reads every cell: for a job.

    A taxi of which an entry is damaged is left out, and counted.
    """
    oldest = codec.first_tick_from(since)
    newest: dict[int, Entry] = {}
    for _, cells in store.every_cell():
        for cell in cells.values():
            for taxi, entry in cell.entries.items():
                if entry[3] >= oldest:
                    newest[taxi] = rules.joined(entry, newest.get(taxi, entry))
    found, damaged = {}, 0
    for taxi, (head, lat_e7, lng_e7, seen, _) in newest.items():
        try:
            status = codec.status_of(head)
        except codec.Unreadable:
            damaged += 1
            continue
        found[codec.id_of(taxi)] = Reporting(taxi, status, lng_e7, lat_e7, codec.moment(seen))
    if damaged:
        metrics.emit({}, counts={"entries_damaged": damaged})
    return found


def refit(*, now: datetime) -> LeafMap:
    """Announces the leaf map that suits the taxis that are now in the cells, and answers it.

    Reads every cell. Writers change to it `leaf_map.NOTICE_S` later. Raises MapAnnounced while
    another one is on its way.
    """
    maps = store.leaf_maps()
    if maps[-1].starts_s > now.timestamp():
        raise MapAnnounced(in_request(f"Leaf map {maps[-1].version} is on its way"))
    oldest = oldest_fresh(now)
    newest: dict[int, Entry] = {}
    for _, cells in store.every_cell():
        for cell in cells.values():
            for taxi, entry in cell.entries.items():
                if entry[3] >= oldest:
                    newest[taxi] = max(entry, newest.get(taxi, entry), key=rules.position)
    tree = leaf_map.fitted(
        geo.finest_cell(lng_e7, lat_e7) for _, lat_e7, lng_e7, _, _ in newest.values()
    )
    maps = leaf_map.announced(maps, tree, now_s=now.timestamp())
    store.replace_leaf_maps(maps)
    return maps[-1]
