"""`make rehearse`: the package deployed to a cloud on this machine, used as partners use it, taken down.

    python -m ops.release.rehearsal [--stage dev] [--package build/dev]

The cloud is a MiniStack of its own. The commands of docs/deploy.md and docs/runbook.md are typed as
they stand there (`followed.py`), so that its CloudFormation is given the package's template and zip, as
AWS's would be; it asks IAM (`AUTH`), so each function works under the role that the template gives it,
and what a role lacks fails here. What this cloud cannot do is `GAPS`, which is printed and stands in
docs/deploy.md.
"""

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import urllib3
import yaml
from botocore.exceptions import BotoCoreError, ClientError

from ops.errors import CannotGoOn
from ops.local import fleet
from ops.local.client import ApiRefused, Client
from ops.local.demo import fleet as demo
from ops.local.demo.customer import Customer
from ops.local.demo.hook import Drivers, Pace, Temper, serving
from ops.local.place import REGION, Place
from ops.local.process import environment
from ops.local.state import StateService
from ops.release import followed, package, tools
from ops.release.cold_start import unpacked

BUCKET = "packages"
DOMAIN = "api.registry.example"
ANSWER_S = 29  # for a request, as the gateway of AWS gives it
STACK_S = 120  # for the stack to go
SEEN_S = 30  # for a position to be found: the window of the ingest function, and its first start
TYPED_S = 300  # for a line that is typed

TOWNS = Path(demo.__file__).with_name("towns.geojson")

