"""Seeding of the demonstration, and the requests that a newcomer may copy.

Everything goes through the ways that a real deployment has: the desk's loaders for the territory,
its accounts, and the public API for the fleet. What is there already stays.
"""

import json
import os
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ops.errors import CannotGoOn
from ops.local import fleet
from ops.local.client import Client
from ops.local.demo import fleet as demo
from ops.local.demo import ways

HERE = Path(__file__).parent
SHOWN_WITHIN_S = 30  # from the first report to the search that finds it


@dataclass(frozen=True, slots=True)
class Seeded:
    """What the simulator drives and the printed lines speak of."""

    operator: Client
    search_app: Client
    driven: tuple[str, ...]
    readers: str


def territory() -> None:
    """Loads the drawn towns and their zone, unless there are towns already."""
    from chalicelib.taxis.territory import service
    from ops.cli.territory import loads

    if not service.town_exists("75056"):
        loads.load_towns(HERE / "towns.geojson", quiet=True)
        loads.load_zones(HERE / "zones.json", quiet=True)


def clients(url: str) -> tuple[Client, Client, Client]:
    """The demonstration's operator, its search app, and the account that the console's simulators act as."""
    from chalicelib.taxis.vocabulary import Role
    from ops.cli import administration

    _, operator = administration.add(
        demo.OPERATOR, roles=[Role.OPERATEUR], name="Taxis de démonstration"
    )
    _, search_app = administration.add(
        demo.SEARCH_APP, roles=[Role.MOTEUR], name="Appli de démonstration"
    )
    _, integration = administration.add(
        _integration_email(), roles=[Role.OPERATEUR, Role.MOTEUR], name="Simulateurs de la console"
    )
    return Client(url, operator), Client(url, search_app), Client(url, integration)


def _integration_email() -> str:
    from chalicelib.taxis.settings import settings

    return settings().integration_account_email


def send_hails_to(address: str, simulators: str) -> None:
    """Sends the hails of the demonstration's taxis, and those of the simulators', there from now on."""
    from ops.cli import administration

    administration.add(_integration_email(), hook=(simulators, "", ""))
    administration.add(demo.OPERATOR, hook=(address, "", ""))  # last: then all `is_ready`


def is_ready() -> bool:
    """Whether somebody has said where the hails of the demonstration's taxis go."""
    from chalicelib.foundation import clock
    from chalicelib.taxis.access import service as access
    from ops.cli import administration

    operator = administration.find(demo.OPERATOR).account
    return access.hook_of(operator.id, now=clock.now()) is not None


def seed(url: str) -> Seeded:
    """Loads territory, accounts and fleet; what is there already stays."""
    territory()
    operator, search_app, integration = clients(url)
    driven = tuple(fleet.put_on_the_road(operator, car) for car in demo.DRIVEN)
    readers = fleet.put_on_the_road(operator, demo.READERS)
    fleet.register_parts(operator, demo.SPARE)
    fleet.put_on_the_road(integration, demo.SIMULATED)
    return Seeded(operator, search_app, driven, readers)


def prepare(url: str) -> list[str]:
    """Seeds the registry at `url` and returns the lines to print, once a search finds a taxi.

    From then on the readers' taxi is where its readers say. Raises CannotGoOn where none is found.
    """
    seeded = seed(url)
    report(seeded, elapsed_s=0)
    fleet.report(seeded.operator, [(seeded.readers, 2.3530, 48.8572)])
    until = time.monotonic() + SHOWN_WITHIN_S
    while not seeded.search_app.get("/taxis", lon=demo.CENTRE[0], lat=demo.CENTRE[1]):
        if time.monotonic() > until:
            raise CannotGoOn(
                f"The demonstration's taxis are not found {SHOWN_WITHIN_S} s after they reported: "
                "the logs in the data folder's logs/ say why."
            )
        time.sleep(0.2)
    send_hails_to("", "")  # where the last run's drivers listened nobody does any more
    return lines(seeded)


def report(seeded: Seeded, *, elapsed_s: float, without: Collection[str] = ()) -> None:
    """Sends where the driven taxis are, except for those `without`."""
    places = []
    for number, taxi_id in enumerate(seeded.driven):
        if taxi_id in without:
            continue
        way, ahead_s = ways.way(number)
        lon, lat = way.at(elapsed_s + ahead_s, again=True)
        places.append((taxi_id, round(lon, 6), round(lat, 6)))
    fleet.report(seeded.operator, places)


def lines(seeded: Seeded) -> list[str]:
    """Three requests to copy (search, register, position), and a ride."""
    lon, lat = demo.CENTRE
    url = seeded.operator.url
    position = {"positions": [{"taxi_id": seeded.readers, "lon": lon, "lat": lat}]}
    return [
        "# a search app finds the free taxis near the Hôtel de Ville",
        f"curl -s '{url}/taxis?lon={lon}&lat={lat}' -H 'X-Api-Key: {seeded.search_app.key}'",
        "# an operator registers a taxi",
        _post(seeded.operator, "/taxis", fleet.taxi_body(demo.SPARE)),
        "# it says where another one of its taxis is, which the first line then shows at 0 m",
        _post(seeded.operator, "/geotaxi", position) + " -w '%{http_code}\\n'",
        "# a customer hails a taxi, and is told each step until the end of the ride",
        f"{sys.argv[0]} demo-hail --data {os.environ['MARAUDE_DATA']}",
    ]


def _post(client: Client, path: str, element: object) -> str:
    body = json.dumps({"data": [element]}, separators=(",", ":"))
    return (
        f"curl -s {client.url}{path} -H 'X-Api-Key: {client.key}' "
        f"-H 'Content-Type: application/json' -d '{body}'"
    )
