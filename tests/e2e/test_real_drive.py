"""The main job on real input: recorded trips driven through Paris, searched, and checked by brute force.

A short drive in the ordinary test run. The whole of it, all towns of France and minutes of driving,
is asked for by the environment: MARAUDE_DRIVE_S=300 MARAUDE_DRIVE_TOWNS=communes-2026.geojsonl.gz
"""

import gzip
import json
import os
import random
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import acos, cos, radians, sin
from pathlib import Path

import pytest
import shapely

from ops.cli import replay
from ops.cli.replay import Drive
from ops.local import fleet
from ops.local.client import Client
from ops.local.trips import LonLat, Trip

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("MARAUDE_SHARED_DATA", ROOT.parent / "shared" / "data"))
TRIPS = DATA / "porto-taxi-trips-sample.csv"
TOWNS = DATA / os.environ.get("MARAUDE_DRIVE_TOWNS", "zupc-communes.geojson")
ZONES = DATA / "zupc.json"
DRIVE_S = float(os.environ.get("MARAUDE_DRIVE_S", "20"))
WINDOW_S = 1.0 if DRIVE_S < 60 else 5.0

ONTO_PARIS = (10.96, 7.71)  # from the middle of Porto to the middle of Paris
RADIUS_M = 500
EDGE_M = 0.5  # a taxi nearer to the circle than this counts for neither side
CHECKED_POINTS = 200

pytestmark = [
    pytest.mark.prove,
    pytest.mark.skipif(
        not (TRIPS.exists() and TOWNS.exists() and ZONES.exists()),
        reason=f"the real trips, towns and zones are not in {DATA}",
    ),
]


