"""Benchmark of whole requests on a local system of its own: `make bench-requests`.

    python -m bench.requests --page docs/evidence/performance.md

CPU is the API process's own; latency is a client's, on one connection that is kept alive, and has
the local DynamoDB in it, which shares the machine. Beside each run stands a server that does nothing,
and `json.loads` of the same answers in this process: those two say how fast the machine was.
"""

import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from bench import harness, system
from bench.requests_page import latencies, markdown
from bench.timed import Client, Cost, get, least, nothing, spawning, timed
from ops.local import place
from ops.local.place import Run

if TYPE_CHECKING:
    from bench.registered import Registered

BEGIN, END = "<!-- requests: begin -->", "<!-- requests: end -->"
POSITIONS_A_POST = 50
STORED_S = 120.0
RECENT_S = 60.0  # a report as old as this stays fresh as long as a measurement takes
CUSTOMERS = 24
PHONE = "0600000000"


@dataclass(frozen=True, slots=True)
class Size:
    """A fleet, and how much is asked of it."""

    taxis: int
    seen: int  # by each customer
    requests: int
    hails: int = 0  # beside the dispatcher, and as many alone


SIZES = (Size(5_000, 16, 400, hails=80), Size(20_000, 59, 400))
QUICK = (Size(300, 16, 60, hails=10),)


# --- what is asked -------------------------------------------------------------------------------


def _position_posts(fleet: "Registered", clients: Sequence[Client]) -> list[Callable[[], object]]:
    posts: list[Callable[[], object]] = []
    for client, reported in zip(clients, fleet.positions(), strict=True):
        for start in range(0, len(reported), POSITIONS_A_POST):
            some = reported[start : start + POSITIONS_A_POST]
            positions = [{"taxi_id": taxi, "lon": lng, "lat": lat} for taxi, lng, lat in some]
            body = json.dumps({"data": [{"positions": positions}]}).encode()
            posts.append(partial(client.ask, "POST", "/geotaxi", body))
    return posts


def _hails(client: Client, searches: Sequence[str], count: int) -> list[Callable[[], object]]:
    """A hail for each taxi that these searches show, up to so many, each once."""
    # A taxi has another id in each search, but no two are at one place
    taxis = {
        (taxi["position"]["lon"], taxi["position"]["lat"]): taxi["id"]
        for path in searches
        for taxi in json.loads(client.ask("GET", path))["data"]
    }
    assert len(taxis) >= count, f"only {len(taxis)} taxis are free for {count} hails"
    hails: list[Callable[[], object]] = []
    for (lng, lat), taxi_id in list(taxis.items())[:count]:
        wish = {
            "customer_id": f"customer-{taxi_id}",
            "customer_lon": lng,
            "customer_lat": lat,
            "customer_address": "Place de l'Hôtel de Ville, Paris",
            "customer_phone_number": PHONE,
            "taxi_id": taxi_id,
        }
        hails.append(partial(client.ask, "POST", "/hails", json.dumps({"data": [wish]}).encode()))
    return hails


def _until(holds: Callable[[], bool], *, within_s: float, what: str) -> None:
    until = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until, f"{what} within {within_s:g} s"
        time.sleep(0.2)


def _measured(size: Size) -> dict[str, Cost]:
    """The costs of one fleet's requests, by name, on a system that is there for them only."""
    with (
        nothing() as (hook, idle),
        tempfile.TemporaryDirectory(prefix="maraude-") as folder,
        system.running(place.of(folder), window_s=1) as running,
    ):
        run = running.run
        os.environ.update(running.place.environment(run.endpoint))
        costs = {f"no-op server {size.taxis}": least(idle, [get(Client(hook), "/")], size.requests)}
        costs.update(_measure_kinds(size, run, hook))
    return costs


def _measure_kinds(size: Size, run: Run, hook: str) -> dict[str, Cost]:
    from bench.registered import Registered  # noqa: PLC0415  # its tables are named on import

    fleet = Registered(taxis=size.taxis, seen=size.seen, hails_to=hook)
    api, worker = run.pids["api"], run.pids["worker"]
    customer = Client(run.url, fleet.customer_key)
    posts = _position_posts(fleet, [Client(run.url, key) for key in fleet.operator_keys])
    paths = [f"/taxis?lon={lng}&lat={lat}" for lng, lat in fleet.customers(CUSTOMERS)]

    def all_report() -> None:
        for post in posts:
            post()
        _until(
            lambda: fleet.reporting(seconds=RECENT_S) == size.taxis,
            within_s=STORED_S,
            what="every position is stored",
        )

    all_report()
    answers = [customer.ask("GET", path) for path in paths]
    for path, answer in zip(paths, answers, strict=True):
        found = len(json.loads(answer)["data"])
        assert found == size.seen, f"{path} shows {found} taxis, not {size.seen}"
    costs = {
        f"json.loads {size.taxis}": least(
            os.getpid(), [partial(json.loads, answer) for answer in answers], size.requests
        ),
        f"trivial {size.taxis}": least(api, [get(customer, "/")], size.requests),
        f"search {size.taxis}": least(api, [get(customer, path) for path in paths], size.requests),
        f"positions {size.taxis}": least(api, posts, size.requests),
    }
    if size.hails:
        all_report()
        half = len(paths) // 2
        hails = _hails(customer, paths[:half], size.hails)
        costs["hail beside the dispatcher"] = timed(api, hails)
        # What feeds the queues' functions is held still, so that nobody is beside the API
        os.kill(worker, signal.SIGSTOP)
        try:
            costs["hail"] = timed(api, _hails(customer, paths[half:], size.hails))
        finally:
            os.kill(worker, signal.SIGCONT)
    return costs


# --- the whole run -------------------------------------------------------------------------------


def measured(sizes: Sequence[Size]) -> dict[str, Cost]:
    """The costs of every fleet's requests, each fleet in a process and a system of its own."""
    costs: dict[str, Cost] = {}
    with ProcessPoolExecutor(1, mp_context=spawning, max_tasks_per_child=1) as pool:
        for size in sizes:
            costs.update(pool.submit(_measured, size).result())
    return costs


def main() -> None:
    """Runs the command."""
    parser = harness.parser("bench.requests", "Whole requests.")
    parser.add_argument("--quick", action="store_true", help="one small fleet, half a minute")
    arguments = parser.parse_args()
    began_at = datetime.now(UTC)
    costs = measured(QUICK if arguments.quick else SIZES)
    harness.publish(
        arguments,
        markdown(costs, began_at=began_at),
        markers=(BEGIN, END),
        figures={name: asdict(cost) for name, cost in costs.items()},
        draw=lambda to: latencies(costs, to),
    )


if __name__ == "__main__":
    main()
