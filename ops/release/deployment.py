"""A service's package on a cloud of this machine: deployed as the pages say, looked at, and taken down.

The cloud is a MiniStack of its own. The commands of docs/deploy.md and docs/runbook.md are typed as
they stand there (`followed.py`), so that its CloudFormation is given the package's template and zip, as
AWS's would be; it asks IAM (`AUTH`), so each function works under the role that the template gives it,
and what a role lacks fails here.
"""

import json
import re
import shutil
import time
import zipfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ops import apps
from ops.apps import ROOT, App
from ops.errors import CannotGoOn
from ops.release import cloud, followed
from ops.release.package import unpacked

BUCKET = "packages"
DOMAIN = "api.registry.example"
STACK_S = 120  # for the stack to go

# What EventBridge sends when a schedule is due, as far as Chalice reads it.
TICK = {
    **dict.fromkeys(("version", "account", "region", "source", "detail-type", "id", "time"), ""),
    "detail": {},
    "resources": [],
}


_PLACEHOLDERS = {"BUCKET": BUCKET, "DOMAIN": DOMAIN}  # of what the pages name in capitals

_MAKES_A_PACKAGE = re.compile("make package|ops.release.package")
DOCTOR = "maraude doctor"

# Where a page's commands name a service: they are about the first one.
_NAMES_A_SERVICE = re.compile(r"(APP=|--app |build/)(\w+)")


class RehearsalFailed(CannotGoOn):
    """A step did not do what it should."""


