"""`python -m bench.load.seed`: registration of a fleet on empty services; prints its accounts' keys.

Accounts, towns and the grid go through the registry's own services. Taxis and their parts are put
into the tables as the registry makes them, 25 items a call: over HTTP they would take an hour.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from pynamodb.models import Model

from bench import taxis
from bench.fleets import Fleet
from bench.load import fleet as fleets
from bench.load.fleet import Places
from bench.scene import a_pointer
from chalicelib.foundation import geo
from chalicelib.foundation.aws import clients
from chalicelib.foundation.settings import table
from chalicelib.taxis.fleets import store as pages
from chalicelib.taxis.positions import leaf_map, store
from chalicelib.taxis.positions.leaf_map import LeafMap
from chalicelib.taxis.registry import rows
from chalicelib.taxis.registry.rules import Ads, Driver
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import Account, Role
from ops.cli import administration
from ops.cli.territory import loads
from ops.local.provision import provision

ROOT = Path(__file__).resolve().parents[2]
TOWNS = ROOT / "ops" / "local" / "demo" / "towns.geojson"
A_CALL = 25  # BatchWriteItem's limit
AT_ONCE = 4
TOLD_EACH_S = 5.0


class Refused(Exception):
    """The services left items unwritten."""


def accounts() -> dict[str, tuple[Account, str]]:
    """The operators and the search app, with their keys, by e-mail."""
    roles = {fleets.operator(number): Role.OPERATEUR for number in range(fleets.OPERATORS)}
    roles[fleets.SEARCH_APP] = Role.MOTEUR
    return {email: administration.add(email, roles=[role]) for email, role in roles.items()}


def taxi_items(
    taxi_id: str, number: int, owner: Account, *, is_free: bool, now: datetime
) -> Iterator[Model]:
    """All that one taxi is made of."""
    licence = taxis.professional_licence(number)
    driver = Driver(taxis.DEPARTEMENT, licence, "Anne", f"Lescaut {number}")
    ads = Ads(insee=taxis.INSEE, numero=str(number), vehicle_id=number)
    taxi, described = taxis.build(taxi_id, number, owner, is_free=is_free, at=now)
    vehicle = described.vehicle
    yield rows.driver_row(owner.owner, driver)
    yield rows.ads_row(owner.owner, ads)
    yield rows.VehicleRow(vehicle.licence_plate, vehicle_id=number)
    yield taxis.description_row(described)
    yield rows.taxi_row(taxi, described)
    yield pages.key_row(taxi)
    yield pages.list_row(taxi, vehicle.licence_plate)


Put = tuple[str, dict[str, Any]]  # a table, and what goes into it


def items(fleet: Fleet, owners: list[Account], *, now: datetime) -> Iterator[Put]:
    """The whole fleet, an operator's pages after its taxis."""
    for row in made_of(fleet, owners, now=now):
        yield row.Meta.table_name, row.to_dynamodb_dict()
    places = Places.of(fleet)
    where = zip(places.lngs_e7.tolist(), places.lats_e7.tolist(), strict=True)
    for taxi_id, at in zip(fleets.taxi_ids(fleet), where, strict=True):
        # They have been on the road before: else each costs a write when it first reports
        yield table("last-positions"), a_pointer(taxi_id, at, since=now)


def made_of(fleet: Fleet, owners: list[Account], *, now: datetime) -> Iterator[Model]:
    """What the registry has of the fleet."""
    ids = fleets.taxi_ids(fleet)
    by_owner: dict[str, list[str]] = {}
    for taxi, taxi_id in enumerate(ids):
        owner = owners[fleet.operator(taxi // fleets.POST)]
        by_owner.setdefault(owner.owner, []).append(taxi_id)
        yield from taxi_items(taxi_id, taxi + 1, owner, is_free=bool(fleet.free[taxi]), now=now)
    for owner_id, its in by_owner.items():
        for start in range(0, len(its), pages.PAGE):
            entry = f"page#{start // pages.PAGE:06}"
            yield pages.FleetRow(owner_id, entry, ids=set(its[start : start + pages.PAGE]))


def put(batch: list[Put]) -> int:
    """Writes some items. Raises Refused."""
    requests: dict[str, list[Any]] = {}
    for name, item in batch:
        requests.setdefault(name, []).append({"PutRequest": {"Item": item}})
    answer = clients.dynamodb().batch_write_item(RequestItems=requests)
    if answer.get("UnprocessedItems"):
        raise Refused(f"{len(batch)} items were not all written")
    return len(batch)


def put_all(puts: Iterable[Put], *, expected: int) -> int:
    """Writes all, and says how far it is."""
    source, done, told_s = iter(puts), 0, time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while batches := [b for _ in range(AT_ONCE * 8) if (b := list(islice(source, A_CALL)))]:
            done += sum(pool.map(put, batches))
            if time.monotonic() - told_s > TOLD_EACH_S:
                told_s = time.monotonic()
                print(f"{done:,} of {expected:,} items", file=sys.stderr, flush=True)
    return done


def register(size: int) -> None:
    """Puts a fleet of so many taxis there, with all that it needs."""
    known = settings()
    provision(known.stage, endpoint=known.endpoint, region=known.region)
    loads.load_towns(TOWNS, quiet=True)
    added = accounts()
    fleet, now = fleets.simulate(size), datetime.now(UTC)
    owners = [added[fleets.operator(number)][0] for number in range(fleets.OPERATORS)]
    done = put_all(items(fleet, owners, now=now - timedelta(days=1)), expected=8 * size)
    places = Places.of(fleet)
    tree = leaf_map.fitted(map(geo.finest_cell, places.lngs_e7.tolist(), places.lats_e7.tolist()))
    store.replace_leaf_maps([LeafMap(1, 0, tree)])
    print(json.dumps({"items": done, "keys": {email: key for email, (_, key) in added.items()}}))


def main() -> None:
    """Runs the command; its last line is JSON: the keys by e-mail, and how many items there are."""
    parser = argparse.ArgumentParser(prog="python -m bench.load.seed", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--taxis", type=int, help="registers so many")
    what.add_argument("--hooks", metavar="URL", help="sends the hails of the Nth operator to URL/N")
    arguments = parser.parse_args()
    if arguments.hooks:
        for number in range(fleets.OPERATORS):
            administration.add(
                fleets.operator(number), hook=(f"{arguments.hooks}/{number}", "", "")
            )
        print(json.dumps({"hooks": fleets.OPERATORS}))
    else:
        register(arguments.taxis)


if __name__ == "__main__":
    main()
