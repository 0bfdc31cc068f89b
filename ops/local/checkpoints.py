"""Checkpoints of the event-source runner: how far each shard has been handled.

They are kept in a table of the same store as the data: what a killed process had not finished comes
again, and the data and the checkpoint are never of two different ages.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CHECKPOINTS = "maraude-local-checkpoints"


class Checkpoints:
    """How far each shard has been handled, by function: one item a shard."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str = CHECKPOINTS) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def make_table(self) -> None:
        """Makes the table when it is missing."""
        try:
            self._dynamodb.create_table(
                TableName=self._table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": "shard", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "shard", "KeyType": "HASH"}],
            )
            self._dynamodb.get_waiter("table_exists").wait(TableName=self._table)
        except self._dynamodb.exceptions.ResourceInUseException:
            pass

    def read(self, shard: str) -> str | None:
        """The sequence number of the last record that is done with."""
        found = self._dynamodb.get_item(
            TableName=self._table, Key={"shard": {"S": shard}}, ConsistentRead=True
        )
        return found["Item"]["sequence_number"]["S"] if "Item" in found else None

    def write(self, shard: str, sequence_number: str) -> None:
        """Keeps it."""
        self._dynamodb.put_item(
            TableName=self._table,
            Item={
                "shard": {"S": shard},
                "sequence_number": {"S": sequence_number},
                "written_at": {"S": datetime.now(UTC).isoformat()},
            },
        )
