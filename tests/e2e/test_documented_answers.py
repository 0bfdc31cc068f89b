"""Schemathesis against the whole system: whatever it sends, no 5xx, and no answer that the document lacks."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.system import BIN, System, running

CASES_AN_OPERATION = 6  # made at random, always the same; as many again are made by rule
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)

pytestmark = pytest.mark.local_stack


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("documented")) as started:
        started.add("admin", "admin")
        yield started


@pytest.fixture(scope="module")
def config(system: System, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where schemathesis finds ids that exist, so that it comes further than to 404."""
    taxi_id = system.put_a_taxi_on_the_road(lon=2.35, lat=48.86)
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
