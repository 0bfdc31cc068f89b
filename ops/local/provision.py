"""Provisioning of the tables, streams and queues of `infra/resources.yaml` through AWS's own calls.

For the local stack and the tests; AWS itself gets the file through CloudFormation. What is there
already is left alone, so it may be repeated.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import yaml

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_sqs import SQSClient

RESOURCES = Path(__file__).resolve().parents[2] / "infra" / "resources.yaml"


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags, each as `{tag: value}`."""


def _tagged(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)  # noqa: S101  # YAML has no fourth kind of node
    return {suffix: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", _tagged)


@cache
def resources(name: str = RESOURCES.name) -> dict[str, dict[str, Any]]:
    """The resources of a file of `infra`: logical name to `{"Type": ..., "Properties": ...}`.

    Without what the file adds to Chalice's own functions, which has no type.
    """
    with RESOURCES.with_name(name).open(encoding="utf-8") as file:
        found: dict[str, dict[str, Any]] = yaml.load(file, Loader=Loader)["Resources"]  # noqa: S506  # a safe loader
    return {logical: resource for logical, resource in found.items() if "Type" in resource}


def named(value: object, stage: str) -> str:
    """A name in the template, in a stage."""
    text = value["Sub"] if isinstance(value, dict) else str(value)
    return re.sub(r"\$\{Stage\}", stage, text)


@cache
def _clients(
    endpoint: str | None, region: str
) -> "tuple[DynamoDBClient, KinesisClient, SQSClient]":
    return (
        boto3.client("dynamodb", endpoint_url=endpoint, region_name=region),
        boto3.client("kinesis", endpoint_url=endpoint, region_name=region),
        boto3.client("sqs", endpoint_url=endpoint, region_name=region),
    )


def provision(stage: str, *, endpoint: str | None, region: str, shards: int = 2) -> list[str]:
    """Makes what is missing and returns its names.

    The local stream gets `shards` shards, not the one that the emulator opens for an on-demand
    stream, so that mistakes about order show early.
    """
    dynamodb, kinesis, sqs = _clients(endpoint, region)
    tables = {
        name
        for page in dynamodb.get_paginator("list_tables").paginate()
        for name in page["TableNames"]
    }
    streams = set(kinesis.list_streams()["StreamNames"])
    made = []
    for resource in resources().values():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::DynamoDB::Table":
            name = named(properties["TableName"], stage)
            if name in tables:
                continue
            stream = properties.get("StreamSpecification")
            streamed: Any = (
                {"StreamSpecification": {"StreamEnabled": True, **stream}} if stream else {}
            )
            dynamodb.create_table(
                TableName=name,
                BillingMode=properties["BillingMode"],
                AttributeDefinitions=properties["AttributeDefinitions"],
                KeySchema=properties["KeySchema"],
                **streamed,
            )
            if "TimeToLiveSpecification" in properties:
                dynamodb.update_time_to_live(
                    TableName=name,
                    TimeToLiveSpecification=properties["TimeToLiveSpecification"],
                )
            made.append(name)
        elif resource["Type"] == "AWS::Kinesis::Stream":
            name = named(properties["Name"], stage)
            if name not in streams:
                kinesis.create_stream(StreamName=name, ShardCount=shards)
                made.append(name)
        elif resource["Type"] == "AWS::SQS::Queue":
            name = named(properties["QueueName"], stage)
            url = sqs.create_queue(QueueName=name)["QueueUrl"]
            # Apart, so that a queue of an older version gets them too.
            sqs.set_queue_attributes(QueueUrl=url, Attributes=_attributes(sqs, properties, stage))
            made.append(name)
    return made


def _attributes(sqs: "SQSClient", properties: dict[str, Any], stage: str) -> dict[Any, str]:
    """A queue's attributes as SQS takes them: text. Its dead-letter queue must be there."""
    found: dict[Any, str] = {
        name: str(properties[name])
        for name in ("MessageRetentionPeriod", "VisibilityTimeout")
        if name in properties
    }
    if "RedrivePolicy" in properties:
        policy = properties["RedrivePolicy"]
        logical = policy["deadLetterTargetArn"]["GetAtt"].partition(".")[0]
        dead = named(resources()[logical]["Properties"]["QueueName"], stage)
        url = sqs.get_queue_url(QueueName=dead)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        found["RedrivePolicy"] = json.dumps({**policy, "deadLetterTargetArn": arn["QueueArn"]})
    return found
