"""The AWS clients of this process: made on first use, shared by its threads, with limits on each call."""

from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from chalicelib.settings import settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_sqs import SQSClient

# A request of the API has 29 s at the gateway; a call that hangs must leave room for a second try.
_LIMITS = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "max_attempts": 3},
    max_pool_connections=32,
    parameter_validation=False,
)


@cache
def dynamodb() -> "DynamoDBClient":
    """DynamoDB, for the calls where a model would only be in the way."""
    return boto3.client(
        "dynamodb",
        region_name=settings().region,
        endpoint_url=settings().endpoint or None,
        config=_LIMITS,
    )


@cache
def kinesis() -> "KinesisClient":
    """Kinesis, for the stream of positions."""
    return boto3.client(
        "kinesis",
        region_name=settings().region,
        endpoint_url=settings().endpoint or None,
        config=_LIMITS,
    )


@cache
def sqs() -> "SQSClient":
    """SQS, for what is to be done for hails."""
    return boto3.client(
        "sqs",
        region_name=settings().region,
        endpoint_url=settings().endpoint or None,
        config=_LIMITS,
    )
