"""Benchmark of searches: towns, cells and details read, in Paris and all over the country."""

import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from math import floor

import numpy as np

from bench import fleets
from bench.fleets import PARIS
from bench.scene import Scene
from chalicelib.foundation import cache
from chalicelib.foundation.geo import E7, METRES_A_DEGREE, Circle, E7Point, LngLat, to_e7
from chalicelib.foundation.store import documents, reads
from chalicelib.foundation.store.reads import Item, Read
from chalicelib.taxis.positions import codec
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.search import service as search
from chalicelib.taxis.settings import settings
from chalicelib.taxis.territory.borders import Outline, Path, Shape
from chalicelib.taxis.territory.editions import Edition
from chalicelib.taxis.vocabulary import Account, Role
from ops.cli.territory import items, switches, writing
from ops.cli.territory.tiles import Map

_CENTRE_M = 3000.0  # dense: so far from Notre-Dame, at most
_NEARBY_M = 300.0  # national: customers are where taxis are, give or take
_TOWN = 0.05  # degrees: 4 by 5.5 km, a French town's usual size
_SIDE = 50  # corners of a town's side
REPEATS = 5  # of a timing, the best of which counts

CUSTOMER = Account(9_999, "app@example.org", frozenset({Role.MOTEUR}))

Search = Callable[[Circle], tuple[float, int]]  # read units and queries of another layout


@dataclass(slots=True)
class Cost:
    """Means of some searches."""

    place: str
    searches: int
    warm_units: float = 0.0
    warm_keys: float = 0.0
    warm_calls: float = 0.0
    worst_units: float = 0.0  # of a warm one
    unseen_units: float = 0.0  # and half a unit for each taxi whose details are not at hand
    cold_units: float = 0.0
    cold_calls: float = 0.0
    near: float = 0.0  # free taxis found
    recall: float = 0.0  # of those that are really there
    cpu_ms: float = 0.0  # cells to sorted list
    entries: float = 0.0  # of the cells read
    dict_pass_ms: float = 0.0  # a plain pass over as many dictionaries
    others: dict[str, tuple[float, float]] = field(default_factory=dict)


def run(scene: Scene, *, searches: int, window_s: int, **others: Search) -> list[Cost]:
    """Searches in the dense centre and nationally, each at some moment between two windows."""
    places = {
        "dense": [_in_the_centre(scene) for _ in range(searches)],
        "national": [_near_a_taxi(scene) for _ in range(searches)],
    }
    _load_towns([point for points in places.values() for point in points])
    return [
        _run(scene, place, points, window_s=window_s, others=others)
        for place, points in places.items()
    ]


def _in_the_centre(scene: Scene) -> LngLat:
    rng = scene.fleet.rng
    away, angle = _CENTRE_M * rng.random() ** 0.5, rng.uniform(0, 2 * np.pi)
    return fleets.apart(PARIS, away * np.cos(angle), away * np.sin(angle))


def _near_a_taxi(scene: Scene) -> LngLat:
    fleet = scene.fleet
    taxi = fleet.rng.choice(np.flatnonzero(fleet.on))
    east, north = fleet.rng.normal(0, _NEARBY_M, 2)
    return fleets.apart(LngLat(float(fleet.lng[taxi]), float(fleet.lat[taxi])), east, north)


def _load_towns(points: list[LngLat]) -> None:
    """A chequerboard of towns with wavy borders, wherever somebody searches."""
    squares = {
        (floor(point.lng / _TOWN) + across, floor(point.lat / _TOWN) + along)
        for point in points
        for across in (-1, 0, 1)
        for along in (-1, 0, 1)
    }
    shapes = {f"{code:05}": _town(*square) for code, square in enumerate(sorted(squares))}
    generation = items.new_generation()
    borders = Map(shapes)
    tiles = {
        cell: item
        for root, edges in borders.roots().items()
        for cell, item in borders.tiles(generation, root, edges)
    }
    writing.put_all(tiles.values())
    switches.switch_edition(Edition(version=1, generation=generation, tiles=frozenset(tiles)))


def _town(column: int, row: int) -> Shape:
    sides = [(side, 0) for side in range(_SIDE)] + [(_SIDE, side) for side in range(_SIDE)]
    corners = sides + [(_SIDE - across, _SIDE - along) for across, along in sides]
    ring = [_corner(column * _SIDE + across, row * _SIDE + along) for across, along in corners]
    ring.append(ring[0])
    path = Path(array("i", [x for x, _ in ring]), array("i", [y for _, y in ring]))
    return (Outline((path,)),)


