"""`maraude replay`: taxis driven along recorded trips through the public API."""

import argparse
import math
import signal
import sys
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import urllib3

from chalicelib.foundation.geo import LngLat
from ops.cli import target
from ops.cli.emails import email
from ops.cli.territory import misplaced
from ops.cli.territory.misplaced import SWAPPED, Misplaced, TownsAt
from ops.errors import CannotGoOn
from ops.local import fleet, trips
from ops.local.client import ApiRefused, Client
from ops.local.fleet import Car
from ops.local.trips import LonLat, Trip

if TYPE_CHECKING:
    from argparse import _SubParsersAction

RECENT = 12  # reports of each taxi that a drive remembers: a minute of them
REPORT_EVERY_S = 5.0  # the partner guide's period [contract: Numbers]


def add_parser(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    replay = commands.add_parser(
        "replay", help="drive taxis along recorded trips through the public API"
    )
    replay.add_argument("file", metavar="FILE", type=Path, help="CSV with a column `polyline`")
    replay.add_argument("--taxis", type=_whole, metavar="N", help="how many (default: one a trip)")
    replay.add_argument("--speed", type=_factor, default=1.0, metavar="X", help="times real speed")
    replay.add_argument(
        "--shift",
        type=_lon_lat,
        default=(0.0, 0.0),
        metavar="LON,LAT",
        help="degrees added to every point; write --shift=-1.5,2 where the first is negative",
    )
    replay.add_argument("--seconds", type=_factor, metavar="S", help="stop sooner, after so many")
    replay.add_argument(
        "--again", action="store_true", help="drive there and back without end, not each trip once"
    )
    replay.add_argument(
        "--operator",
        default="replay",
        metavar="EMAIL",
        type=email,
        help="the account that drives them",
    )
    replay.add_argument("--url", metavar="URL", help="of the API; needed with --stage")
    target.add_arguments(replay)
    replay.set_defaults(run=_run)


def _whole(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _factor(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def _lon_lat(text: str) -> LonLat:
    try:
        lon, lat = (float(part) for part in text.split(","))
        if not math.isfinite(lon + lat):
            raise ValueError(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not LON,LAT") from None
    return lon, lat


@dataclass(slots=True)
class Drive:
    """Taxis on their ways. `recent` is where each was, and when that was accepted, newest last."""

    client: Client
    ways: dict[str, Trip]
    speed: float = 1.0
    again: bool = False
    accepted: int = 0
    refused: int = 0
    recent: dict[str, deque[tuple[float, LonLat]]] = field(default_factory=dict)

    def report(self, elapsed_s: float) -> None:
        """Sends where every taxi is, `elapsed_s` real seconds after the start."""
        places = []
        for taxi_id, way in self.ways.items():
            lon, lat = way.at(elapsed_s * self.speed, again=self.again)
            places.append((taxi_id, round(lon, 7), round(lat, 7)))
        for batch in fleet.batches(places):
            try:
                fleet.report(self.client, batch)
            except (ApiRefused, urllib3.exceptions.HTTPError) as error:
                self.refused += len(batch)
                print(f"a batch was not accepted: {error}", file=sys.stderr)
                continue
            self.accepted += len(batch)
            now_s = time.time()
            for taxi, lon, lat in batch:
                self.recent.setdefault(taxi, deque(maxlen=RECENT)).append((now_s, (lon, lat)))


def ways(path: Path, *, taxis: int | None, shift: LonLat) -> list[Trip]:
    """A way for each taxi: the file's trips, from the first again where there are more taxis."""
    found = trips.shifted(trips.read(path, most=taxis), shift)
    if not found:
        raise CannotGoOn(f"{path} holds no trip of two points or more.")
    return [found[number % len(found)] for number in range(taxis or len(found))]


def cars(found: Sequence[Trip], towns_at: TownsAt) -> list[Car]:
    """A taxi for each way, licensed in the town where it starts. Raises CannotGoOn."""
    registered = []
    for number, way in enumerate(found, start=1):
        start = LngLat(*way.points[0])
        towns = towns_at(start)
        if not towns:
            looks = misplaced.of_point(start, towns_at)
            raise CannotGoOn(
                f"Trip {number} (line {way.line}) starts at {start.lng:.5f},{start.lat:.5f}, which is in no town "
                "that is loaded: load its town with `maraude territory load-towns`, or move the trips with "
                "--shift." + (f" It {looks}." if looks == SWAPPED else "")
            )
        insee = towns[0]
        departement = insee[:3] if insee.startswith("97") else insee[:2]
        registered.append(
            Car(number, f"RP-{number:05}", insee, departement, "Replay", f"Driver {number}")
        )
    return registered


def look(found: Iterable[Trip], towns_at: TownsAt) -> list[Misplaced]:
    """The trips with a point that is in no town and near none, each with the first of its points."""
    odd = []
    for way in {way.line: way for way in found}.values():  # several taxis may drive one
        for number, point in enumerate(way.points, start=1):
            if looks := misplaced.of_point(LngLat(*point), towns_at):
                odd.append(Misplaced(f"line {way.line}", f"point {number}", looks))
                break
    return odd


def _run(arguments: argparse.Namespace) -> None:
    from chalicelib.taxis.territory import service as territory
    from chalicelib.taxis.vocabulary import Role
    from ops.cli import administration

    found = ways(arguments.file, taxis=arguments.taxis, shift=arguments.shift)
    if arguments.stage and not arguments.url:
        raise CannotGoOn("With --stage, say with --url where the API of that stage answers.")

    def towns_at(point: LngLat) -> Sequence[str]:
        return territory.place_of(point).towns

    registered = cars(found, towns_at)
    odd = look(found, towns_at)
    _, key = administration.add(arguments.operator, roles=[Role.OPERATEUR])
    client = Client((arguments.url or target.url(arguments)).rstrip("/"), key)
    drive = Drive(client, {}, arguments.speed, arguments.again)
    for car, way in zip(registered, found, strict=True):
        drive.ways[fleet.put_on_the_road(client, car)] = way
        if car.number % 50 == 0 or car.number == len(registered):
            print(f"registered {car.number} of {len(registered)} taxis", flush=True)
    started = time.monotonic()
    longest_s = float("inf") if arguments.again else max(way.duration_s for way in found)
    lasts_s = min(longest_s / arguments.speed, arguments.seconds or float("inf"))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        keep_driving(drive, started=started, until=started + lasts_s)
    except KeyboardInterrupt:
        print("stopped", flush=True)
    print(
        f"{len(registered)} taxis drove for {time.monotonic() - started:.0f} s: "
        f"{drive.accepted} positions accepted, {drive.refused} not"
    )
    print(misplaced.sentence(odd))


def keep_driving(drive: Drive, *, started: float, until: float) -> None:
    """Reports each `REPORT_EVERY_S` until then (`time.monotonic`), and says each minute how far it is."""
    rounds = 0
    while (due := started + rounds * REPORT_EVERY_S) < until:
        time.sleep(max(0.0, due - time.monotonic()))
        drive.report(time.monotonic() - started)
        rounds += 1
        if rounds % 12 == 1:
            print(
                f"{time.monotonic() - started:6.0f} s: {drive.accepted} positions accepted, "
                f"{drive.refused} not",
                flush=True,
            )
