"""An emulated cloud (MiniStack) to deploy to, and a shell of the ops team that speaks to it.

What it does otherwise than AWS is `GAPS`, which stands in docs/deploy.md; `adapted` makes a template one
that it takes.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from ops.apps import ROOT
from ops.local import payload
from ops.local.place import REGION, Place
from ops.local.process import environment
from ops.local.state import StateService
from ops.release import followed, format_2, tools

TYPED_S = 300  # for a line that is typed

DOMAIN = "api.registry.example"  # of the API that is deployed there

# What the cloud here does otherwise than AWS, of what the template asks for.
GAPS = (
    "alarms that count several functions or tables (metric math) are not known: left out of the stack",
    "tables do not get their TTL: the rehearsal does what the doctor says of that",
    "a table is restored as it is, not as it was at a point in time",
    "of the 120 s in which functions begin anew, the rehearsal waits for one",
    "streams are not encrypted; the gateway's access log and its throttling do not work",
    "the gateway sends payload format 2.0 instead of 1.0: a handler before the application's makes it 1.0",
    "the gateway answers OPTIONS by itself: preflights do not reach the application",
    "stream triggers ignore retries, bisecting and where failures go (ops/local/shards.py has them)",
    "a domain is made, with no certificate and no name in the DNS: it is asked for by the header Host",
    "nobody need confirm a subscription",
    "functions run on this machine's processor, with this machine's compiled modules, not on arm64",
    "functions may call private addresses, for the operator's server is here",
)

# What stands in the API's function before the application (`GAPS`).
BEFORE_THE_APPLICATION = (Path(payload.__file__), Path(format_2.__file__))


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
LISTED: Mapping[str, Callable[[Any], Iterator[str]]] = {
    "AWS::ApiGatewayV2::Api": _pages("apigatewayv2", "get_apis", "Items", "ApiId"),
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


def client(endpoint: str, service: str) -> Any:  # noqa: ANN401  # boto3 makes its clients' kinds at run time
    """A client of a service of the cloud, with the rights of its owner."""
    return boto3.client(
        service,  # type: ignore[call-overload]  # the stubs want each name written out
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106  # of an emulator, which takes any
    )


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
    resources["APIHandler"]["Properties"]["Handler"] = f"{format_2.__name__}.handle"
    for resource in resources.values():
        if "CodeUri" in resource.get("Properties", {}):
            variables = (
                resource["Properties"].setdefault("Environment", {}).setdefault("Variables", {})
            )
            variables["MARAUDE_ALLOW_LOOPBACK_HOOKS"] = "true"
    return left_out


@contextmanager
def running(place: Path) -> Iterator[str]:
    """A MiniStack that asks IAM, on a free port of this machine: where it answers. Raises StateFailed."""
    where = Place(place)
    with where.held():
        service = StateService(
            where,
            {
                "AUTH": "true",
                "AWS_DEFAULT_REGION": REGION,
                "MARAUDE_API_DOMAIN": DOMAIN,
            },
        )
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
        tools.run(["git", "clone", "--quiet", "--shared", str(ROOT), str(source)])
        for file in [*source.glob("*"), *source.glob("infra/*")]:
            os.utime(file, (0, 0))  # or make would think that .venv is older
        (source / ".venv").symlink_to(Path(sys.prefix))
    else:
        account = source / "infra" / "account.yaml"
        account.parent.mkdir(parents=True)
        shutil.copy(ROOT / "infra" / account.name, account)
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