def _corner(x: int, y: int) -> E7Point:
    """A lattice point, moved a little, the same for every town that has it."""
    wave = (x * 7919 + y * 104_729) % 1000 / 1000 - 0.5
    step = _TOWN / _SIDE
    return to_e7(LngLat((x + wave / 2) * step, (y - wave / 2) * step))


def _forget_all() -> None:
    documents.forget()
    cache.forget_all()


def _run(
    scene: Scene, place: str, points: list[LngLat], *, window_s: int, others: dict[str, Search]
) -> Cost:
    cost = Cost(place, len(points))
    meter, now = scene.cloud.meter, scene.cloud.now
    shown = there = 0
    for point in points:
        _forget_all()
        with meter.counting() as cold:
            search.search(point, viewer=CUSTOMER, now=now)
        with meter.counting() as warm:
            search.search(point, viewer=CUSTOMER, now=now)
        cost.cold_units += cold.read_units
        cost.cold_calls += sum(cold.calls.values())
        cost.warm_units += warm.read_units
        cost.warm_keys += warm.read_keys
        cost.warm_calls += sum(warm.calls.values())
        cost.worst_units = max(cost.worst_units, warm.read_units)
        circle = Circle(point, settings().radius_max_m)
        for name, other in others.items():
            units, queries = other(circle)
            before = cost.others.get(name, (0.0, 0.0))
            cost.others[name] = before[0] + units, before[1] + queries
        moment_s = float(scene.fleet.rng.uniform(0, window_s))
        found, real = _recalled(scene, circle, moment_s)
        shown, there = shown + len(found & real), there + len(real)
        cost.near += len(found)
    cost.recall = shown / there if there else 1.0
    for mean in ("cold_units", "cold_calls", "warm_units", "warm_keys", "warm_calls", "near"):
        setattr(cost, mean, getattr(cost, mean) / len(points))
    for name, (all_units, calls) in cost.others.items():
        cost.others[name] = all_units / len(points), calls / len(points)
    cost.unseen_units = cost.warm_units + 0.5 * cost.near
    _time(scene, points, cost)
    return cost


def _recalled(scene: Scene, circle: Circle, moment_s: float) -> tuple[set[str], set[str]]:
    """The free taxis that a search shows so many seconds from now, and those that are there then."""
    fleet, now = scene.fleet, scene.cloud.now + timedelta(seconds=moment_s)
    found = {taxi.taxi_id for taxi in reads.one(positions.near(circle, now=now))}
    lng, lat = fleet.after(moment_s)
    north = (lat - circle.centre.lat) * METRES_A_DEGREE
    east = (lng - circle.centre.lng) * METRES_A_DEGREE * np.cos(np.radians(circle.centre.lat))
    there = fleet.on & fleet.free & (np.hypot(north, east) <= circle.radius_m)
    return found, {scene.ids[taxi] for taxi in np.flatnonzero(there)}


def timed(scene: Scene, *, searches: int) -> Cost:
    """Dense searches, of which only the processor's time is measured: for a process that is alone."""
    cost = Cost("dense", searches)
    _time(scene, [_in_the_centre(scene) for _ in range(searches)], cost)
    return cost


def _time(scene: Scene, points: list[LngLat], cost: Cost) -> None:
    """Times what is done with the cells that were read, and a plain pass over dictionaries."""
    now = scene.cloud.now
    read = []
    for point in points:
        circle = Circle(point, settings().radius_max_m)
        near = positions.near(circle, now=now)
        read.append((circle, near, reads.one(Read(near.table, near.keys, list[Item]))))
    entries = [
        [
            {"lat": lat / E7, "lng": lng / E7, "seen": seen, "head": head}
            for item in items
            for head, lat, lng, seen, _ in codec.unpack_entries(bytes(item["taxis"]["B"]))
        ]
        for _, _, items in read
    ]
    cost.entries = sum(map(len, entries)) / len(points)
    best = best_pass = float("inf")
    for _ in range(REPEATS):
        started = time.process_time()
        for _, near, found in read:
            near.parse(found)
        best = min(best, time.process_time() - started)
        started = time.process_time()
        for (circle, _, _), some in zip(read, entries, strict=True):
            south, lat = circle.centre.lat - 0.0045, circle.centre.lat + 0.0045
            [one for one in some if south <= one["lat"] <= lat and one["seen"] > 0]
        best_pass = min(best_pass, time.process_time() - started)
    cost.cpu_ms = best / len(points) * 1000
    cost.dict_pass_ms = best_pass / len(points) * 1000
