"""Customers of a load test: search apps that search and hail, operators' servers, drivers."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import urllib3

from bench.load import fleet as fleets
from bench.load.fleet import SEARCH_APP
from ops.local.client import ApiRefused, Client
from ops.local.demo.hook import OVER, Drivers, Pace, Temper

CENTRE = (2.3522, 48.8566)
SPREAD = 0.02  # degrees: the middle of Paris
LOOK_S = 0.5
PHONE = "0600000001"
QUICK = Pace(0.05, 0.3, 0.2, 0.5, 0.5, 5.0, 1.0)

Trouble = (ApiRefused, urllib3.exceptions.HTTPError)


class _Reporting(Drivers):
    """Drivers who leave it to the senders to say where they are."""

    def _approach(self, taxi_id: str, hail: dict[str, Any]) -> None:  # noqa: ARG002  # as the others'
        time.sleep(self.pace.to_arrive_s)


@contextmanager
def servers(url: str, keys: Mapping[str, str]) -> Iterator[str]:
    """The servers of all operators under one address, `/N` for the Nth; every driver accepts."""
    drivers = [
        _Reporting(Client(url, keys[fleets.operator(one)]), QUICK, lambda _: Temper.ACCEPTS)
        for one in range(fleets.OPERATORS)
    ]

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            [hail] = json.loads(body)["data"]
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")
            drivers[int(self.path.strip("/"))].take(hail["id"], hail["taxi"]["id"])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@dataclass
class Customers:
    """Search and hail at a steady rate until they are stopped, and count what they meet."""

    url: str
    key: str
    searches_a_second: float = 5.0
    hails_a_second: float = 0.5
    searched: Counter[str] = field(default_factory=Counter)
    took_ms: list[float] = field(default_factory=list)
    hails: Counter[str] = field(default_factory=Counter)  # by what became of them
    _stopped: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _rides: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(16))

    def start(self) -> None:
        """Begins, in threads."""
        for rate, act in (
            (self.searches_a_second, self._search),
            (self.hails_a_second, lambda: self._rides.submit(self._ride)),
        ):
            thread = threading.Thread(target=self._steadily, args=(rate, act), daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Waits for the rides that are under way."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        self._rides.shutdown()

    def _steadily(self, rate: float, act: Any) -> None:  # noqa: ANN401  # whatever it answers
        due_s = time.monotonic()
        while not self._stopped.wait(max(0.0, due_s - time.monotonic())):
            due_s = max(due_s, time.monotonic() - 1) + 1 / rate
            act()

    def _somewhere(self) -> tuple[float, float]:
        lon, lat = CENTRE
        return (
            round(lon + random.uniform(-SPREAD, SPREAD), 6),
            round(lat + random.uniform(-SPREAD, SPREAD) / 2, 6),
        )

    def _search(self) -> None:
        lon, lat = self._somewhere()
        began_s = time.monotonic()
        try:
            found = Client(self.url, self.key, self._pool).get("/taxis", lon=lon, lat=lat)
        except Trouble:
            self.searched["failed"] += 1
            return
        self.took_ms.append(1000 * (time.monotonic() - began_s))
        self.searched["found" if found else "empty"] += 1

    def _ride(self) -> None:
        app = Client(self.url, self.key, self._pool)
        lon, lat = self._somewhere()
        try:
            found = app.get("/taxis", lon=lon, lat=lat)
            if not found:
                self.hails["no taxi near"] += 1
                return
            wish = {
                "customer_id": f"customer-{random.getrandbits(40):x}",
                "customer_lon": lon,
                "customer_lat": lat,
                "customer_address": "Paris",
                "customer_phone_number": PHONE,
                "taxi_id": random.choice(found)["id"],
            }
            [hail] = app.post("/hails", wish)
        except Trouble:
            self.hails["not created"] += 1
            return
        self.hails["created"] += 1
        try:
            self.hails[f"ended {self._followed(app, hail)}"] += 1
        except Trouble:
            self.hails["not followed"] += 1

    def _followed(self, app: Client, hail: dict[str, Any]) -> str:
        """How the hail ends; the customer confirms it."""
        path = f"/hails/{hail['id']}"
        while hail["status"] not in OVER:
            if hail["status"] == "accepted_by_taxi":
                [hail] = app.put(path, {"status": "accepted_by_customer"})
            else:
                time.sleep(LOOK_S)
                [hail] = app.get(path)
        return str(hail["status"])

    _pool: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(
            maxsize=20, timeout=urllib3.Timeout(connect=2, read=15), retries=False
        )
    )


def search_app(url: str, keys: Mapping[str, str]) -> Customers:
    """The customers of the load's search app."""
    return Customers(url, keys[SEARCH_APP])
