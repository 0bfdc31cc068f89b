"""Seeding of the demonstration, and the requests that a newcomer may copy.

What is there already stays. What the first look needs comes before the system is `ready`: the territory, the
accounts, a dozen taxis that wait round the square, and the hails of a year, whose sums the API remembers for a day once
it has read them. All else comes in the demonstration's own process (`enrol_rest`).
"""

import json
import os
import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ops.errors import CannotGoOn
from ops.local import fleet
from ops.local.client import DEMONSTRATION, Client
from ops.local.demo import fleet as demo
from ops.local.fleet import Car

HERE = Path(__file__).parent
SHOWN_WITHIN_S = 30  # from the first report to the search that finds it
READERS_AT = (2.3530, 48.8572)  # until a reader says otherwise


@dataclass(frozen=True, slots=True)
class Seeded:
    """What the printed lines speak of."""

    operator: Client
    search_app: Client
    readers: str


def territory() -> None:
    """Loads the drawn towns and their zone, unless Paris is there already; their conurbation, unless there is one."""
    from chalicelib.taxis.territory import service
    from ops.cli.territory import conurbations, loads

    if not service.town_exists(demo.PARIS):
        loads.load_towns(HERE / "towns.geojson", quiet=True)
        loads.load_zones(HERE / "zones.json", quiet=True)
    if not service.conurbations() and all(map(service.town_exists, demo.TOWNS)):
        conurbations.load_conurbations(HERE / "conurbations.json", quiet=True)


def prepare(url: str) -> list[str]:
    """Seeds the registry at `url` and returns the lines to print, once a search finds a taxi.

    From then on the readers' taxi is where its readers say. Raises CannotGoOn where none is found.
    """
    from chalicelib.foundation import clock
    from chalicelib.taxis.positions import service as positions
    from ops.local.demo import accounts, enrol, history

    territory()
    those = accounts.add()
    now = clock.now()
    known = enrol_first(now=now)
    seeded = Seeded(
        accounts.client_of(those.operator, url, agent=DEMONSTRATION),
        accounts.client_of(those.search_app, url, agent=DEMONSTRATION),
        known[demo.READERS.plate],
    )
    waiting = [known[car.plate] for car in demo.FIRST]
    for taxi_id, status in enrol.statuses(waiting).items():
        if status != "free":  # as an earlier run has left it
            seeded.operator.put(f"/taxis/{taxi_id}", {"status": "free"})
    places = [(taxi_id, *waits_at(place)) for place, taxi_id in enumerate(waiting)]
    if not positions.where_is([seeded.readers], now=now):
        places.append((seeded.readers, *READERS_AT))
    fleet.report(seeded.operator, places)
    operators = [those.operator.account, those.group.account]
    history.seed_hails(history.days(now), operators, those.search_app.account, now=now)
    _await_found(seeded)
    # Where the last run's drivers listened nobody does any more.
    accounts.send_hails_to(dict.fromkeys(hailed(), ""))
    return lines(seeded)


def enrol_first(*, now: datetime) -> Mapping[str, str]:
    """Registers what the printed lines and the console's simulators need: the operator's taxis, ids by plate."""
    from ops.local.demo import accounts, enrol

    those = accounts.find()
    operator, integration = those.operator.account, those.integration.account
    known = dict(enrol.known(operator))
    for place, car in enumerate(demo.FIRST):
        if car.plate not in known:
            known[car.plate] = enrol.add(operator, car, at=now - demo.age(place))
    if demo.READERS.plate not in known:
        known[demo.READERS.plate] = enrol.add(operator, demo.READERS, at=now)
        enrol.register_parts(operator, demo.SPARE, at=now)
    if demo.SIMULATED.plate not in enrol.known(integration):
        enrol.add(integration, demo.SIMULATED, at=now)
    return known


def hailed() -> tuple[str, ...]:
    """The accounts that the demonstration takes the hails of; its own operator's address is set last."""
    from ops.local.demo import accounts

    operator, group, _, integration, *_ = accounts.emails()
    return integration, group, operator


def is_ready() -> bool:
    """Whether somebody has said where the hails of the demonstration's taxis go."""
    from chalicelib.foundation import clock
    from chalicelib.taxis.access import service as access
    from ops.cli import administration

    operator = administration.find(demo.OPERATOR).account
    return access.hook_of(operator.id, now=clock.now()) is not None


def waits_at(place: int) -> tuple[float, float]:
    """Where a taxi of the stand waits."""
    from ops.local.demo import ways

    lon, lat = ways.waiting(place, len(demo.STAND), demo.CENTRE)
    return round(lon, 6), round(lat, 6)


def _await_found(seeded: Seeded) -> None:
    until = time.monotonic() + SHOWN_WITHIN_S
    while not seeded.search_app.get("/taxis", lon=demo.CENTRE[0], lat=demo.CENTRE[1]):
        if time.monotonic() > until:
            raise CannotGoOn(
                f"The demonstration's taxis are not found {SHOWN_WITHIN_S} s after they reported: "
                "the logs in the data folder's logs/ say why."
            )
        time.sleep(0.2)


# --- what the demonstration's own process seeds -----------------------------------------------------


def enrol_rest(
    cars: Sequence[Car] = demo.DRIVEN,
    *,
    now: datetime,
    pause: Callable[[float], object] = time.sleep,
) -> Iterator[tuple[int, str, str]]:
    """Registers those of the driven taxis that are missing: place in `demo.DRIVEN`, id and status of each, new or not.

    Those of towns that are not there, where somebody has loaded other ones than the drawn, are left out.
    It takes at most half of a core: after each new taxi it pauses as long as that took.
    """
    from chalicelib.taxis.territory import service as territory
    from ops.local.demo import accounts, enrol

    those = accounts.find()
    of_group = {car.plate for car in demo.OF_GROUP}
    towns = {insee for insee in demo.TOWNS if territory.town_exists(insee)}
    known = {**enrol.known(those.operator.account), **enrol.known(those.group.account)}
    statuses = enrol.statuses(known.values())
    for car in cars:
        if car.insee not in towns:
            continue
        place = demo.DRIVEN.index(car)
        taxi_id = known.get(car.plate)
        if taxi_id is None:
            account = (those.group if car.plate in of_group else those.operator).account
            began_s = time.monotonic()
            radius_m = 300 if place >= len(demo.STAND) and place % 5 == 0 else None
            taxi_id = enrol.add(account, car, at=now - demo.age(place), radius_m=radius_m)
            pause(time.monotonic() - began_s)
        yield place, taxi_id, statuses.get(taxi_id, "free")


def seed_figures(*, now: datetime) -> None:
    """Seeds the statistics that are not in `prepare`, and has the jobs count the fleet that there is now."""
    from chalicelib.taxis.jobs import service as jobs
    from ops.local.demo import accounts, history

    those = accounts.find()
    towns = Counter(
        (car.insee, those.operator.account.owner) for car in (*demo.STAND, *demo.CRUISING)
    )
    towns.update((car.insee, those.group.account.owner) for car in demo.OF_GROUP)
    history.seed_searches([those.search_app.account, those.integration.account], now=now)
    history.seed_hours([(*place, n) for place, n in towns.items()], now=now)
    for job in ("count-active", "count-fleets"):
        jobs.run(job, now=now)


# --- what is printed ------------------------------------------------------------------------------


def lines(seeded: Seeded) -> list[str]:
    """Three requests to copy (search, register, position), and a ride."""
    from chalicelib.taxis.settings import settings

    lon, lat = demo.CENTRE
    url = seeded.operator.url
    position = {"positions": [{"taxi_id": seeded.readers, "lon": lon, "lat": lat}]}
    customer = [sys.argv[0], "demo-hail", "--data", os.environ["MARAUDE_DATA"]]
    return [
        f"# in a browser: {url}/ has the logins, and where to go on",
        "# a search app finds the free taxis near the Hôtel de Ville",
        f"curl -s '{url}/taxis?lon={lon}&lat={lat}' -H 'X-Api-Key: {seeded.search_app.key}'",
        "# an operator registers a taxi, which is off until it says that it is free, and where",
        _post(seeded.operator, "/taxis", fleet.taxi_body(demo.SPARE)),
        "# it says where another one of its taxis is, which the first line then shows at 0 m",
        _post(seeded.operator, "/geotaxi", position) + " -w '%{http_code}\\n'",
        f"# (a position counts for {settings().freshness_s} s: a taxi that reports nothing any more disappears from searches;",
        "# this one does not, since the demonstration repeats where it was last)",
        "# a customer hails a taxi, and is told each step until the end of the ride",
        shlex.join(customer),
    ]


def _post(client: Client, path: str, element: object) -> str:
    body = json.dumps({"data": [element]}, separators=(",", ":"))
    return (
        f"curl -s {client.url}{path} -H 'X-Api-Key: {client.key}' "
        f"-H 'Content-Type: application/json' -d '{body}'"
    )
