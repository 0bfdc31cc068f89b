"""Schemathesis against the whole system: whatever it sends, no 5xx, and no answer that the document lacks."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests import factories

BIN = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parents[2]
CASES_AN_OPERATION = 6  # made at random, always the same; as many again are made by rule
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)

pytestmark = pytest.mark.local_stack


@dataclass
class System:
    """A registry with a few towns, an admin, and a partner who has a taxi on the road and a hail."""

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


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("documented")
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
        started.add("admin", "admin")
        started.add("partner", "operateur", "moteur")
        yield started
    finally:
        up.terminate()
        up.communicate(timeout=90)


@pytest.fixture(scope="module")
def config(system: System, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where schemathesis finds ids that exist, so that it comes further than to 404."""
    for path, body in (
        ("/drivers", factories.a_driver()),
        ("/vehicles", factories.a_vehicle()),
        ("/ads", factories.an_ads()),
    ):
        system.send("POST", path, body)
    taxi_id = system.send("POST", "/taxis", factories.a_taxi())["id"]
    system.send("PUT", f"/taxis/{taxi_id}", {"status": "free"})
    where = {"taxi_id": taxi_id, "lon": 2.35, "lat": 48.86}
    system.send("POST", "/geotaxi", {"positions": [where]})
    file = tmp_path_factory.mktemp("config") / "schemathesis.toml"
    named = {"taxi_id": taxi_id, "user_id": 2, "customer_id": "somebody"}
    lines = [f'"path.{name}" = {json.dumps(value)}' for name, value in named.items()]
    file.write_text("\n".join(["[parameters]", *lines, ""]))
    return file


@pytest.mark.parametrize("email", ["admin", "partner", None])
def test_whatever_is_sent_the_answer_is_one_of_the_document(
    system: System, config: Path, email: str | None
) -> None:
    # Acting as oneself: an `X-Logas` made at random would be refused before anything else.
    headers = [] if email is None else [f"X-Api-Key: {system.keys[email]}", f"X-Logas: {email}"]

    ran = subprocess.run(
        [
            str(BIN / "schemathesis"),
            *("--config-file", str(config)),
            *("run", f"{system.url}/swagger.json"),
            *(word for header in headers for word in ("--header", header)),
            *("--phases", "examples,coverage,fuzzing"),
            *("--max-examples", str(CASES_AN_OPERATION), "--generation-deterministic"),
            *("--checks", ",".join(CHECKS)),
            *("--continue-on-failure", "--no-color", "--warnings", "off"),
        ],
        cwd=config.parent,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr
