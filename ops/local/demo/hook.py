"""Webhook server of the demonstration, and its drivers.

Most drivers accept, drive to the customer and finish the ride; some decline, some say nothing. What
a hail meets depends on its id alone.
"""

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import urllib3

from ops.errors import CannotGoOn
from ops.local import fleet
from ops.local.client import ApiRefused, Client

BODY_BYTES = 1_000_000
OVER = frozenset(
    {
        *("finished", "failure", "declined_by_taxi", "declined_by_customer", "incident_taxi"),
        *("incident_customer", "timeout_taxi", "timeout_customer", "timeout_accepted_by_customer"),
    }
)
# In these a driver's first step is refused, or has become possible since it was.
_BEFORE_THE_DRIVER = frozenset({"received", "received_by_operator"})
PHONE = "0600000002"

log = logging.getLogger("maraude.demo")

Trouble = (ApiRefused, urllib3.exceptions.HTTPError)


class PortTaken(CannotGoOn):
    """Somebody listens on the port already."""


class Temper(Enum):
    """What a driver does about a hail."""

    ACCEPTS = "accepts"
    DECLINES = "declines"
    SILENT = "says nothing"
    BY_HAND = "is somebody at the console's driver simulator"


def temper(hail_id: str) -> Temper:
    """Three in four accept, one in six declines, the others say nothing."""
    chance = random.Random(hail_id).random()
    if chance < 0.75:
        return Temper.ACCEPTS
    return Temper.DECLINES if chance < 0.92 else Temper.SILENT


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a driver takes for each thing."""

    to_notice_s: float = 0.3
    to_decide_s: float = 2.0
    between_looks_s: float = 0.5
    to_arrive_s: float = 8.0
    to_ride_s: float = 5.0
    to_give_up_s: float = 5.0  # on a step that the registry refuses
    to_come_back_s: float = 20.0  # after a hail that the driver did not take


@dataclass
class Drivers:
    """All drivers of one operator."""

    operator: Client
    pace: Pace = field(default_factory=Pace)
    temper: Callable[[str], Temper] = temper
    _hails: dict[str, str] = field(
        default_factory=dict, init=False
    )  # that are under way: their taxi
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def with_hail(self) -> frozenset[str]:
        """The taxis that have one: nobody else moves them or sets their status."""
        with self._lock:
            return frozenset(self._hails.values())

    def take(self, hail_id: str, taxi_id: str) -> None:
        """Shows a hail to its driver; one that comes twice is shown once."""
        with self._lock:
            if hail_id in self._hails:
                return
            self._hails[hail_id] = taxi_id
        threading.Thread(target=self._live, args=(hail_id, taxi_id), daemon=True).start()

    def _live(self, hail_id: str, taxi_id: str) -> None:
        mood = self.temper(hail_id)
        try:
            self._answer(hail_id, taxi_id, mood)
        except Trouble as trouble:
            log.info("the driver of %s gives up hail %s: %s", taxi_id, hail_id, trouble)
        try:
            if mood is Temper.BY_HAND:
                return  # whoever it is sets the taxi's status, too
            ended = self._await(hail_id, OVER)["status"]
            if ended in ("declined_by_taxi", "timeout_taxi"):
                time.sleep(self.pace.to_come_back_s)  # the registry has set the taxi `off`
            self.operator.put(f"/taxis/{taxi_id}", {"status": "free"})
        except Trouble as trouble:
            log.warning("taxi %s is not freed after hail %s: %s", taxi_id, hail_id, trouble)
        finally:
            with self._lock:
                del self._hails[hail_id]

    def _answer(self, hail_id: str, taxi_id: str, mood: Temper) -> None:
        pace = self.pace
        time.sleep(pace.to_notice_s)
        self._step(hail_id, "received_by_taxi")
        log.info("hail %s for taxi %s: its driver %s", hail_id, taxi_id, mood.value)
        if mood in (Temper.SILENT, Temper.BY_HAND):
            return
        time.sleep(pace.to_decide_s)
        if mood is Temper.DECLINES:
            self._step(hail_id, "declined_by_taxi")
            return
        self._step(hail_id, "accepted_by_taxi", taxi_phone_number=PHONE)
        hail = self._await(hail_id, OVER | {"accepted_by_customer"})
        if hail["status"] in OVER:
            return
        self._approach(taxi_id, hail)
        self._step(hail_id, "customer_on_board")
        time.sleep(pace.to_ride_s)
        self._step(hail_id, "finished")

    def _step(self, hail_id: str, status: str, **more: str) -> None:
        """Raises ApiRefused; the first step may come before the registry has read our answer."""
        until = time.monotonic() + self.pace.to_give_up_s
        while True:
            try:
                self.operator.put(f"/hails/{hail_id}", {"status": status, **more})
            except ApiRefused:
                is_now = self._hail(hail_id)["status"]
                if time.monotonic() > until or is_now not in _BEFORE_THE_DRIVER:
                    raise
                time.sleep(self.pace.between_looks_s)
            else:
                return

    def _hail(self, hail_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.operator.get(f"/hails/{hail_id}")[0]
        return found

    def _await(self, hail_id: str, wanted: frozenset[str]) -> dict[str, Any]:
        """The hail once it is so; the registry ends each hail in time."""
        while (hail := self._hail(hail_id))["status"] not in wanted:
            time.sleep(self.pace.between_looks_s)
        return hail

    def _approach(self, taxi_id: str, hail: dict[str, Any]) -> None:
        """Drives straight to the customer, and reports it."""
        here = hail["taxi"]["position"]
        steps = max(1, round(self.pace.to_arrive_s))
        for step in range(1, steps + 1):
            time.sleep(self.pace.to_arrive_s / steps)
            lon = here["lon"] + (hail["customer_lon"] - here["lon"]) * step / steps
            lat = here["lat"] + (hail["customer_lat"] - here["lat"]) * step / steps
            fleet.report(self.operator, [(taxi_id, round(lon, 6), round(lat, 6))])


@contextmanager
def serving(drivers: Drivers, *, port: int = 0) -> Iterator[str]:
    """Takes the drivers' hails on a port of this machine, 0 for any: the address to send them to.

    Raises PortTaken.
    """

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            try:
                length = min(int(self.headers.get("Content-Length", "0")), BODY_BYTES)
                [hail] = json.loads(self.rfile.read(length))["data"]
                hail_id, taxi_id = str(hail["id"]), str(hail["taxi"]["id"])
            except (KeyError, TypeError, ValueError):
                self._reply(400, b'{"error":"no hail"}')
            else:
                # The answer goes first: the registry refuses a driver's step before it has it.
                self._reply(200, b"{}")
                if hail_id.startswith("test"):  # no hail's id does
                    log.info("%s is an example of `maraude account test-webhook`", hail_id)
                else:
                    drivers.take(hail_id, taxi_id)

        def _reply(self, code: int, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
            log.debug(format, *args)

    try:
        bound = ThreadingHTTPServer(("127.0.0.1", port), Hook)
    except OSError:
        raise PortTaken(f"Port {port} is in use: name another with --port.") from None
    with bound as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hails"
        server.shutdown()
