"""What `chalice package` makes of a clean export: the zip that runs on AWS, and its template."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ops.local.provision import Loader

ROOT = Path(__file__).resolve().parents[1]
UNPACKED_LIMIT_MB = 250  # AWS Lambda's, for the unpacked package


def exported(folder: Path) -> None:
    """The files git knows, as they are now: what a clean export of the next commit would hold."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607  # git is where the developer has it
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        source = ROOT / name
        if not name or not source.exists():
            continue
        there = folder / name
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, there, follow_symlinks=False)


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder with `deployment.zip` and `sam.yaml`."""
    folder = tmp_path_factory.mktemp("package")
    exported(folder / "source")
    made = subprocess.run(
        [  # our own words only
            str(Path(sys.executable).with_name("chalice")),
            "package",
            "--stage=dev",
            "--merge-template=infra/resources.yaml",
            "--template-format=yaml",
            str(folder / "out"),
        ],
        cwd=folder / "source",
        # Chalice imports the application before it packs it, and would pack what that compiled.
        env={
            **os.environ,
            "AWS_DEFAULT_REGION": "eu-west-3",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    yield folder / "out"
    shutil.rmtree(folder)


def names(package: Path) -> set[str]:
    with zipfile.ZipFile(package / "deployment.zip") as packed:
        return set(packed.namelist())


@pytest.mark.parametrize(
    "wanted",
    [
        "app.py",
        "chalicelib/web.py",
        "chalicelib/positions/service.py",
        "chalicelib/registry/service.py",
        "chalicelib/territory/service.py",
        "chalicelib/search/service.py",
        "ingest_lambda/handler.py",
        "pynamodb/models.py",
        "geohash2/__init__.py",
        "marshmallow/schema.py",
        "chalice/app.py",
    ],
)
def test_the_zip_holds_what_the_handlers_need(package: Path, wanted: str) -> None:
    assert wanted in names(package)


@pytest.mark.parametrize("compiled", ["msgspec/_core", "cryptography/hazmat/bindings/_rust"])
def test_compiled_packages_are_those_of_the_deployed_processor(
    package: Path, compiled: str
) -> None:
    found = [name for name in names(package) if name.startswith(compiled) and name.endswith(".so")]

    assert found
    with zipfile.ZipFile(package / "deployment.zip") as packed:
        header = packed.read(found[0])[:20]
    assert header[18:20] == b"\xb7\x00"  # ELF e_machine 183: AArch64


def test_nothing_travels_that_does_not_run_there(package: Path) -> None:
    strangers = ("tests/", "ops/", "shapely", "ministack", "moto/", "pytest", ".maraude", ".git/")

    assert [name for name in names(package) if name.startswith(strangers)] == []
    assert [name for name in names(package) if name.endswith((".pyc", "secrets.json"))] == []


def test_it_is_small_enough_for_lambda(package: Path) -> None:
    with zipfile.ZipFile(package / "deployment.zip") as packed:
        unpacked = sum(entry.file_size for entry in packed.infolist())

    assert unpacked < UNPACKED_LIMIT_MB * 1_000_000


def test_both_handlers_load_from_the_zip_and_the_ingest_one_without_chalice(
    package: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(package / "deployment.zip") as packed:
        # Compiled packages are another processor's: those of this machine stand in.
        ours = [name for name in packed.namelist() if name.startswith(("chalicelib/", "ingest_"))]
        packed.extractall(tmp_path, ["app.py", *ours])
    script = (
        "import sys\n"
        "import ingest_lambda.handler as ingest\n"
        "assert callable(ingest.handle)\n"
        "loaded = {'chalice', 'marshmallow', 'chalicelib.web'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
        "import app\n"
        f"assert app.__file__.startswith({str(tmp_path)!r}), app.__file__\n"
        f"assert ingest.__file__.startswith({str(tmp_path)!r}), ingest.__file__\n"
        "assert callable(app.app)\n"
    )
    bare = {name: value for name, value in os.environ.items() if not name.startswith("MARAUDE_")}

    ran = subprocess.run(
        [sys.executable, "-P", "-c", script],  # our own words only
        cwd=tmp_path,
        env={**bare, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr


def test_the_template_holds_the_api_the_ingest_function_and_the_tables(package: Path) -> None:
    template = yaml.load((package / "sam.yaml").read_text("utf-8"), Loader=Loader)  # noqa: S506  # a safe loader
    resources = template["Resources"]

    kinds = [resource["Type"] for resource in resources.values()]

    assert kinds.count("AWS::Serverless::Api") == 1
    assert kinds.count("AWS::DynamoDB::Table") >= 12
    assert resources["IngestFunction"]["Properties"]["CodeUri"] == "./deployment.zip"
    assert resources["APIHandler"]["Properties"]["CodeUri"] == "./deployment.zip"


def test_what_the_gateway_answers_by_itself_is_in_the_contract_s_envelope(package: Path) -> None:
    template = yaml.load((package / "sam.yaml").read_text("utf-8"), Loader=Loader)  # noqa: S506  # a safe loader
    answers = {
        resource["Properties"]["ResponseType"]: resource["Properties"]["ResponseTemplates"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::ApiGateway::GatewayResponse"
    }

    assert {"MISSING_AUTHENTICATION_TOKEN", "DEFAULT_4XX", "DEFAULT_5XX"} <= answers.keys()
    for bodies in answers.values():
        body = bodies["application/json"].replace("$context.error.messageString", '"x"')
        assert list(json.loads(body)) == ["errors"]


def test_the_functions_may_use_the_stage_s_own_tables_stream_and_queues_only(
    package: Path,
) -> None:
    template = yaml.load((package / "sam.yaml").read_text("utf-8"), Loader=Loader)  # noqa: S506  # a safe loader
    roles = [
        resource["Properties"]["Policies"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::IAM::Role"
    ]

    assert roles
    for [policy] in roles:
        allowed = {one["Sid"]: one for one in policy["PolicyDocument"]["Statement"]}
        assert {"dynamodb:BatchGetItem", "dynamodb:PutItem"} <= set(allowed["Tables"]["Action"])
        for sid in ("Tables", "Positions", "Queues", "Keys"):
            assert "maraude-dev-" in allowed[sid]["Resource"]
