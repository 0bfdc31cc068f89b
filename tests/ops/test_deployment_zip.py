"""The zip of a package: what travels to AWS, how it is compiled, and that its handlers run from it alone."""

import gzip
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bench import cold_start
from ops import apps
from ops.release import deployment_zip
from ops.release.audit import decisions, licences
from tests.ops import zips

ROOT = Path(__file__).resolve().parents[2]


def names(package: Path) -> set[str]:
    with zipfile.ZipFile(package / "deployment.zip") as packed:
        return set(packed.namelist())


@pytest.mark.parametrize(
    "wanted",
    [
        "app.py",
        "chalicelib/foundation/http/application.py",
        "chalicelib/taxis/positions/service.py",
        "chalicelib/taxis/registry/service.py",
        "chalicelib/taxis/territory/service.py",
        "chalicelib/taxis/search/service.py",
        "ingest_lambda/handler.py",
        "ingest_lambda/searches.py",
        "pynamodb/models.py",
        "geohash2/__init__.py",
        "marshmallow/schema.py",
        "chalice/app.py",
    ],
)
def test_the_zip_holds_what_the_handlers_need(package: Path, wanted: str) -> None:
    assert wanted in names(package)


def test_every_distribution_in_the_zip_is_one_whose_licence_was_looked_at(package: Path) -> None:
    decided = decisions.read(decisions.DECISIONS.read_text("utf-8"))
    looked_at = {f"{one.name}-{one.version}" for one in licences.shipped(decided)}

    travelling = {
        folder.removesuffix(".dist-info")
        for folder in (name.split("/")[0] for name in names(package))
        if folder.endswith(".dist-info")
    }

    assert len(travelling) > 15
    assert {one.replace("_", "-") for one in travelling} <= {
        one.replace("_", "-") for one in looked_at
    }


@pytest.mark.parametrize("compiled", ["msgspec/_core", "cryptography/hazmat/bindings/_rust"])
def test_compiled_packages_are_those_of_the_deployed_processor(
    package: Path, compiled: str
) -> None:
    found = [name for name in names(package) if name.startswith(compiled) and name.endswith(".so")]

    assert found
    with zipfile.ZipFile(package / "deployment.zip") as packed:
        header = packed.read(found[0])[:20]
    assert header[18:20] == b"\xb7\x00"  # ELF e_machine 183: AArch64


def test_it_holds_the_foundation_the_registry_and_its_requirements_only(package: Path) -> None:
    taxis = apps.first()

    assert zips.strangers(taxis, package) == set()
    assert zips.distributions(package) == {
        name for name in zips.required(taxis) if deployment_zip.travels(f"{name}/__init__.py")
    }


def test_another_service_s_package_stays_behind() -> None:
    toy = apps.at(ROOT / "tests" / "toy")
    name = "chalicelib/taxis/root.py"

    assert (
        deployment_zip.is_foreign(toy, name),
        deployment_zip.is_foreign(apps.first(), name),
    ) == (
        True,
        False,
    )
    assert not deployment_zip.is_foreign(toy, "chalicelib/foundation/clock.py")
    assert not deployment_zip.is_foreign(toy, "chalicelib/__init__.py")


def test_nothing_travels_that_does_not_run_there(package: Path) -> None:
    strangers = ("tests/", "ops/", "shapely", "ministack", "moto/", "pytest", ".maraude", ".git/")

    assert [name for name in names(package) if name.startswith(strangers)] == []
    assert [name for name in names(package) if name.endswith("secrets.json")] == []


def test_only_the_services_that_are_called_are_described(package: Path) -> None:
    described = {name.split("/")[2] for name in names(package) if name.startswith("botocore/data/")}

    assert {"dynamodb", "kinesis", "sqs", "secretsmanager"} < described
    assert not described & {"ec2", "s3", "lambda"}


