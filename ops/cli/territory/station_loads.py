"""Loads of stations into the registry."""

from pathlib import Path

from chalicelib.taxis.territory import editions, store
from ops.cli.territory import items, stations, switches, writing
from ops.cli.territory.progress import Progress


def load_stations(path: Path, *, quiet: bool = False) -> None:
    """Loads stations, in place of those with the same ids.

    Raises FileRefused, FileFaulty, LoadGaveWay.
    """
    listed = stations.read(path)
    with switches.alone():
        before = editions.shelf.current()
        known = {station.station_id: station for station in store.stations(before)}
        after = known | {station.station_id: station for station in listed}
        shelf = before
        if after != known:
            generation = items.new_generation()
            stored = items.stations_items(generation, list(after.values()))
            writing.put_all(stored)
            shelf = editions.Shelf(before.version + 1, generation, len(stored))
            switches.switch_shelf(shelf)
        writing.clear({"stations"}, but={before.generation, shelf.generation})
        edition = editions.edition.current()
        names = store.names(edition.all_names())
    new = len(after) - len(known)
    unchanged = sum(known.get(station.station_id) == station for station in listed)
    towns = {insee for some in names.values() for insee in some}
    strangers = sum(edition.present(station.insee) not in towns for station in listed)
    Progress(quiet=quiet).result(
        f"stations: {new} new, {len(listed) - new - unchanged} changed, {unchanged} unchanged; "
        f"{len(after)} in all; {strangers} in a town that is not loaded"
    )
