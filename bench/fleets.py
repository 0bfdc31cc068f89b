"""Simulated fleets, from a seed: where taxis are, how they move, when they report.

Fleet A: three taxis in ten in Paris (1,200 parked at Charles-de-Gaulle, 500 at Orly, of 60,000), the
others in 50 cities. Fleet B: the same with a third of the fleet in 6,000 villages. 60 % move, at 10
to 50 km/h; 40 % are free; 1 % of the reports are lost; a taxi works for eight hours. A POST has 50
taxis of one operator, of one place.
"""

from dataclasses import dataclass
from math import cos, radians

import numpy as np
from numpy.typing import NDArray

from chalicelib.foundation.geo import E7, METRES_A_DEGREE, LngLat, to_e7
from chalicelib.taxis.positions import codec, regions
from chalicelib.taxis.positions.regions import CENTRES

Numbers = NDArray[np.float64]
Whole = NDArray[np.int64]

POST = 50  # positions
OPERATORS = 100
SHIFT_S = 8 * 3600
LOST = 0.01
MOVING = 0.6
FREE = 0.4

PARIS = CENTRES["paris"]
_ROISSY, _ORLY = LngLat(2.5710, 49.0040), LngLat(2.3650, 48.7290)
_AIRPORTS = ((_ROISSY, 1200 / 60_000), (_ORLY, 500 / 60_000))
_IN_PARIS = 0.3
_RURAL = 1 / 3  # of fleet B
_CITIES, _VILLAGES = 50, 6000
_OVERSEAS = ("ajaccio", "pointe-a-pitre", "saint-denis", "paris")
_WEST, _EAST, _SOUTH, _NORTH = -1.0, 7.0, 43.5, 49.5  # nearly all of it is mainland France
_PARIS_M, _CITY_M, _VILLAGE_M, _RANK_M = 4000.0, 2500.0, 600.0, 150.0  # standard deviations


