"""The taxi registry's part of a rehearsal: what its ops team and its partners do on a deployed stage."""

import json
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

from ops.local import fleet
from ops.local.client import Client
from ops.local.demo import fleet as demo
from ops.local.demo.customer import Customer
from ops.local.demo.hook import Drivers, Pace, Temper, serving
from ops.release.cloud import DOMAIN
from ops.release.deployment import Deployment
from ops.release.pages import RehearsalFailed

ANSWER_S = 30  # for a request, as the gateway of AWS gives it
SEEN_S = 30  # for a position to be found: the window of the ingest function, and its first start

TOWNS = Path(demo.__file__).with_name("towns.geojson")

# What the doctor misses until `prepare`.
TO_COME = ("No town has borders: every search is empty.", "There is no account.")

_CAR = fleet.Car(
    number=1,
    plate="RE-001-HE",
    insee="75056",
    departement="75",
    first_name="Ada",
    last_name="Byron",
)
_PACE = Pace(to_notice_s=0.1, to_decide_s=0.1, between_looks_s=0.2, to_arrive_s=1.0, to_ride_s=0.1)

# Requests without a key, and their status.
_WITHOUT_KEY = (
    ("GET", "/taxis", 401),
    ("GET", "/taxis/a%20b", 401),
    ("GET", "/no/such/thing", 404),
    ("DELETE", "/taxis", 405),
    ("GET", "/doc", 200),
)


@dataclass
class Partners:
    """The steps. Each raises RehearsalFailed, or what it was refused with."""

    on: Deployment
    _keys: dict[str, str] = field(default_factory=dict)

    def prepare(self, hail_url: str) -> str:
        """Loads the towns, adds an operator and a search app, and gives the API a domain."""
        self.on.to_come.clear()
        answers = self.on.follow(
            "deploy",
            "The first time",
            FILE=str(TOWNS),
            EMAIL="operator",
            URL=hail_url,
            ADDRESS="ops@registry.example",
        )
        app = self.on.type("maraude account add app --role moteur --stage prod")
        for answer in (*answers, app):
            if '"api_key"' in answer.output:
                added = json.loads(answer.output)
                self._keys[added["email"]] = added["api_key"]
        *_, target = self.on.follow(
            "deploy",
            "Under a domain of its own",
            CERTIFICATE="arn:aws:acm:eu-west-3:000000000000:certificate/any",
        )
        return f"towns, an operator, a search app; {DOMAIN} is to point to {target.output.strip()}"

    def mend(self, sections: Collection[str]) -> str:
        """Follows the procedures of the runbook, word for word."""
        commit = self.on.type("git rev-parse HEAD~1").output if not self.on.package else ""
        self.on.type('where="--stage prod" wait_s=1')
        for section in sections:
            self.on.tell(f"  {section}")
            self.on.follow("runbook", section, COMMIT_BEFORE=commit)
        return f"{len(sections)} procedures"

    # --- what partners do ---------------------------------------------------------------------------

    def refuse(self) -> str:
        """What anybody may see: the key is asked for, an unknown path or verb is said in our envelope."""
        for method, path, status in _WITHOUT_KEY:
            for url, headers in ((self.on.url(), {}), (self.on.endpoint, {"Host": DOMAIN})):
                answer = urllib3.request(
                    method, url + path, headers=headers, retries=False, timeout=ANSWER_S
                )
                if answer.status != status:
                    raise RehearsalFailed(
                        f"{method} {url}{path} was answered {answer.status}, not {status}."
                    )
                if status != 200 and list(answer.json()) != ["errors"]:
                    raise RehearsalFailed(
                        f"{method} {url}{path} was answered {answer.data[:200]!r}."
                    )
        return "401, 404, 405 and the API's document, at AWS's address and under the domain"

    def partner(self, email: str) -> Client:
        """The API with the key of an account."""
        return Client(self.on.url(), self._keys[email])

    def find(self) -> str:
        """Registers a taxi, says where it is, and searches until it is found."""
        operator, app = self.partner("operator"), self.partner("app")
        taxi_id = fleet.put_on_the_road(operator, _CAR)
        lon, lat = demo.CENTRE
        fleet.report(operator, [(taxi_id, lon, lat)])
        sent_s = time.monotonic()
        while not app.get("/taxis", lon=lon, lat=lat):
            if time.monotonic() > sent_s + SEEN_S:
                raise RehearsalFailed(f"The taxi was not found {SEEN_S} s after its position.")
            time.sleep(0.2)
        return f"taxi {taxi_id} found {time.monotonic() - sent_s:.1f} s after its position"

    def ride(self) -> str:
        """A customer hails the taxi, whose driver gets it through the webhook, to the end."""
        lines: list[str] = []

        def say(line: str) -> None:
            lines.append(line)
            self.on.tell(f"  {line.strip()}")

        Customer(
            self.partner("app"), say=say
        ).ride()  # raises NoTaxi where none comes to `finished`
        return lines[-1].split("  ")[-1].strip()


def use(on: Deployment, sections: Collection[str]) -> None:
    """A stage prepared and used, to the end of a hail, before and after sections of the runbook are followed."""
    partners = Partners(on)
    # The drivers' server needs its operator's key, which needs the server's address.
    drivers = Drivers(Client("", ""), pace=_PACE, temper=lambda _: Temper.ACCEPTS)
    with serving(drivers) as hail_url:
        on.step("preparing the stage", lambda: partners.prepare(hail_url))
        drivers.operator = partners.partner("operator")
        on.step("asking without a key", partners.refuse)
        on.step("registering, positioning, searching", partners.find)
        on.step("hailing, to the end of the ride", partners.ride)
        on.step("following the runbook", lambda: partners.mend(sections))
        on.step("positioning, searching again", partners.find)
        on.step("hailing again", partners.ride)
