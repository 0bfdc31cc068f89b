"""A Kinesis that refuses records, or a whole call."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from chalicelib.foundation.aws import clients

T = TypeVar("T")


@contextmanager
def refusing(
    *answers: set[int] | Exception, kept: Callable[[Mapping[str, str]], T]
) -> Iterator[list[list[T]]]:
    """Refuses the records at these places of each call in turn, or fails, the last answer for ever.

    The list has what is `kept` of the records of each call (`PartitionKey`, and `Data` in base64).
    """
    calls: list[list[T]] = []

    def answer(params: dict[str, Any], **_: Any) -> Any:
        records = json.loads(params["body"])["Records"]
        refused = answers[min(len(calls), len(answers) - 1)]
        calls.append([kept(record) for record in records])
        if isinstance(refused, Exception):
            raise refused

        class Http:
            status_code = 200

        return Http(), {
            "FailedRecordCount": len(refused),
            "Records": [
                {"ErrorCode": "ProvisionedThroughputExceededException"}
                if place in refused
                else {"SequenceNumber": "1", "ShardId": "shardId-0"}
                for place in range(len(records))
            ],
        }

    events = clients.kinesis().meta.events
    events.register("before-call.kinesis.PutRecords", answer)
    try:
        yield calls
    finally:
        events.unregister("before-call.kinesis.PutRecords", answer)
