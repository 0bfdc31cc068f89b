"""A service's package on a cloud of this machine: deployed as the pages say, looked at, and taken down.

The cloud is a MiniStack of its own. It asks IAM (`AUTH`), so each function works under the role that the
template gives it, and what a role lacks fails here.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ops.release import cloud
from ops.release.pages import Pages, RehearsalFailed

STACK_S = 120  # for the stack to go

# What EventBridge sends when a schedule is due, as far as Chalice reads it.
TICK = {
    **dict.fromkeys(("version", "account", "region", "source", "detail-type", "id", "time"), ""),
    "detail": {},
    "resources": [],
}


@dataclass(kw_only=True)
class Deployment(Pages):
    """The steps that every service has, on one cloud. Each raises RehearsalFailed, or what it was refused with."""

    endpoint: str
    tell: Callable[[str], None]
    rows: list[tuple[str, str, float]] = field(default_factory=list)

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

    @property
    def stack(self) -> str:
        """Its name, which begins the names of all that is in it."""
        return self.app.named("", self.stage)

    # --- the stack ------------------------------------------------------------------------------

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
        return f"{len(made)} resources, {len(self.template['Resources'])} in the template; left out: {', '.join(self.left_out)}"

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
