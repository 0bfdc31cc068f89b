"""A customer who hails the nearest taxi, and says what happens."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from ops.errors import CannotGoOn
from ops.local.client import ApiRefused, Client
from ops.local.demo import fleet as demo
from ops.local.demo.hook import OVER

TRIES = 5
LOOK_S = 0.25  # between two looks at the hail
DISTANCE_S = 2.0  # between two words about how far the taxi is
AGAIN_S = 1.0  # before the next taxi is hailed; longer each time
PATIENCE_S = 30.0  # for a taxi to come by
PHONE = "0600000001"


# What a customer does about a hail in which state: this one rides.
CONFIRMS: Mapping[str, str] = {"accepted_by_taxi": "accepted_by_customer"}


class Place(NamedTuple):
    """Where a customer stands, in degrees, and how they call it."""

    lon: float
    lat: float
    address: str


SQUARE = Place(*demo.CENTRE, "Place de l'Hôtel de Ville, Paris")


class NoTaxi(CannotGoOn):
    """Nobody took the customer."""


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@dataclass
class Customer:
    """Somebody who wants a taxi."""

    search_app: Client
    say: Callable[[str], None] = print
    place: Place = SQUARE
    answers: Mapping[str, str] = field(default_factory=lambda: CONFIRMS)
    customer_id: str = "demo"
    tries: int = TRIES
    look_s: float = LOOK_S
    again_s: float = AGAIN_S
    patience_s: float = PATIENCE_S
    _started_s: float = field(default_factory=time.monotonic)
    _session: str | None = None

    def ride(self) -> None:
        """Hails one taxi after the other until one has taken the customer. Raises NoTaxi."""
        for attempt in range(self.tries):
            if attempt:
                time.sleep(attempt * self.again_s)
            hail = self._hail()
            if hail is not None and self._follow(hail) == "finished":
                return
        raise NoTaxi(f"None of {self.tries} taxis took the customer: run it again.")

    def _tell(self, what: str) -> None:
        self.say(f"{time.monotonic() - self._started_s:6.1f} s  {what}")

    def _hail(self) -> dict[str, Any] | None:
        """A new hail for the nearest taxi, None where it was taken meanwhile. Raises NoTaxi."""
        lon, lat, address = self.place
        until = time.monotonic() + self.patience_s
        while not (found := self.search_app.get("/taxis", lon=lon, lat=lat)):
            if time.monotonic() > until:
                raise NoTaxi(
                    f"No free taxi reaches {address} ({lon},{lat}): one must be free, within its radius, and have "
                    "reported in the last two minutes (GET /taxis with debug=1 says which of these is missing)."
                )
            time.sleep(self.again_s)
        nearest = min(found, key=lambda taxi: taxi["crowfly_distance"])
        self._tell(
            f"{len(found)} taxis are free; hails the one at {nearest['crowfly_distance']:.0f} m"
        )
        wish = {
            "customer_id": self.customer_id,
            "customer_lon": lon,
            "customer_lat": lat,
            "customer_address": address,
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
            if status in self.answers:
                [hail] = self.search_app.put(path, {"status": self.answers[status]})
                continue
            km = hail["taxi"]["crowfly_distance"]
            comes = status == "accepted_by_customer" and km is not None
            if comes and time.monotonic() >= far_s:
                self._tell(f"the taxi is {1000 * km:.0f} m away")
                far_s = time.monotonic() + DISTANCE_S
            time.sleep(self.look_s)
            [hail] = self.search_app.get(path)