def maraude(folder: Path, *words: str) -> str:
    """Runs a command on the system of a folder and returns what it prints."""
    ran = subprocess.run(
        [str(Path(sys.executable).with_name("maraude")), *words, "--data", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr + ran.stdout
    return ran.stdout


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A running system with the real territory: its URL and its data folder."""
    folder = tmp_path_factory.mktemp("drive")
    up = subprocess.Popen(
        [
            str(Path(sys.executable).with_name("maraude")),
            "up",
            "--port=0",
            f"--data={folder}",
            f"--ingest-window={WINDOW_S}",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert up.stdout is not None
    try:
        ready = up.stdout.readline()
        assert ready.startswith("ready "), ready
        maraude(folder, "territory", "load-towns", str(TOWNS))
        maraude(folder, "territory", "load-zones", str(ZONES))
        yield ready.split()[1], folder
    finally:
        up.terminate()
        up.communicate(timeout=60)


def distance_m(one: LonLat, other: LonLat) -> float:
    """Written apart from the registry's own, on purpose: the spherical law of cosines."""
    (lon1, lat1), (lon2, lat2) = one, other
    a, b = radians(lat1), radians(lat2)
    cosine = sin(a) * sin(b) + cos(a) * cos(b) * cos(radians(lon2 - lon1))
    return 6_371_008.8 * acos(min(1.0, cosine))


class Territory:
    """Which licences may pick up at a point, by brute force over the files."""

    def __init__(self) -> None:
        opened = gzip.open if TOWNS.suffix == ".gz" else open
        with opened(TOWNS, "rt", encoding="utf-8") as file:
            text = file.read()
        features = (
            [json.loads(line) for line in text.splitlines() if line.strip()]
            if ".geojsonl" in TOWNS.name
            else json.loads(text)["features"]
        )
        paris = shapely.box(1.9, 48.5, 2.9, 49.2)
        shapes = [
            (feature["properties"]["insee"], shapely.geometry.shape(feature["geometry"]))
            for feature in features
        ]
        self.towns = [(insee, shape) for insee, shape in shapes if shape.intersects(paris)]
        self.zones = [
            set(zone["insee_2026"]) for zone in json.loads(ZONES.read_text("utf-8"))["zones"]
        ]

    def town(self, point: LonLat) -> str | None:
        """The first of the towns that cover the point."""
        covering = [insee for insee, shape in self.towns if shape.intersects(shapely.Point(point))]
        return min(covering, default=None)

    def towns_at(self, point: LonLat) -> list[str]:
        """The same, as the command asks for it."""
        town = self.town(point)
        return [] if town is None else [town]

    def allowed(self, point: LonLat) -> set[str]:
        """The towns whose licences may pick up there."""
        town = self.town(point)
        if town is None:
            return set()
        return {town}.union(*(zone for zone in self.zones if town in zone))


@dataclass
class Figures:
    """What the drive came to."""

    searches: int = 0
    shown: int = 0
    judged: int = 0
    mismatches: list[str] = field(default_factory=list)

    def judge(self, claim: str, *, expected: bool, found: bool) -> None:
        """Counts one taxi of one search."""
        self.judged += 1
        if expected != found:
            self.mismatches.append(f"{claim}: expected {expected}, found {found}")


@dataclass
class Fleet:
    """The taxis of the drive."""

    drive: Drive
    licence: dict[str, str]
    free: set[str]


def on_the_road(url: str, key: str, territory: Territory) -> Fleet:
    """Two hundred taxis, a fifth of them occupied, each licensed where its trip starts."""
    ways = [
        way
        for way in replay.ways(TRIPS, taxis=None, shift=ONTO_PARIS)
        if territory.town(way.points[0]) is not None
    ]
    client = Client(url, key)
    drive = Drive(client, {})
    licence, free = {}, set()
    for car, way in zip(replay.cars(ways, territory.towns_at), ways, strict=True):
        occupied = car.number % 5 == 0
        taxi_id = fleet.put_on_the_road(client, car, status="occupied" if occupied else "free")
        # Each starts somewhere else on its way, so that a short drive is about all of it.
        drive.ways[taxi_id] = begun(way, car.number / len(ways))
        licence[taxi_id] = car.insee
        if not occupied:
            free.add(taxi_id)
    return Fleet(drive, licence, free)


def begun(way: Trip, part: float) -> Trip:
    """The rest of a way after a part of it."""
    return Trip(way.points[min(int(part * len(way.points)), len(way.points) - 2) :])


def search_while_driving(
    admin: Client, cars: Fleet, territory: Territory, figures: Figures, until: threading.Event
) -> None:
    """Searches near random taxis; a taxi counts where its recent positions are on one side."""
    chance = random.Random(7)
    while not until.is_set():
        taxi = chance.choice(list(cars.drive.recent))
        lon, lat = cars.drive.recent[taxi][-1][1]
        point = lon + chance.uniform(-0.005, 0.005), lat + chance.uniform(-0.004, 0.004)
        before = {known: list(recent) for known, recent in cars.drive.recent.items()}
        asked_at = time.time()
        found = {shown["id"] for shown in admin.get("/taxis", lon=point[0], lat=point[1])}
        after = {known: list(recent) for known, recent in cars.drive.recent.items()}
        allowed = territory.allowed(point)
        figures.searches += 1
        figures.shown += len(found)
        for known, recent in after.items():
            seen = possible(before[known], recent, asked_at)
            side = {distance_m(point, place) < RADIUS_M - EDGE_M for place in seen}
            other = {distance_m(point, place) > RADIUS_M + EDGE_M for place in seen}
            may = known in cars.free and cars.licence[known] in allowed
            if not may or other == {True}:
                figures.judge(f"{known} at {asked_at}", expected=False, found=known in found)
            elif side == {True}:
                figures.judge(f"{known} at {asked_at}", expected=True, found=known in found)
        until.wait(0.25)


def possible(
    before: list[tuple[float, LonLat]], after: list[tuple[float, LonLat]], asked_at: float
) -> list[LonLat]:
    """The positions that a search of that moment may have seen: those of the last window and 2 s,
    the last one before them, and those that came while it ran."""
    since = asked_at - WINDOW_S - 2
    older = [place for at, place in before if at < since]
    return older[-1:] + [place for at, place in [*before, *after] if at >= since]


def check_at_rest(admin: Client, cars: Fleet, territory: Territory, figures: Figures) -> None:
    """Nothing moves: every search must be exactly what brute force expects."""
    chance = random.Random(11)
    last = {taxi: recent[-1][1] for taxi, recent in cars.drive.recent.items()}
    for _ in range(CHECKED_POINTS):
        lon, lat = last[chance.choice(list(last))]
        point = lon + chance.uniform(-0.006, 0.006), lat + chance.uniform(-0.004, 0.004)
        allowed = territory.allowed(point)
        expected = {
            taxi
            for taxi, place in last.items()
            if taxi in cars.free
            and cars.licence[taxi] in allowed
            and distance_m(point, place) <= RADIUS_M
        }
        found = {shown["id"] for shown in admin.get("/taxis", lon=point[0], lat=point[1])}
        figures.searches += 1
        figures.shown += len(found)
        figures.judge(f"at rest at {point}", expected=True, found=found == expected)


def test_a_real_drive_shows_exactly_the_free_taxis_that_brute_force_expects(
    system: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    url, folder = system
    key = json.loads(maraude(folder, "account", "add", "driver-app", "--role", "operateur"))
    boss = json.loads(maraude(folder, "account", "add", "boss", "--role", "admin"))
    territory, admin = Territory(), Client(url, boss["api_key"])
    cars = on_the_road(url, key["api_key"], territory)
    moving, resting = Figures(), Figures()

    stop = threading.Event()
    started = time.monotonic()
    cars.drive.report(0)
    time.sleep(WINDOW_S + 2)
    searcher = threading.Thread(
        target=search_while_driving, args=(admin, cars, territory, moving, stop)
    )
    searcher.start()
    replay.keep_driving(cars.drive, started=started, until=started + DRIVE_S)
    stop.set()
    searcher.join()
    time.sleep(WINDOW_S + 2)
    check_at_rest(admin, cars, territory, resting)

    lags = lags_ms(folder / "logs" / "worker.log")
    with capsys.disabled():
        sys.stdout.write(report(cars, moving, resting, lags) + "\n")
    assert cars.drive.refused == 0
    # [positions-index: I6]: what a report adds to its own period before a search shows it
    assert late_ms(lags) <= (WINDOW_S + 2) * 1000
    assert moving.searches >= DRIVE_S / 2
    assert resting.shown > CHECKED_POINTS  # else it would be about nothing
    assert moving.mismatches == []
    assert resting.mismatches == []


def lags_ms(log: Path) -> list[float]:
    """From the receipt of a window's oldest position to its being stored, of each window."""
    lines = re.findall(r'\{.*"lag_ms".*\}', log.read_text("utf-8"))
    return [json.loads(line)["lag_ms"] for line in lines]


def late_ms(lags: list[float]) -> float:
    """The 99th percentile."""
    return statistics.quantiles(lags, n=100, method="inclusive")[98]


def report(cars: Fleet, moving: Figures, resting: Figures, lags: list[float]) -> str:
    """The figures, as lines."""
    return (
        f"\n{len(cars.licence)} taxis, {len(cars.free)} free, drove for {DRIVE_S:.0f} s, "
        f"window {WINDOW_S:g} s: {cars.drive.accepted} positions accepted, {cars.drive.refused} not"
        f"\nwhile driving: {moving.searches} searches, {moving.shown} taxis shown, "
        f"{moving.judged} judged, {len(moving.mismatches)} mismatches"
        f"\nat rest: {resting.searches} searches, {resting.shown} taxis shown, "
        f"{len(resting.mismatches)} mismatches"
        f"\ningest lag of {len(lags)} windows: p50 {statistics.median(lags):.0f} ms, "
        f"p99 {late_ms(lags):.0f} ms, max {max(lags):.0f} ms"
    )
