"""PutRecords on a Kinesis stream, with retries of the records that were refused."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chalicelib.foundation.aws import clients
from chalicelib.foundation.retry import Retry

if TYPE_CHECKING:
    from mypy_boto3_kinesis.type_defs import PutRecordsRequestEntryTypeDef

_REFUSED = Retry(tries=4, pause_s=0.05)  # of what Kinesis refused: a throttled shard, mostly


def put(stream: str, records: Sequence[tuple[str, bytes]]) -> int:
    """Puts records (partition key, bytes) into a stream; returns how many were still refused at the end.

    One call, and one for each time some were refused; the caller keeps to a call's limits, 500
    records and 5 MB. Raises botocore's BotoCoreError and ClientError.
    """
    waiting: list[PutRecordsRequestEntryTypeDef] = [
        {"PartitionKey": key, "Data": data} for key, data in records
    ]
    for _ in _REFUSED.attempts():
        answer = clients.kinesis().put_records(StreamName=stream, Records=waiting)
        waiting = [
            record
            for record, result in zip(waiting, answer["Records"], strict=True)
            if "ErrorCode" in result
        ]
        if not waiting:
            break
    return len(waiting)
