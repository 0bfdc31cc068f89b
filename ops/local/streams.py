"""Readers of Kinesis and DynamoDB streams: shards of records in the form of Lambda events."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from botocore.exceptions import ClientError

from ops.local.delivery import Record
from ops.local.place import REGION

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient

READ_LIMIT = 1000  # records a call; DynamoDB streams give no more
_ENDED = ("ExpiredIteratorException", "TrimmedDataAccessException")  # of an iterator that waited


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard; its records come after those of its `parents`, where they are still there."""

    id: str
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """What a read found. `closed`: nothing will ever follow."""

    records: list[Record]
    closed: bool = False


class Stream(Protocol):
    """A stream that can be read from any sequence number on."""

    batch_info: ClassVar[str]  # the name of the batch in a failure's announcement

    @property
    def arn(self) -> str:
        """Of the stream itself, not of its table."""
        ...

    def shards(self) -> list[Shard]:
        """The shards there are, closed ones included."""
        ...

    def read(self, shard: str, after: str | None, limit: int) -> Page:
        """The records after a sequence number; from the oldest on when it is None or forgotten."""
        ...


class _Iterated:
    """A stream that is read by iterators: each answer's next one, a fresh one only where that ends.

    One reader a shard.
    """

    def __init__(self) -> None:
        self._next: dict[str, tuple[str | None, str]] = {}  # by shard: after which record, iterator

    def read(self, shard: str, after: str | None, limit: int) -> Page:
        """As `Stream.read`."""
        known_after, iterator = self._next.pop(shard, (None, ""))
        is_fresh = not iterator or known_after != after
        try:
            if is_fresh:
                iterator = self._iterator(shard, after)
            answer = self._get_records(iterator, limit)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ResourceNotFoundException":
                return Page([], closed=True)
            if code in _ENDED and not is_fresh:
                return self.read(shard, after, limit)
            raise
        records = [self._record(shard, record) for record in answer["Records"]]
        following = answer.get("NextShardIterator")
        if following:
            self._next[shard] = records[-1].sequence_number if records else after, following
        return Page(records, closed=not following)

    def _iterator(self, shard: str, after: str | None) -> str:
        raise NotImplementedError

    def _get_records(self, iterator: str, limit: int) -> Any:  # noqa: ANN401  # botocore's
        raise NotImplementedError

    def _record(self, shard: str, record: Any) -> Record:  # noqa: ANN401  # botocore's
        raise NotImplementedError


class KinesisStream(_Iterated):
    """A Kinesis stream, by its name."""

    batch_info: ClassVar[str] = "KinesisBatchInfo"

    def __init__(self, client: "KinesisClient", name: str) -> None:
        super().__init__()
        self._client = client
        self._name = name
        self._arn = ""

    @property
    def arn(self) -> str:
        if not self._arn:
            summary = self._client.describe_stream_summary(StreamName=self._name)
            self._arn = summary["StreamDescriptionSummary"]["StreamARN"]
        return self._arn

    def shards(self) -> list[Shard]:
        listed = [
            shard
            for page in self._client.get_paginator("list_shards").paginate(StreamName=self._name)
            for shard in page["Shards"]
        ]
        return [
            Shard(
                shard["ShardId"],
                tuple(
                    parent
                    for parent in (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))
                    if parent
                ),
            )
            for shard in listed
        ]

    def _iterator(self, shard: str, after: str | None) -> str:
        start: Any = (
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": after}
            if after
            else {"ShardIteratorType": "TRIM_HORIZON"}
        )
        return self._client.get_shard_iterator(StreamName=self._name, ShardId=shard, **start)[
            "ShardIterator"
        ]

    def _get_records(self, iterator: str, limit: int) -> Any:  # noqa: ANN401  # botocore's
        return self._client.get_records(ShardIterator=iterator, Limit=limit)

    def _record(self, shard: str, record: Any) -> Record:  # noqa: ANN401  # botocore's
        arrived_at = record["ApproximateArrivalTimestamp"].timestamp()
        data = base64.b64encode(record["Data"]).decode()
        number = record["SequenceNumber"]
        event = {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": record["PartitionKey"],
                "sequenceNumber": number,
                "data": data,
                "approximateArrivalTimestamp": arrived_at,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{shard}:{number}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::000000000000:role/local",
            "awsRegion": REGION,
            "eventSourceARN": self.arn,
        }
        return Record(number, arrived_at, event, size=len(data))