# What the cloud here does otherwise than AWS, of what the template asks for.
GAPS = (
    "alarms that count several functions or tables (metric math) are not known: left out of the stack",
    "tables do not get their TTL: the rehearsal does what the doctor says of that",
    "a table is restored as it is, not as it was at a point in time",
    "of the 120 s in which functions begin anew, the rehearsal waits for one",
    "streams are not encrypted; the gateway's access log and its throttling do not work",
    "the gateway's own answers are not ours: a verb that no path knows is 403, not the contract's 404",
    "stream triggers ignore retries, bisecting and where failures go (ops/local/runner.py has them)",
    "a domain is made, with no certificate and no name that anybody could ask: the API answers under /api",
    "nobody need confirm a subscription",
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


_GIVEN = {"BUCKET": BUCKET, "DOMAIN": DOMAIN}  # of what the pages name in capitals

# The procedures that make packages of commits: only what has the repository follows them.
_OF_COMMITS = ("Deploy", "Roll back")
_MAKES_A_PACKAGE = re.compile("make package|ops.release.package")


class RehearsalFailed(CannotGoOn):
    """A step did not do what it should."""


@dataclass
class Rehearsal:
    """The steps, on one cloud. Each raises RehearsalFailed, or what it was refused with.

    A `package` that is given takes the place of those that the pages make of commits.
    """

    endpoint: str
    place: Path  # for files of its own
    stage: str
    package: Path | None
    shell: followed.Shell
    tell: Callable[[str], None]
    rows: list[tuple[str, str, float]] = field(default_factory=list)
    template: dict[str, Any] = field(default_factory=dict)
    _left_out: list[str] = field(default_factory=list)  # names of alarms
    _to_come: tuple[str, ...] = (
        "No town has borders: every search is empty.",
        "There is no account.",
        "Nobody subscribes to maraude-prod-alarms: alarms wake nobody.",
    )
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

    # --- what is typed --------------------------------------------------------------------------

    @property
    def stack(self) -> str:
        """Its name, which begins the names of all that is in it."""
        return f"maraude-{self.stage}"

    def type(
        self, line: str, given: Mapping[str, str] = _GIVEN, *, fine: Collection[int] = (0,)
    ) -> followed.Answer:
        """Types a line of a page, for this stage; `given` stands for what is in capitals there."""
        line = re.sub(r"\bprod\b", self.stage, line)
        line = re.sub(r"\b[A-Z_]+\b", lambda found: given.get(found[0], found[0]), line)
        answer = self.shell.type(line)
        if answer.code not in fine:
            raise RehearsalFailed(f"{line}\nended with {answer.code}: {answer.complained[-2000:]}")
        return answer

    def follow(self, page: str, section: str, **given: str) -> list[followed.Answer]:
        """Types what a section of a page says; what is answered, line by line."""
        every = followed.steps(followed.page(page), on_aws=True)
        steps = [one for one in every if one.section == section]
        if not steps:
            raise RehearsalFailed(f"docs/{page}.md has nothing to type under {section!r}.")
        return [self._take(step, _GIVEN | given) for step in steps]

    def _take(self, step: followed.Step, given: Mapping[str, str]) -> followed.Answer:
        if _MAKES_A_PACKAGE.search(step.typed):
            if not self.package:
                self.type(step.typed, given)
            self._adapt(self.package or self._build)
        elif step.typed.startswith("maraude doctor"):
            return self._ask_the_doctor(step.typed)
        else:
            answer = self.type(step.typed, given)
            if not step.is_seen(answer.said):
                raise RehearsalFailed(
                    f"{step.typed}\nanswers {answer.said!r}, not {step.seen!r}, as the page has it."
                )
            return answer
        return followed.Answer(0, "", "")

    def _ask_the_doctor(self, line: str) -> followed.Answer:
        """Does what the doctor says of tables; then nothing is wrong but what the cloud here lacks."""
        answer = self.type(line, fine=(0, 1))
        if advice := re.findall("^  -> (aws dynamodb .*)", answer.said, re.MULTILINE):
            for one in advice:
                self.type(one)
            answer = self.type(line, fine=(0, 1))
        wanted = [f"The alarm {name} is not there." for name in self._left_out]
        wanted += [what.replace("prod", self.stage) for what in self._to_come]
        if sorted(re.findall("^(.*)\\n  -> ", answer.said, re.MULTILINE)) != sorted(wanted):
            raise RehearsalFailed(f"The doctor says {answer.said}{answer.complained}")
        return answer

    # --- the stack ------------------------------------------------------------------------------

    @property
    def _build(self) -> Path:
        return self.place / "source" / "build" / self.stage

    def _adapt(self, made: Path) -> None:
        """Makes a package one that the cloud here takes, where the pages look for it."""
        files = self.place / "files"
        unpacked(made / "deployment.zip", files)
        self.template = yaml.load((made / "sam.yaml").read_text("utf-8"), Loader=yaml.CSafeLoader)
        alarms = {
            name: resource["Properties"].get("AlarmName", {}).get("Fn::Sub", "")
            for name, resource in self.template["Resources"].items()
        }
        self._left_out = [
            alarms[name].replace("${Stage}", self.stage) for name in adapted(self.template)
        ]
        self._build.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(self._build / "deployment.zip", "w") as zipped:
            for file in sorted(path for path in files.rglob("*") if path.is_file()):
                zipped.write(file, file.relative_to(files))
        shutil.rmtree(files)
        (self._build / "sam.yaml").write_text(yaml.dump(self.template), "utf-8")

    def deploy(self) -> str:
        """Makes the stage's secret, then the stack."""
        self.follow("deploy", "Before the first time")
        self.follow("runbook", "Deploy")
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
        return f"{len(made)} resources, {len(self.template['Resources'])} in the template; left out: {', '.join(self._left_out)}"

    def _settle(self, wanted: str) -> None:
        formation = self.client("cloudformation")
        until = time.monotonic() + STACK_S
        while True:
            found = [
                one
                for one in formation.list_stacks()["StackSummaries"]
                if one["StackName"] == self.stack
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
            for page in pages.paginate(StackName=self.stack)
            for one in page["StackResourceSummaries"]
        ]

    def url(self) -> str:
        """Where the deployed API answers."""
        found = self.client("cloudformation").describe_stack_resource(
            StackName=self.stack, LogicalResourceId="RestAPI"
        )
        api = found["StackResourceDetail"]["PhysicalResourceId"]
        return f"{self.endpoint}/_aws/execute-api/{api}/api"

    def see_the_stage(self) -> str:
        """What differs by stage is as the template has it: what is protected, and how long logs stay."""
        is_prod = self.stage == "prod"
        tables = self.client("dynamodb")
        protected = [
            name
            for name in _LISTED["AWS::DynamoDB::Table"](self.client)
            if tables.describe_table(TableName=name)["Table"]["DeletionProtectionEnabled"]
        ]
        kept = sum(
            one.get("DeletionPolicy") == "Retain" for one in self._of("AWS::DynamoDB::Table")
        )
        groups = self.client("logs").describe_log_groups()["logGroups"]
        days = {group.get("retentionInDays") for group in groups}
        if len(protected) != (kept if is_prod else 0) or days != {90 if is_prod else 30}:
            raise RehearsalFailed(f"Protected: {protected}; days that logs are kept: {days}.")
        return f"{len(protected)} tables cannot be deleted; logs are kept for {days.pop()} days"

    def _of(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.template["Resources"].values() if one["Type"] == kind]

    # --- what the ops team does -------------------------------------------------------------------

    def prepare(self, hail_url: str) -> str:
        """Loads the towns, adds an operator and a search app, and gives the API a domain."""
        self._to_come = ()
        answers = self.follow(
            "deploy",
            "The first time",
            FILE=str(TOWNS),
            EMAIL="operator",
            URL=hail_url,
            ADDRESS="ops@registry.example",
        )
        app = self.type("maraude account add app --role moteur --stage prod")
        for answer in (*answers, app):
            if '"api_key"' in answer.said:
                added = json.loads(answer.said)
                self._keys[added["email"]] = added["api_key"]
        *_, target = self.follow(
            "deploy",
            "Under a domain of its own",
            CERTIFICATE="arn:aws:acm:eu-west-3:000000000000:certificate/any",
        )
        return f"towns, an operator, a search app; {DOMAIN} is to point to {target.said.strip()}"

    def mend(self, sections: Collection[str]) -> str:
        """Follows the procedures of the runbook, word for word."""
        commit = self.type("git rev-parse HEAD~1").said if not self.package else ""
        self.type('where="--stage prod" wait_s=1')
        for section in sections:
            self.tell(f"  {section}")
            self.follow("runbook", section, COMMIT_BEFORE=commit)
        return f"{len(sections)} procedures"

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
        self.client("cloudformation").delete_stack(StackName=self.stack)
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


@contextmanager
def desk(folder: Path, endpoint: str, *, of_commits: bool) -> Iterator[followed.Shell]:
    """A shell of the ops team in `folder/source`, with the registry's repository where it makes packages."""
    source = folder / "source"
    if of_commits:
        tools.run(["git", "clone", "--quiet", "--shared", str(package.ROOT), str(source)])
        for file in [*source.glob("*"), *source.glob("infra/*")]:
            os.utime(file, (0, 0))  # or make would think that .venv is older
        (source / ".venv").symlink_to(Path(sys.prefix))
    else:
        source.mkdir()
    path = (str(Path(sys.executable).parent), str(tools.ready("aws-command")), os.environ["PATH"])
    variables = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "NO_PROXY": "*",
        "PATH": os.pathsep.join(path),
    }
    with followed.Shell(source, environment(variables), patience_s=TYPED_S) as shell:
        # SQS's endpoint is set in this version of the command, whatever the environment says.
        shell.type('aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }')
        yield shell