@dataclass
class Deployment:
    """The steps that every service has, on one cloud. Each raises RehearsalFailed, or what it was refused with.

    A `package` that is given takes the place of those that the pages make of commits. `to_come` is what the
    doctor misses until somebody has done it.
    """

    app: App
    endpoint: str
    place: Path  # for files of its own
    stage: str
    package: Path | None
    shell: followed.Shell
    tell: Callable[[str], None]
    rows: list[tuple[str, str, float]] = field(default_factory=list)
    template: dict[str, Any] = field(default_factory=dict)
    to_come: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if (self.app.templates / "alarms.yaml").exists():
            topic = self.app.named("alarms", self.stage)
            self.to_come.append(f"Nobody subscribes to {topic}: alarms wake nobody.")

    def client(self, service: str) -> Any:  # noqa: ANN401  # boto3 makes its clients' kinds at run time
        """A client of a service of this cloud, with the rights of its owner."""
        return cloud.client(self.endpoint, service)

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
        return self.app.named("", self.stage)

    def type(
        self,
        line: str,
        placeholders: Mapping[str, str] = _PLACEHOLDERS,
        *,
        fine: Collection[int] = (0,),
    ) -> followed.Answer:
        """Types a line of a page, for this service and stage; `placeholders` stands for what is in capitals there."""
        line = line.replace(apps.first().named("", "prod"), self.app.named("", "prod"))
        line = _NAMES_A_SERVICE.sub(rf"\g<1>{self.app.name}", line)
        line = re.sub(r"\bprod\b", self.stage, line)
        line = re.sub(r"\b[A-Z_]+\b", lambda found: placeholders.get(found[0], found[0]), line)
        answer = self.shell.type(line)
        if answer.code not in fine:
            raise RehearsalFailed(f"{line}\nended with {answer.code}: {answer.complained[-2000:]}")
        return answer

    def follow(self, page: str, section: str, **placeholders: str) -> list[followed.Answer]:
        """Types what a section of a page says; what is answered, line by line."""
        every = followed.steps(followed.page(page), on_aws=True)
        steps = [one for one in every if one.section == section]
        if not steps:
            raise RehearsalFailed(f"docs/{page}.md has nothing to type under {section!r}.")
        return [self._take(step, _PLACEHOLDERS | placeholders) for step in steps]

    def _take(self, step: followed.Step, placeholders: Mapping[str, str]) -> followed.Answer:
        if _MAKES_A_PACKAGE.search(step.typed):
            if not self.package:
                self.type(step.typed, placeholders)
            self._adapt(self.package or self._build)
        elif step.typed.startswith(DOCTOR):
            return self._ask_the_doctor(step.typed.removeprefix(DOCTOR))
        else:
            answer = self.type(step.typed, placeholders)
            if not step.is_seen(answer.output):
                raise RehearsalFailed(
                    f"{step.typed}\nanswers {answer.output!r}, not {step.seen!r}, as the page has it."
                )
            return answer
        return followed.Answer(0, "", "")

    def _ask_the_doctor(self, options: str) -> followed.Answer:
        """Does what the doctor says of tables; then nothing is wrong but what the cloud here lacks."""
        line = f"maraude {self.app.project} doctor{options}"
        answer = self.type(line, fine=(0, 1))
        if advice := re.findall("^  -> (aws dynamodb .*)", answer.output, re.MULTILINE):
            for one in advice:
                self.type(one)
            answer = self.type(line, fine=(0, 1))
        expected = [f"The alarm {name} is not there." for name in self._left_out]
        expected += self.to_come
        if sorted(re.findall("^(.*)\\n  -> ", answer.output, re.MULTILINE)) != sorted(expected):
            raise RehearsalFailed(f"The doctor says {answer.output}{answer.complained}")
        return answer

    # --- the stack ------------------------------------------------------------------------------

    @property
    def _build(self) -> Path:
        return self.place / "source" / "build" / self.app.name / self.stage

    def _adapt(self, made: Path) -> None:
        """Makes a package one that the cloud here takes, where the pages look for it."""
        files = self.place / "files"
        unpacked(made / "deployment.zip", files)
        for module in cloud.BEFORE_THE_APPLICATION:
            there = files / module.relative_to(ROOT)
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(module, there)
        self.template = yaml.load((made / "sam.yaml").read_text("utf-8"), Loader=yaml.CSafeLoader)
        alarms = {
            name: resource["Properties"].get("AlarmName", {}).get("Fn::Sub", "")
            for name, resource in self.template["Resources"].items()
        }
        self._left_out = [
            alarms[name].replace("${Stage}", self.stage) for name in cloud.adapted(self.template)
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
        expected = {
            name
            for name, resource in self.template["Resources"].items()
            if not resource["Type"].startswith("AWS::Serverless::") and "Condition" not in resource
        }
        missing = expected - {one["LogicalResourceId"] for one in made}
        if missing:
            raise RehearsalFailed(f"The stack was made without {', '.join(sorted(missing))}.")
        return f"{len(made)} resources, {len(self.template['Resources'])} in the template; left out: {', '.join(self._left_out)}"

    def _settle(self, expected: str) -> None:
        formation = self.client("cloudformation")
        until = time.monotonic() + STACK_S
        while True:
            found = [
                one
                for one in formation.list_stacks()["StackSummaries"]
                if one["StackName"] == self.stack
            ]
            status = found[0]["StackStatus"]
            if status == expected:
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
                raise RehearsalFailed(f"The stack is {status}, not {expected}: {'; '.join(why)}")
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
            StackName=self.stack, LogicalResourceId="HttpApi"
        )
        api = found["StackResourceDetail"]["PhysicalResourceId"]
        return f"{self.endpoint}/_aws/execute-api/{api}"

    def see_the_stage(self) -> str:
        """What differs by stage is as the template has it: what is protected, and how long logs stay."""
        is_prod = self.stage == "prod"
        tables = self.client("dynamodb")
        protected = [
            name
            for name in cloud.LISTED["AWS::DynamoDB::Table"](self.client)
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
            answer = functions.invoke(FunctionName=physical[name], Payload=json.dumps(TICK))
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
        checked = [one for one in resources if one["ResourceType"] in cloud.LISTED]
        there = {kind: set(found(self.client)) for kind, found in cloud.LISTED.items()}
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
