"""The stream of positions: reports in, grouped by region, so that a window of it touches few cells."""

import random
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import aws
from chalicelib.errors import Unavailable, in_request
from chalicelib.settings import table

if TYPE_CHECKING:
    from mypy_boto3_kinesis.type_defs import PutRecordsRequestEntryTypeDef

# A report stays far below 1 MB, the limit of a record, and a call below 5 MB and 500 records.
POSITIONS_A_REPORT = 10_000  # 140 kB
REPORTS_A_CALL = 35

_TRIES = 4  # of what Kinesis refused: a throttled shard, mostly


class StreamUnavailable(Unavailable):
    """The stream did not take every position. Sending all of them again is harmless."""


def send(reports: Sequence[tuple[str, bytes]]) -> None:
    """Puts reports (region, bytes) into the stream: one call, and one for each time some were refused.

    Raises StreamUnavailable.
    """
    for start in range(0, len(reports), REPORTS_A_CALL):
        waiting: list[PutRecordsRequestEntryTypeDef] = [
            {"PartitionKey": region, "Data": report}
            for region, report in reports[start : start + REPORTS_A_CALL]
        ]
        for attempt in range(_TRIES):
            waiting = _refused(waiting)
            if not waiting:
                break
            if attempt < _TRIES - 1:
                time.sleep(random.uniform(0.5, 1) * 0.05 * 2**attempt)  # noqa: S311  # jitter
        else:
            raise StreamUnavailable(
                in_request("The positions could not be stored, send them again")
            )


def _refused(
    records: "list[PutRecordsRequestEntryTypeDef]",
) -> "list[PutRecordsRequestEntryTypeDef]":
    try:
        answer = aws.kinesis().put_records(StreamName=table("positions"), Records=records)
    except (BotoCoreError, ClientError) as error:
        raise StreamUnavailable(
            in_request("The positions could not be stored, send them again")
        ) from error
    return [
        record
        for record, result in zip(records, answer["Records"], strict=True)
        if "ErrorCode" in result
    ]