def test_each_module_is_compiled_and_never_compared_with_its_source(package: Path) -> None:
    with zipfile.ZipFile(package / "deployment.zip") as packed:
        compiled = packed.read("chalicelib/foundation/__pycache__/settings.cpython-311.pyc")
        names_in = set(packed.namelist())
    flags = int.from_bytes(compiled[4:8], "little")

    assert flags == 0b01  # PEP 552: a hash that is not checked
    sources = [name for name in names_in if name.startswith("chalicelib/") and name.endswith(".py")]
    assert len(sources) == sum(
        name.startswith("chalicelib/") and name.endswith(".pyc") for name in names_in
    )


def test_the_same_files_make_the_same_bytes(package: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"

    shuffled = tmp_path / "shuffled.zip"
    with (
        zipfile.ZipFile(package / "deployment.zip") as before,
        zipfile.ZipFile(shuffled, "w") as after,
    ):
        for name in reversed(before.namelist()):
            if not name.endswith(".pyc"):
                after.writestr(name, before.read(name))  # another order, and the date of today
    deployment_zip.slimmed(apps.first(), shuffled, again)

    assert again.read_bytes() == (package / "deployment.zip").read_bytes()


CALLS = """
import sys
sys.path.insert(0, {folder!r})
from ingest_lambda import handler, searches
for function in (handler, searches):
    assert function.handle({{"Records": []}}, None) == {{"batchItemFailures": []}}, function
loaded = {{"chalice", "marshmallow", "chalicelib.foundation.http.application", "boto3", "aws_xray_sdk"}} & set(sys.modules)
assert not loaded, loaded
import app
context = type("Context", (), {{"aws_request_id": "1", "function_name": "api"}})()
about = {{"httpMethod": "GET", "resourcePath": "/", "path": "/", "identity": {{"sourceIp": "::1"}}}}
event = dict.fromkeys(
    ("headers", "multiValueHeaders", "multiValueQueryStringParameters", "pathParameters", "body",
     "stageVariables")
)
event |= {{"path": "/", "isBase64Encoded": False, "requestContext": about}}
answer = app.app(event, context)
assert answer["statusCode"] == 200, answer
assert "aws_xray_sdk" not in sys.modules
strangers = [
    module.__file__
    for module in list(sys.modules.values())
    if "site-packages" in (getattr(module, "__file__", None) or "")
]
assert not strangers, strangers
"""


def test_all_handlers_answer_from_the_zip_alone(package: Path, tmp_path: Path) -> None:
    deployment_zip.unpacked(package / "deployment.zip", tmp_path)

    ran = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            CALLS.format(folder=str(tmp_path)),
        ],  # our own words only
        cwd=tmp_path,
        env={"MARAUDE_STAGE": "dev", "MARAUDE_REGION": "eu-west-3"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr


@pytest.mark.prove
def test_a_cold_start_costs_a_few_times_what_a_bare_chalice_app_costs(package: Path) -> None:
    """The API's bound is its goal. The ingest function's goal of 6 is left some room: where others use the
    machine's caches, the smaller bare app suffers less. `docs/evidence/performance.md` has the figures."""
    found = cold_start.measure(package / "deployment.zip", runs=15)

    bare_s = found["a bare Chalice app"]
    assert found["the API"] < 10 * bare_s
    assert found["the ingest function"] < 7 * bare_s


def test_what_botocore_tells_people_stays_behind(package: Path) -> None:
    with zipfile.ZipFile(package / "deployment.zip") as packed:
        model = gzip.decompress(packed.read("botocore/data/dynamodb/2012-08-10/service-2.json.gz"))
        addresses = json.loads(packed.read("botocore/data/endpoints.json"))

    operations = json.loads(model)["operations"]
    assert "BatchGetItem" in operations
    assert not any("documentation" in operation for operation in operations.values())
    services = {name for one in addresses["partitions"] for name in one["services"]}
    assert services == {"dynamodb", "kinesis", "secretsmanager", "sqs", "sts"}
