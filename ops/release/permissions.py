"""A role for each function, which may do what `permissions.yaml` of its service says and nothing else."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from ops.apps import App, in_words
from ops.errors import CannotGoOn

# The stage's secrets among the resources, and the ends of their names in Secrets Manager.
SECRETS = {"Secret": "keys", "HookSecret": "hook-keys"}

# IAM's name of a service, by the kind of its resources.
_SERVICES = {
    "AWS::DynamoDB::Table": "dynamodb",
    "AWS::Kinesis::Stream": "kinesis",
    "AWS::SQS::Queue": "sqs",
}

# What Lambda does in a function's name to bring it what an event source has.
_BROUGHT = {
    "SQS": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
    "Kinesis": [
        "kinesis:DescribeStream",
        "kinesis:DescribeStreamSummary",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
    ],
    "DynamoDB": [
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
    ],
}

# Names of streams, which Lambda lists; IAM knows no such action on one of them.
_LISTED = {"Kinesis": "kinesis:ListStreams", "DynamoDB": "dynamodb:ListStreams"}

_FOR_LAMBDA = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}

Resources = dict[str, Any]
Statement = dict[str, Any]


def granted(app: App) -> dict[str, dict[str, set[str]]]:
    """The actions by function and resource."""
    text = (app.templates / "permissions.yaml").read_text("utf-8")
    found: dict[str, dict[str, list[str]]] = yaml.safe_load(text)
    return {
        function: {name: set(actions) for name, actions in resources.items()}
        for function, resources in found.items()
    }


def secrets(app: App) -> set[str]:
    """Those of `SECRETS` that any function may read."""
    return SECRETS.keys() & {name for resources in granted(app).values() for name in resources}


def give_roles(app: App, resources: Resources) -> None:
    """Puts a role and a log group of its own to each function of a packaged template.

    Raises CannotGoOn where a function has no permissions, or permissions have no function.
    """
    functions = {
        name: resource["Properties"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    allowed = granted(app)
    if functions.keys() != allowed.keys():
        strangers = ", ".join(sorted(functions.keys() ^ allowed.keys()))
        raise CannotGoOn(f"permissions.yaml and the template do not agree on: {strangers}")
    for name, function in functions.items():
        # Chalice's role of the function, which this replaces, has a name of its own making.
        role = function["Role"]["Fn::GetAtt"][0] if "Role" in function else f"{name}Role"
        log = f"{name}Log"
        resources[log] = _log_group(app, name)
        resources[role] = {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": _FOR_LAMBDA,
                "Policies": [
                    {
                        "PolicyName": "WhatItDoes",
                        "PolicyDocument": {
                            "Version": "2012-10-17",
                            "Statement": [
                                _writes_log(log),
                                *_traces(function),
                                *_brought(function.get("Events", {})),
                                *_does(app, allowed[name], resources),
                            ],
                        },
                    }
                ],
            },
        }
        function["Role"] = {"Fn::GetAtt": [role, "Arn"]}
        function["LoggingConfig"] = {"LogGroup": {"Ref": log}}
        function.pop("Policies", None)


def _log_group(app: App, function: str) -> dict[str, Any]:
    return {
        "Type": "AWS::Logs::LogGroup",
        # Of a stage that is taken down they would only be in the way of its next one.
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": {
            "LogGroupName": {"Fn::Sub": f"/aws/lambda/{app.prefix}-{in_words(function)}"},
            "RetentionInDays": {"Fn::If": ["Prod", 90, 30]},
        },
    }


def _writes_log(log: str) -> Statement:
    return _statement(
        "Log", ["logs:CreateLogStream", "logs:PutLogEvents"], {"Fn::GetAtt": [log, "Arn"]}
    )


def _traces(function: Mapping[str, Any]) -> Iterator[Statement]:
    if function.get("Tracing") == "Active":
        # X-Ray knows no resources for these.
        yield _statement("Trace", ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*")


def _brought(events: Mapping[str, Any]) -> Iterator[Statement]:
    """What an event takes: to be read where it comes from, and where its failures go to."""
    for name, event in events.items():
        kind, properties = event["Type"], event["Properties"]
        if kind not in _BROUGHT:  # a schedule: it comes by itself
            continue
        source = properties["Queue" if kind == "SQS" else "Stream"]
        yield _statement(f"Read{name}", _BROUGHT[kind], source)
        if kind in _LISTED:
            yield _statement(f"List{name}", [_LISTED[kind]], "*")
        if failures := properties.get("DestinationConfig", {}).get("OnFailure"):
            yield _statement(f"Fail{name}", ["sqs:SendMessage"], failures["Destination"])


def _does(app: App, allowed: Mapping[str, set[str]], resources: Resources) -> Iterator[Statement]:
    for name, actions in allowed.items():
        if name in SECRETS:
            arn: Any = {
                "Fn::Sub": "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}"
                f":secret:{app.prefix}-{SECRETS[name]}-??????"  # the end is Secrets Manager's own
            }
            service = "secretsmanager"
        else:
            arn = {"Fn::GetAtt": [name, "Arn"]}
            service = _SERVICES[resources[name]["Type"]]
        yield _statement(name, [f"{service}:{action}" for action in sorted(actions)], arn)


def _statement(sid: str, actions: list[str], arn: object) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": arn}
