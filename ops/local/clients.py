"""AWS clients of the event-source runner."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from ops.local.place import REGION

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True)
class Clients:
    """The AWS clients of a runner, safe to share between its threads."""

    dynamodb: "DynamoDBClient"
    kinesis: "KinesisClient"
    sqs: "SQSClient"
    streams: Any  # DynamoDB streams, whose stubs are not installed

    @classmethod
    def at(cls, endpoint: str | None) -> "Clients":
        """Clients of the services at `endpoint`; of AWS itself when it is None."""
        limits = Config(
            connect_timeout=2,
            read_timeout=25,
            retries={"mode": "standard", "max_attempts": 2},
            max_pool_connections=32,
            parameter_validation=False,
            user_agent="maraude-local",  # as chalicelib/foundation/aws/clients.py
        )
        session = boto3.Session(region_name=REGION)
        return cls(
            session.client("dynamodb", endpoint_url=endpoint, config=limits),
            session.client("kinesis", endpoint_url=endpoint, config=limits),
            session.client("sqs", endpoint_url=endpoint, config=limits),
            session.client("dynamodbstreams", endpoint_url=endpoint, config=limits),
        )

    def close(self) -> None:
        """Closes their connections."""
        for client in (self.dynamodb, self.kinesis, self.sqs, self.streams):
            client.close()