def procedures(*, of_commits: bool) -> list[str]:
    """The sections of the runbook that are followed, "Roll back" last: the others try this commit."""
    every = followed.steps(followed.page("runbook"), on_aws=True)
    sections = dict.fromkeys(one.section for one in every)
    others = [section for section in sections if section not in _OF_COMMITS]
    return [*others, "Roll back"] if of_commits else others


def rehearse(
    made: Path | None,
    *,
    stage: str,
    tell: Callable[[str], None],
    sections: Collection[str] | None = None,
) -> Rehearsal:
    """All steps, with a package or with those of commits; `sections` are all of the runbook's, or those.

    Raises CannotGoOn, and what AWS's calls raise.
    """
    of_commits = made is None
    with (
        tempfile.TemporaryDirectory() as folder,
        cloud(Path(folder, "cloud")) as endpoint,
        desk(Path(folder), endpoint, of_commits=of_commits) as shell,
    ):
        rehearsal = Rehearsal(endpoint, Path(folder), stage, made, shell, tell)
        rehearsal.step("deploying", rehearsal.deploy)
        rehearsal.step("looking at the stage", rehearsal.see_the_stage)
        # The drivers' server needs its operator's key, which needs the server's address.
        drivers = Drivers(Client("", ""), pace=_PACE, temper=lambda _: Temper.ACCEPTS)
        with serving(drivers) as hail_url:
            rehearsal.step("preparing the stage", lambda: rehearsal.prepare(hail_url))
            drivers.operator = rehearsal.partner("operator")
            rehearsal.step("asking without a key", rehearsal.refuse)
            rehearsal.step("registering, positioning, searching", rehearsal.find)
            rehearsal.step("hailing, to the end of the ride", rehearsal.ride)
            wanted = procedures(of_commits=of_commits) if sections is None else sections
            rehearsal.step("following the runbook", lambda: rehearsal.mend(wanted))
            rehearsal.step("positioning, searching again", rehearsal.find)
            rehearsal.step("hailing again", rehearsal.ride)
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
    """Rehearses with packages of the last commits, or with one that is named; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.release.rehearsal", description="Rehearses."
    )
    parser.add_argument("--stage", default="dev", choices=("dev", "prod"))
    parser.add_argument("--package", type=Path, help="a folder of `make package` for the stage")
    asked = parser.parse_args(argv)
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    try:
        rehearsal = rehearse(
            asked.package, stage=asked.stage, tell=lambda line: print(line, flush=True)
        )
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
