"""Makes the tables, streams and queues of a service's templates through AWS's own calls.

For the local stack and the tests; AWS itself gets the file through CloudFormation. What is there
already is left alone, so it may be repeated.
"""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3

from ops import apps
from ops.apps import App
from ops.templates import resources, text_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_sqs import SQSClient


@cache
def _clients(
    endpoint: str | None, region: str
) -> "tuple[DynamoDBClient, KinesisClient, SQSClient]":
    return (
        boto3.client("dynamodb", endpoint_url=endpoint, region_name=region),
        boto3.client("kinesis", endpoint_url=endpoint, region_name=region),
        boto3.client("sqs", endpoint_url=endpoint, region_name=region),
    )


def provision(
    stage: str,
    *,
    endpoint: str | None,
    region: str,
    shards: int = 2,
    services: Iterable[App] | None = None,
) -> list[str]:
    """Makes what these services lack, or all of the repository, and returns its names.

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
    for app in apps.every().values() if services is None else services:
        declared = resources(app)
        for resource in declared.values():
            properties = resource["Properties"]
            if resource["Type"] == "AWS::DynamoDB::Table":
                name = text_of(properties["TableName"], stage)
                if name in tables:
                    continue
                _make_table(dynamodb, name, properties)
            elif resource["Type"] == "AWS::Kinesis::Stream":
                name = text_of(properties["Name"], stage)
                if name in streams:
                    continue
                kinesis.create_stream(StreamName=name, ShardCount=shards)
            elif resource["Type"] == "AWS::SQS::Queue":
                name = text_of(properties["QueueName"], stage)
                url = sqs.create_queue(QueueName=name)["QueueUrl"]
                # Apart, so that a queue of an older version gets them too.
                attributes = _attributes(sqs, properties, stage, declared)
                sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
            else:
                continue
            made.append(name)
    return made


def _make_table(dynamodb: "DynamoDBClient", name: str, properties: Mapping[str, Any]) -> None:
    stream = properties.get("StreamSpecification")
    streamed: Any = {"StreamSpecification": {"StreamEnabled": True, **stream}} if stream else {}
    dynamodb.create_table(
        TableName=name,
        BillingMode=properties["BillingMode"],
        AttributeDefinitions=properties["AttributeDefinitions"],
        KeySchema=properties["KeySchema"],
        **streamed,
    )
    if "TimeToLiveSpecification" in properties:
        dynamodb.update_time_to_live(
            TableName=name, TimeToLiveSpecification=properties["TimeToLiveSpecification"]
        )


def _attributes(
    sqs: "SQSClient",
    properties: Mapping[str, Any],
    stage: str,
    declared: Mapping[str, dict[str, Any]],
) -> dict[Any, str]:
    """A queue's attributes as SQS takes them: text. Its dead-letter queue must be there."""
    found: dict[Any, str] = {
        name: str(properties[name])
        for name in ("MessageRetentionPeriod", "VisibilityTimeout")
        if name in properties
    }
    if "RedrivePolicy" in properties:
        policy = properties["RedrivePolicy"]
        logical = policy["deadLetterTargetArn"]["Fn::GetAtt"][0]
        dead = text_of(declared[logical]["Properties"]["QueueName"], stage)
        url = sqs.get_queue_url(QueueName=dead)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        found["RedrivePolicy"] = json.dumps({**policy, "deadLetterTargetArn": arn["QueueArn"]})
    return found
