"""What `make package` makes of a clean export: its manifest, and the template."""

import hashlib
import json
import platform
import re
import zipfile
from pathlib import Path

from tests.infra.templates import packaged

UNPACKED_LIMIT_MB = 250  # AWS Lambda's, for the unpacked package


def test_the_manifest_names_each_file_s_digest(package: Path) -> None:
    manifest = json.loads((package / "manifest.json").read_text("utf-8"))

    with zipfile.ZipFile(package / "deployment.zip") as packed:
        found = {name: hashlib.sha256(packed.read(name)).hexdigest() for name in packed.namelist()}
    assert manifest["files"] == found
    for name in ("deployment.zip", "sam.yaml"):
        assert manifest[name] == hashlib.sha256((package / name).read_bytes()).hexdigest()
    assert (manifest["stage"], manifest["commit"]) == ("dev", "0" * 40)
    assert manifest["python"] == platform.python_version()


def test_it_is_small_enough_for_lambda(package: Path) -> None:
    with zipfile.ZipFile(package / "deployment.zip") as packed:
        unpacked = sum(entry.file_size for entry in packed.infolist())

    assert unpacked < UNPACKED_LIMIT_MB * 1_000_000


def test_the_template_holds_the_api_the_ingest_function_and_the_tables(package: Path) -> None:
    template = packaged(package)
    resources = template["Resources"]

    kinds = [resource["Type"] for resource in resources.values()]

    assert kinds.count("AWS::ApiGatewayV2::Api") == 1
    assert kinds.count("AWS::DynamoDB::Table") >= 12
    assert kinds.count("AWS::CloudWatch::Alarm") >= 25
    assert kinds.count("AWS::CloudWatch::Dashboard") == kinds.count("AWS::SNS::Topic") == 1
    assert resources["IngestFunction"]["Properties"]["CodeUri"] == "./deployment.zip"
    assert resources["CountSearchesFunction"]["Properties"]["CodeUri"] == "./deployment.zip"
    assert resources["APIHandler"]["Properties"]["CodeUri"] == "./deployment.zip"


def test_every_alarm_watches_what_the_template_has(package: Path) -> None:
    resources = packaged(package)["Resources"]
    alarms = {
        name: json.dumps(resource)
        for name, resource in resources.items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }

    strangers = {
        (name, named)
        for name, text in alarms.items()
        for named in re.findall(r'"(?:Ref|Fn::GetAtt)": \[?"(\w+)"', text)
        if named not in {*resources, "Stage"}
    }

    assert alarms
    assert strangers == set()


def test_the_function_that_reads_whole_tables_has_a_quarter_of_an_hour(package: Path) -> None:
    template = packaged(package)

    counting = template["Resources"]["CountFleets"]["Properties"]

    assert (counting["Timeout"], counting["MemorySize"]) == (900, 2048)
