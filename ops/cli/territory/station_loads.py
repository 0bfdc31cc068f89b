"""Loads of stations into the registry."""

from pathlib import Path

from chalicelib.foundation.geo import LngLat
from chalicelib.taxis.territory import editions, service, store
from ops.cli.territory import items, misplaced, stations, switches, writing
from ops.cli.territory.misplaced import Misplaced
from ops.cli.territory.progress import Progress


def load_stations(path: Path, *, quiet: bool = False) -> None:
    """Loads stations, in place of those with the same ids.

    Raises FileRefused, FileFaulty, LoadGaveWay.
    """
    given = stations.read(path)
    listed = [one.station for one in given]
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
    progress = Progress(quiet=quiet)
    progress.result(
        f"stations: {new} new, {len(listed) - new - unchanged} changed, {unchanged} unchanged; "
        f"{len(after)} in all; {strangers} in a town that is not loaded"
    )
    looks = [
        misplaced.of_point(
            LngLat(station.lng, station.lat),
            lambda point: service.place_of(point).towns,
            insee=edition.present(station.insee),
            known=edition.present(station.insee) in towns,
        )
        for station in listed
    ]
    progress.result(
        misplaced.sentence(
            [
                Misplaced(one.place, one.station.station_id, look)
                for one, look in zip(given, looks, strict=True)
                if look
            ]
        )
    )
