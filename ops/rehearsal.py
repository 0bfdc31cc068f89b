"""`make rehearse`: the package deployed to a cloud on this machine, used as partners use it, taken down.

    python -m ops.rehearsal [--package build/dev]

The cloud is a MiniStack of its own. Its CloudFormation is given the package's template and zip, as
AWS's would be; it asks IAM (`AUTH`), so each function works under the role that the template gives it,
and what a role lacks fails here. What this cloud cannot do is `GAPS`, which is printed and stands in
docs/deploy.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import urllib3
import yaml
from botocore.exceptions import BotoCoreError, ClientError
from cryptography.fernet import Fernet

from ops import fleet, package
from ops.client import ApiRefused, Client
from ops.cold_start import unpacked
from ops.demo import fleet as demo
from ops.demo.customer import Customer
from ops.demo.hook import Drivers, Pace, Temper, serving
from ops.errors import CannotGoOn
from ops.local.place import REGION, Place
from ops.local.process import environment
from ops.local.state import StateService

STAGE = "dev"
STACK = f"maraude-{STAGE}"
BUCKET = "packages"
ANSWER_S = 29  # for a request, as the gateway of AWS gives it
STACK_S = 120  # for the stack to be made, or to go
SEEN_S = 30  # for a position to be found: the window of the ingest function, and its first start

TOWNS = Path(demo.__file__).with_name("towns.geojson")

# What the cloud here does otherwise than AWS, of what the template asks for.
GAPS = (
    "alarms that count several functions or tables (metric math) are not known: left out of the stack",
    "tables get neither their TTL, nor point-in-time recovery, nor deletion protection",
    "streams are not encrypted; the gateway's access log and its throttling do not work",
    "the gateway's own answers are not ours: a verb that no path knows is 403, not the contract's 404",
    "stream triggers ignore retries, bisecting and where failures go (ops/local/runner.py has them)",
    "no domain is asked for, so the API answers under /api",
    "functions run on this machine's processor, with this machine's compiled modules, not on arm64",
    "functions may call private addresses, for the operator's server is here",
)

_CAR = fleet.Car(
    number=1,
    plate="RE-001-HE",
    insee="75056",
    departement="75",
    first_name="Ada",
    last_name="Byron",
)
_PACE = Pace(to_notice_s=0.1, to_decide_s=0.1, between_looks_s=0.2, to_arrive_s=1.0, to_ride_s=0.1)

# What EventBridge sends when a schedule is due, as far as Chalice reads it.
_TICK = {
    **dict.fromkeys(("version", "account", "region", "source", "detail-type", "id", "time"), ""),
    "detail": {},
    "resources": [],
}


class RehearsalFailed(CannotGoOn):
    """A step did not do what it should."""


@dataclass
class Rehearsal:
    """The steps, on one cloud. Each raises RehearsalFailed, or what it was refused with."""

    endpoint: str
    place: Path  # for files of its own
    tell: Callable[[str], None]
    rows: list[tuple[str, str, float]] = field(default_factory=list)
    template: dict[str, Any] = field(default_factory=dict)
    _keys: dict[str, str] = field(default_factory=dict)

    def client(self, service: str) -> Any:  # noqa: ANN401  # boto3 makes its clients' kinds at run time
        """A client of a service of this cloud, with the rights of its owner."""
        return boto3.client(
            service,  # type: ignore[call-overload]  # the stubs want each name written out
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106  # of an emulator, which takes any
        )

    def step(self, what: str, done: Callable[[], str]) -> None:
        """Does one, and says what came of it."""
        self.tell(f"{what} ...")
        began_s = time.monotonic()
        came = done()
        took_s = time.monotonic() - began_s
        self.rows.append((what, came, took_s))
        self.tell(f"  {came} ({took_s:.1f} s)")

    # --- the stack ------------------------------------------------------------------------------

    def upload(self, made: Path) -> str:
        """Puts the zip and the template where CloudFormation looks for them."""
        s3 = self.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        files = self.place / "files"
        unpacked(made / "deployment.zip", files)
        packed = self.place / "deployment.zip"
        with zipfile.ZipFile(packed, "w") as zipped:
            for file in sorted(path for path in files.rglob("*") if path.is_file()):
                zipped.write(file, file.relative_to(files))
        s3.upload_file(str(packed), BUCKET, packed.name)
        text = (made / "sam.yaml").read_text("utf-8")
        self.template = yaml.load(text, Loader=yaml.CSafeLoader)
        left_out = adapted(self.template)
        body = json.dumps(self.template).encode()
        s3.put_object(Bucket=BUCKET, Key="template.json", Body=body)
        return f"{packed.stat().st_size / 1e6:.0f} MB and a template of {len(body) // 1000} kB; left out: {', '.join(left_out)}"

    def deploy(self) -> str:
        """Makes the stage's secret, then the stack."""
        keys = Fernet.generate_key().decode()
        self.client("secretsmanager").create_secret(Name=f"{STACK}-keys", SecretString=keys)
        formation = self.client("cloudformation")
        formation.create_stack(
            StackName=STACK,
            TemplateURL=f"{self.endpoint}/{BUCKET}/template.json",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        self._settle("CREATE_COMPLETE")
        made = self._resources()
        # SAM's own kinds have others in their place; a domain is made only where one is asked for.
        wanted = {
            name
            for name, resource in self.template["Resources"].items()
            if not resource["Type"].startswith("AWS::Serverless::") and "Condition" not in resource
        }
        missing = wanted - {one["LogicalResourceId"] for one in made}
        if missing:
            raise RehearsalFailed(f"The stack was made without {', '.join(sorted(missing))}.")
        return f"{len(made)} resources, {len(self.template['Resources'])} in the template"

    def _settle(self, wanted: str) -> None:
        formation = self.client("cloudformation")
        until = time.monotonic() + STACK_S
        while True:
            found = [
                one
                for one in formation.list_stacks()["StackSummaries"]
                if one["StackName"] == STACK
            ]
            status = found[0]["StackStatus"]
            if status == wanted:
                return
            if not status.endswith("IN_PROGRESS") or time.monotonic() > until:
                events = formation.describe_stack_events(StackName=found[0]["StackId"])[
                    "StackEvents"
                ]
                why = [
                    f"{one['LogicalResourceId']}: {one.get('ResourceStatusReason', '')}"
                    for one in events
                    if one["ResourceStatus"].endswith("FAILED")
                ]
                raise RehearsalFailed(f"The stack is {status}, not {wanted}: {'; '.join(why)}")
            time.sleep(0.2)

    def _resources(self) -> list[dict[str, Any]]:
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        return [
            one
            for page in pages.paginate(StackName=STACK)
            for one in page["StackResourceSummaries"]
        ]

    def url(self) -> str:
        """Where the deployed API answers."""
        found = self.client("cloudformation").describe_stack_resource(
            StackName=STACK, LogicalResourceId="RestAPI"
        )
        api = found["StackResourceDetail"]["PhysicalResourceId"]
        return f"{self.endpoint}/_aws/execute-api/{api}/api"

    # --- what the ops team does -------------------------------------------------------------------

    def maraude(self, *words: str) -> str:
        """Runs a command of the desk on the stage; what it prints."""
        ran = subprocess.run(
            [sys.executable, "-m", "ops.cli", *words, "--stage", STAGE],
            env=environment(
                {
                    "AWS_ENDPOINT_URL": self.endpoint,
                    "AWS_ACCESS_KEY_ID": "test",
                    "AWS_SECRET_ACCESS_KEY": "test",
                    "AWS_DEFAULT_REGION": REGION,
                    "MARAUDE_SECRET_ID": f"{STACK}-keys",
                    "NO_PROXY": "*",
                }
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode != 0:
            raise RehearsalFailed(f"maraude {' '.join(words)}: {ran.stderr.strip()}")
        return ran.stdout

    def prepare(self, hail_url: str) -> str:
        """Loads the towns, and adds an operator and a search app."""
        self.maraude("territory", "load-towns", str(TOWNS))
        for email, *more in (
            ("operator", "--role", "operateur", "--hail-url", hail_url),
            ("app", "--role", "moteur"),
        ):
            added = json.loads(self.maraude("account", "add", email, *more))
            self._keys[email] = added["api_key"]
        return "towns, an operator, a search app"

    # --- what partners do ---------------------------------------------------------------------------

    def refuse(self) -> str:
        """What anybody may see: the key is asked for, an unknown address is said in our envelope."""
        for path, status in (("/taxis", 401), ("/no/such/thing", 404), ("/doc", 200)):
            answer = urllib3.request("GET", self.url() + path, retries=False, timeout=ANSWER_S)
            if answer.status != status:
                raise RehearsalFailed(f"GET {path} was answered {answer.status}, not {status}.")
            if status != 200 and list(answer.json()) != ["errors"]:
                raise RehearsalFailed(f"GET {path} was answered {answer.data[:200]!r}.")
        return "401, 404 and the API's document"

    def partner(self, email: str) -> Client:
        """The API with the key of an account."""
        return Client(self.url(), self._keys[email])

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
        said: list[str] = []

        def say(line: str) -> None:
            said.append(line)
            self.tell(f"  {line.strip()}")

        Customer(
            self.partner("app"), say=say
        ).ride()  # raises NoTaxi where none comes to `finished`
        return said[-1].split("  ")[-1].strip()

    def run_schedules(self) -> str:
        """Runs each scheduled function once, whenever its time is."""
        functions = self.client("lambda")
        scheduled = [
            name
            for name, resource in self.template["Resources"].items()
            if any(
                event["Type"] == "Schedule"
                for event in resource["Properties"].get("Events", {}).values()
            )
        ]
        physical = {
            one["LogicalResourceId"]: one["PhysicalResourceId"] for one in self._resources()
        }
        for name in scheduled:
            answer = functions.invoke(FunctionName=physical[name], Payload=json.dumps(_TICK))
            if "FunctionError" in answer:
                raise RehearsalFailed(f"{name} failed: {answer['Payload'].read()[:500]!r}")
        return f"{len(scheduled)} functions, each under its own role"

    def read_logs(self) -> str:
        """No function has said that something went wrong, or was not allowed."""
        logs = self.client("logs")
        lines = 0
        for page in logs.get_paginator("describe_log_groups").paginate(
            logGroupNamePrefix="/aws/lambda/"
        ):
            for group in page["logGroups"]:
                found = logs.filter_log_events(logGroupName=group["logGroupName"])["events"]
                for event in found:
                    lines += 1
                    if any(word in event["message"] for word in _BAD):
                        raise RehearsalFailed(f"{group['logGroupName']}: {event['message'][:800]}")
        if not lines:
            raise RehearsalFailed("No function has written its log.")
        return f"{lines} lines, no fault in them"

    # --- the end ------------------------------------------------------------------------------------

    def take_down(self) -> str:
        """Deletes the stack; what the template says is kept remains, and nothing else."""
        resources = self._resources()
        self.client("cloudformation").delete_stack(StackName=STACK)
        self._settle("DELETE_COMPLETE")
        kept = {
            name
            for name, resource in self.template["Resources"].items()
            if resource.get("DeletionPolicy") == "Retain"
        }
        checked = [one for one in resources if one["ResourceType"] in _LISTED]
        there = {kind: set(found(self.client)) for kind, found in _LISTED.items()}
        for one in checked:
            remains = one["PhysicalResourceId"] in there[one["ResourceType"]]
            if remains != (one["LogicalResourceId"] in kept):
                how = "is still there" if remains else "is gone, though it should be kept"
                raise RehearsalFailed(f"{one['LogicalResourceId']} {how}.")
        left = sorted(
            one["PhysicalResourceId"] for one in checked if one["LogicalResourceId"] in kept
        )
        for name in left:
            self.tell(f"  kept: {name}")
        return f"{len(checked) - len(left)} of {len(checked)} resources gone, {len(left)} kept as the template says"


# Python's own heading of an exception, IAM's refusal, and Lambda's of a function that ran too long.
_BAD = ("Traceback", "AccessDenied", "not authorized", "Task timed out")


def _pages(
    service: str, call: str, listed: str, name: str | None
) -> Callable[[Any], Iterator[str]]:
    """Lists what there is of a kind: the items of an answer, or a member of each."""

    def found(client: Callable[[str], Any]) -> Iterator[str]:
        for page in client(service).get_paginator(call).paginate():
            for one in page.get(listed, ()):
                yield one if name is None else one[name]

    return found


# How what is left of a stack is found, by kind. Of the others, each belongs to one of these and goes with it.
_LISTED: Mapping[str, Callable[[Any], Iterator[str]]] = {
    "AWS::ApiGateway::RestApi": _pages("apigateway", "get_rest_apis", "items", "id"),
    "AWS::CloudWatch::Alarm": _pages("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    "AWS::CloudWatch::Dashboard": _pages(
        "cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"
    ),
    "AWS::DynamoDB::Table": _pages("dynamodb", "list_tables", "TableNames", None),
    "AWS::Events::Rule": _pages("events", "list_rules", "Rules", "Name"),
    "AWS::IAM::Role": _pages("iam", "list_roles", "Roles", "RoleName"),
    "AWS::Kinesis::Stream": _pages("kinesis", "list_streams", "StreamNames", None),
    "AWS::Lambda::EventSourceMapping": _pages(
        "lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"
    ),
    "AWS::Lambda::Function": _pages("lambda", "list_functions", "Functions", "FunctionName"),
    "AWS::Logs::LogGroup": _pages("logs", "describe_log_groups", "logGroups", "logGroupName"),
    "AWS::SNS::Topic": _pages("sns", "list_topics", "Topics", "TopicArn"),
    "AWS::SQS::Queue": _pages("sqs", "list_queues", "QueueUrls", None),
}


def adapted(template: dict[str, Any]) -> list[str]:
    """Makes a template one that the cloud here takes (`GAPS`); the names of what it leaves out."""
    resources = template["Resources"]
    left_out = [
        name
        for name, resource in resources.items()
        if resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"]
    ]
    for name in left_out:
        del resources[name]
    for resource in resources.values():
        if "CodeUri" in resource.get("Properties", {}):
            resource["Properties"]["CodeUri"] = f"s3://{BUCKET}/deployment.zip"
            variables = (
                resource["Properties"].setdefault("Environment", {}).setdefault("Variables", {})
            )
            variables["MARAUDE_ALLOW_PRIVATE_HOOKS"] = "true"
    return left_out


@contextmanager
def cloud(place: Path) -> Iterator[str]:
    """A MiniStack that asks IAM, on a free port of this machine: where it answers. Raises StateFailed."""
    where = Place(place)
    with where.held():
        service = StateService(where, {"AUTH": "true", "AWS_DEFAULT_REGION": REGION})
        service.start()
        try:
            yield service.endpoint
        finally:
            service.stop()


def rehearse(made: Path, *, tell: Callable[[str], None]) -> Rehearsal:
    """All steps with a package. Raises CannotGoOn, and what AWS's calls raise."""
    with tempfile.TemporaryDirectory() as folder, cloud(Path(folder, "cloud")) as endpoint:
        rehearsal = Rehearsal(endpoint, Path(folder), tell)
        rehearsal.step("uploading", lambda: rehearsal.upload(made))
        rehearsal.step("deploying", rehearsal.deploy)
        # The drivers' server needs its operator's key, which needs the server's address.
        drivers = Drivers(Client("", ""), pace=_PACE, temper=lambda _: Temper.ACCEPTS)
        with serving(drivers) as hail_url:
            rehearsal.step("preparing the stage", lambda: rehearsal.prepare(hail_url))
            drivers.operator = rehearsal.partner("operator")
            rehearsal.step("asking without a key", rehearsal.refuse)
            rehearsal.step("registering, positioning, searching", rehearsal.find)
            rehearsal.step("hailing, to the end of the ride", rehearsal.ride)
        rehearsal.step("running what is scheduled", rehearsal.run_schedules)
        rehearsal.step("reading the logs", rehearsal.read_logs)
        rehearsal.step("taking it down", rehearsal.take_down)
    return rehearsal


def table(rows: Sequence[tuple[str, str, float]]) -> str:
    """The steps as a table in Markdown."""
    lines = ["| step | what came of it | s |", "| --- | --- | ---: |"]
    lines += [f"| {what} | {came} | {took_s:.1f} |" for what, came, took_s in rows]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Rehearses with a package, made of HEAD unless one is named; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m ops.rehearsal", description="Rehearses.")
    parser.add_argument("--package", type=Path, help="a folder of `make package STAGE=dev`")
    asked = parser.parse_args(argv)
    made = asked.package or package.ROOT / "build" / STAGE
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    if not asked.package and (code := package.main(["--stage", STAGE])):
        return code
    try:
        rehearsal = rehearse(made, tell=lambda line: print(line, flush=True))
    except CannotGoOn as error:
        print(f"failed: {error}", file=sys.stderr)
        return error.exit_code
    except (ApiRefused, BotoCoreError, ClientError, OSError, urllib3.exceptions.HTTPError) as error:
        print(f"failed: {error}", file=sys.stderr)
        return 1
    print("", table(rehearsal.rows), "", "What this cloud does otherwise than AWS:", sep="\n")
    for gap in GAPS:
        print(f"- {gap}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
