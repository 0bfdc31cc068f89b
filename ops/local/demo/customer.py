"""`maraude demo-hail`: a customer of the demonstration hails the nearest taxi, and says what happens."""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ops.cli import target
from ops.errors import CannotGoOn
from ops.local.client import ApiRefused, Client
from ops.local.demo import fleet as demo
from ops.local.demo.hook import OVER

if TYPE_CHECKING:
    from argparse import _SubParsersAction

TRIES = 5
LOOK_S = 0.25  # between two looks at the hail
DISTANCE_S = 2.0  # between two words about how far the taxi is
AGAIN_S = 1.0  # before the next taxi is hailed; longer each time
PATIENCE_S = 30.0  # for a taxi to come by
PHONE = "0600000001"


class NoTaxi(CannotGoOn):
    """Nobody took the customer."""


def add_parser(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "demo-hail", help="hail a taxi of the running demonstration, and see each step"
    )
    target.add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Plays the customer until the ride is over. Raises NoTaxi, ApiRefused."""
    url = target.url(args)

    from ops.local.demo import seed

    _, search_app, _ = seed.clients(url)
    Customer(search_app).ride()


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@dataclass
class Customer:
    """Somebody before the Hôtel de Ville who wants a taxi."""

    search_app: Client
    say: Callable[[str], None] = print
    look_s: float = LOOK_S
    again_s: float = AGAIN_S
    patience_s: float = PATIENCE_S
    _started_s: float = field(default_factory=time.monotonic)
    _session: str | None = None

    def ride(self) -> None:
        """Hails one taxi after the other until one has taken the customer. Raises NoTaxi."""
        for attempt in range(TRIES):
            if attempt:
                time.sleep(attempt * self.again_s)
            hail = self._hail()
            if hail is not None and self._follow(hail) == "finished":
                return
        raise NoTaxi(f"None of {TRIES} taxis took the customer: run it again.")

    def _tell(self, what: str) -> None:
        self.say(f"{time.monotonic() - self._started_s:6.1f} s  {what}")

    def _hail(self) -> dict[str, Any] | None:
        """A new hail for the nearest taxi, None where it was taken meanwhile. Raises NoTaxi."""
        lon, lat = demo.CENTRE
        until = time.monotonic() + self.patience_s
        while not (found := self.search_app.get("/taxis", lon=lon, lat=lat)):
            if time.monotonic() > until:
                raise NoTaxi("No taxi is free near the Hôtel de Ville just now: run it again.")
            time.sleep(self.again_s)
        nearest = min(found, key=lambda taxi: taxi["crowfly_distance"])
        self._tell(
            f"{len(found)} taxis are free; hails the one at {nearest['crowfly_distance']:.0f} m"
        )
        wish = {
            "customer_id": "demo",
            "customer_lon": lon,
            "customer_lat": lat,
            "customer_address": "Place de l'Hôtel de Ville, Paris",
            "customer_phone_number": PHONE,
            "taxi_id": nearest["id"],
            "session_id": self._session,
        }
        try:
            [hail] = self.search_app.post("/hails", wish)
        except ApiRefused as refused:
            self._tell(f"refused: {refused}")
            return None
        self._session = hail["session_id"]
        found_hail: dict[str, Any] = hail
        return found_hail

    def _follow(self, hail: dict[str, Any]) -> str:
        """Tells each step of the hail, confirms it, and returns how it ended."""
        began = _at(hail["transitions"][0]["timestamp"])
        shown, far_s = 0, 0.0
        path = f"/hails/{hail['id']}"
        while True:
            for step in hail["transitions"][shown:]:
                after = (_at(step["timestamp"]) - began).total_seconds()
                why = f" ({step['reason']})" if step["reason"] else ""
                self._tell(f"hail {hail['id']} after {after:.2f} s: {step['to_status']}{why}")
            shown = len(hail["transitions"])
            status: str = hail["status"]
            if status in OVER:
                return status
            if status == "accepted_by_taxi":
                [hail] = self.search_app.put(path, {"status": "accepted_by_customer"})
                continue
            km = hail["taxi"]["crowfly_distance"]
            comes = status == "accepted_by_customer" and km is not None
            if comes and time.monotonic() >= far_s:
                self._tell(f"the taxi is {1000 * km:.0f} m away")
                far_s = time.monotonic() + DISTANCE_S
            time.sleep(self.look_s)
            [hail] = self.search_app.get(path)