@dataclass(slots=True)
class Fleet:
    """Taxis in columns. Those from `size` on are at home when the day begins, and come on later."""

    name: str
    size: int
    rng: np.random.Generator
    lng: Numbers
    lat: Numbers
    home: Numbers  # two rows
    spread_m: Numbers
    speed_m_s: Numbers
    heading: Numbers
    on: NDArray[np.bool_]
    free: NDArray[np.bool_]

    def move(self, seconds: float) -> None:
        """Everybody drives on; who is far from home turns back."""
        self.lng, self.lat = self.after(seconds)
        self.heading += self.rng.normal(0, 0.3, len(self.heading))
        north = (self.lat - self.home[1]) * METRES_A_DEGREE
        east = (self.lng - self.home[0]) * METRES_A_DEGREE * np.cos(np.radians(self.lat))
        far = np.hypot(north, east) > 2.5 * self.spread_m
        self.heading[far] = np.arctan2(-north[far], -east[far])

    def after(self, seconds: float) -> tuple[Numbers, Numbers]:
        """Longitudes and latitudes so many seconds from now, if nobody turns."""
        way = self.speed_m_s * seconds / METRES_A_DEGREE
        east = way * np.cos(self.heading) / np.cos(np.radians(self.lat))
        return self.lng + east, self.lat + way * np.sin(self.heading)

    def change_shifts(self, seconds: float) -> None:
        """Some go home, and as many come on in their place."""
        leaving = np.flatnonzero(self.on)
        count = self.rng.binomial(len(leaving), seconds / SHIFT_S)
        away = np.flatnonzero(~self.on)
        count = min(count, len(away))
        coming = self.rng.choice(away, count, replace=False)
        self.on[self.rng.choice(leaving, count, replace=False)] = False
        self.on[coming] = True

    def e7(self) -> tuple[Whole, Whole]:
        """Longitudes and latitudes in 1e-7 degree."""
        return (np.rint(self.lng * E7).astype(np.int64), np.rint(self.lat * E7).astype(np.int64))

    @property
    def groups(self) -> int:
        """How many times `POST` taxis, or the rest, there are."""
        return -(-len(self.lng) // POST)

    def posts(self, second: int, period_s: int) -> list[tuple[int, Whole]]:
        """The POSTs of a second: the operator, and the taxis that it speaks of, `POST` at most."""
        posts_found = []
        for group in range(second % period_s, self.groups, period_s):
            taxis = np.arange(group * POST, min((group + 1) * POST, len(self.lng)))
            taxis = taxis[self.on[taxis] & (self.rng.random(len(taxis)) >= LOST)]
            if len(taxis):
                posts_found.append((self.operator(group), taxis))
        return posts_found

    def operator(self, group: int) -> int:
        """The operator of a group of `POST` taxis: neighbours mostly have the same."""
        return group * OPERATORS // self.groups


def number(taxi: int) -> int:
    """What the id of a taxi of the fleet is packed as."""
    scattered: int = (taxi * 1_000_000_007 + 12_345) % codec.IDS
    return scattered


def simulate(name: str, size: int, *, seed: int = 1) -> Fleet:
    """Fleet A or B, of so many taxis at work and a few more at home."""
    rng = np.random.default_rng(seed)
    total = size + max(200, size // 20)
    rural = _RURAL if name == "B" else 0.0
    cities = [place for key, place in CENTRES.items() if key not in _OVERSEAS]
    cities += [_somewhere(rng) for _ in range(_CITIES - len(cities))]
    # Neighbours stand together, for their operator is a local one
    villages = sorted(
        (_somewhere(rng) for _ in range(_VILLAGES)),
        key=lambda place: regions.region_at(*to_e7(place)),
    )
    weights = 1 / (np.arange(len(cities)) + 3)

    parts: list[tuple[LngLat, float, int]] = []
    for airport, share in _AIRPORTS:
        parts.append((airport, _RANK_M, round(total * share * (1 - rural))))
    in_paris = round(total * _IN_PARIS * (1 - rural)) - sum(count for _, _, count in parts)
    parts.append((PARIS, _PARIS_M, in_paris))
    in_villages = rng.multinomial(round(total * rural), np.full(_VILLAGES, 1 / _VILLAGES))
    left = total - sum(count for _, _, count in parts) - int(in_villages.sum())
    parts += zip(
        cities, [_CITY_M] * _CITIES, rng.multinomial(left, weights / weights.sum()), strict=True
    )
    parts += zip(villages, [_VILLAGE_M] * _VILLAGES, in_villages, strict=True)

    counts = [count for _, _, count in parts]
    home = np.array([place for place, _, _ in parts]).repeat(counts, axis=0).T
    spread_m = np.array([spread for _, spread, _ in parts]).repeat(counts)
    moving = (rng.random(total) < MOVING) & (spread_m > _RANK_M)
    degrees = spread_m / METRES_A_DEGREE
    fleet = Fleet(
        name=name,
        size=size,
        rng=rng,
        lng=home[0] + rng.normal(0, degrees) / np.cos(np.radians(home[1])),
        lat=home[1] + rng.normal(0, degrees),
        home=home,
        spread_m=spread_m,
        speed_m_s=np.where(moving, rng.uniform(10, 50, total) / 3.6, 0.0),
        heading=rng.uniform(-np.pi, np.pi, total),
        on=np.zeros(total, dtype=bool),
        free=rng.random(total) < FREE,
    )
    fleet.on[rng.choice(total, size, replace=False)] = True
    return fleet


def _somewhere(rng: np.random.Generator) -> LngLat:
    return LngLat(float(rng.uniform(_WEST, _EAST)), float(rng.uniform(_SOUTH, _NORTH)))


def apart(point: LngLat, east_m: float, north_m: float) -> LngLat:
    """The point so many metres away."""
    return LngLat(
        point.lng + east_m / METRES_A_DEGREE / cos(radians(point.lat)),
        point.lat + north_m / METRES_A_DEGREE,
    )
