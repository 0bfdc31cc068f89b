"""A whole local system for tests, spoken to by the `maraude` command and over HTTP."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from tests import factories

BIN = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class System:
    """A registry with a few towns and a `partner`, an operator and search app."""

    folder: Path
    url: str
    keys: dict[str, str] = field(default_factory=dict)

    def maraude(self, *words: str) -> str:
        """What a command prints."""
        ran = subprocess.run(
            [str(BIN / "maraude"), *words, "--data", str(self.folder)],
            capture_output=True,
            text=True,
            check=True,
        )
        return ran.stdout

    def add(self, email: str, *roles: str) -> None:
        """An account."""
        said = [word for role in roles for word in ("--role", role)]
        self.keys[email] = json.loads(self.maraude("account", "add", email, *said))["api_key"]

    def send(self, verb: str, path: str, element: object) -> Any:
        """What the partner's request makes."""
        answer = urllib3.request(
            verb,
            self.url + path,
            json={"data": [element]},
            headers={"X-Api-Key": self.keys["partner"]},
        )
        assert answer.status in (200, 201), answer.data
        return json.loads(answer.data)["data"][0] if answer.data else None

    def put_a_taxi_on_the_road(self, *, lon: float, lat: float) -> str:
        """The partner's taxi, free and there; its id."""
        for path, body in (
            ("/drivers", factories.a_driver()),
            ("/vehicles", factories.a_vehicle()),
            ("/ads", factories.an_ads()),
        ):
            self.send("POST", path, body)
        taxi_id: str = self.send("POST", "/taxis", factories.a_taxi())["id"]
        self.send("PUT", f"/taxis/{taxi_id}", {"status": "free"})
        where = {"taxi_id": taxi_id, "lon": lon, "lat": lat}
        self.send("POST", "/geotaxi", {"positions": [where]})
        return taxi_id


@contextmanager
def running(folder: Path) -> Iterator[System]:
    """A system on a folder, until the end of the block."""
    up = subprocess.Popen(
        [str(BIN / "maraude"), "up", "--port", "0", "--data", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert up.stdout is not None
        ready = next(line for line in up.stdout if line.startswith("ready "))
        started = System(folder, ready.split()[1])
        started.maraude(
            "territory", "load-towns", str(ROOT / "ops" / "local" / "demo" / "towns.geojson")
        )
        started.add("partner", "operateur", "moteur")
        yield started
    finally:
        up.terminate()
        up.communicate(timeout=90)