class DynamoStream(_Iterated):
    """The stream of a DynamoDB table, by the table's name."""

    batch_info: ClassVar[str] = "DDBStreamBatchInfo"

    def __init__(self, dynamodb: "DynamoDBClient", streams: Any, table: str) -> None:  # noqa: ANN401  # its stubs are not installed
        super().__init__()
        self._dynamodb = dynamodb
        self._streams = streams
        self._table = table
        self._arn = ""

    @property
    def arn(self) -> str:
        if not self._arn:
            table = self._dynamodb.describe_table(TableName=self._table)["Table"]
            self._arn = table["LatestStreamArn"]
        return self._arn

    def shards(self) -> list[Shard]:
        description = self._streams.describe_stream(StreamArn=self.arn)["StreamDescription"]
        return [
            Shard(shard["ShardId"], tuple(filter(None, [shard.get("ParentShardId")])))
            for shard in description["Shards"]
        ]

    def _iterator(self, shard: str, after: str | None) -> str:
        place = {"StreamArn": self.arn, "ShardId": shard}
        if after:
            try:
                found: str = self._streams.get_shard_iterator(
                    **place, ShardIteratorType="AFTER_SEQUENCE_NUMBER", SequenceNumber=after
                )["ShardIterator"]
            except ClientError as error:
                # Older than 24 hours, or of an earlier run: MiniStack keeps no stream records.
                if error.response["Error"]["Code"] != "TrimmedDataAccessException":
                    raise
            else:
                return found
        oldest: str = self._streams.get_shard_iterator(**place, ShardIteratorType="TRIM_HORIZON")[
            "ShardIterator"
        ]
        return oldest

    def _get_records(self, iterator: str, limit: int) -> Any:  # noqa: ANN401  # botocore's
        return self._streams.get_records(ShardIterator=iterator, Limit=min(limit, READ_LIMIT))

    def _record(self, shard: str, record: Any) -> Record:  # noqa: ANN401, ARG002  # botocore's; it has one shard at a time
        change = record["dynamodb"]
        arrived_at = change["ApproximateCreationDateTime"].timestamp()
        event = {
            "eventID": record["eventID"],
            "eventName": record["eventName"],
            "eventVersion": record["eventVersion"],
            "eventSource": "aws:dynamodb",
            "awsRegion": REGION,
            "dynamodb": _plain({**change, "ApproximateCreationDateTime": arrived_at}),
            "eventSourceARN": self.arn,
        }
        return Record(change["SequenceNumber"], arrived_at, event, size=change["SizeBytes"])


def _plain(value: Any) -> Any:  # noqa: ANN401  # any JSON
    """As JSON carries it: bytes in base64."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def failure(
    stream: Stream,
    shard: str,
    records: Sequence[Record],
    *,
    function: str,
    condition: str,
    invocations: int,
    request_id: str,
) -> dict[str, Any]:
    """What Lambda sends to the on-failure queue: where the records are, never the records."""
    return {
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"arn:aws:lambda:{REGION}:000000000000:function:{function}",
            "condition": condition,
            "approximateInvokeCount": invocations,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": timestamp(datetime.now(UTC)),
        stream.batch_info: {
            "shardId": shard,
            "startSequenceNumber": records[0].sequence_number,
            "endSequenceNumber": records[-1].sequence_number,
            "approximateArrivalOfFirstRecord": _at(records[0]),
            "approximateArrivalOfLastRecord": _at(records[-1]),
            "batchSize": len(records),
            "streamArn": stream.arn,
        },
    }


def timestamp(moment: datetime) -> str:
    """As AWS writes it: UTC, milliseconds, `Z`."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _at(record: Record) -> str:
    return timestamp(datetime.fromtimestamp(record.arrived_at, UTC))
