"""Function that counts searches from Kinesis into the sheets of the statistics.

What cannot be read is put aside in the queue `search-failures` and left behind; only trouble of our
own holds a shard, by answering with the first record to send again.
"""

import base64
import binascii
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError
from msgspec.structs import asdict

from chalicelib.foundation.observe import logs, metrics
from chalicelib.foundation.observe.guard import guarded
from chalicelib.foundation.store.writes import Moved
from chalicelib.taxis.search import rules
from chalicelib.taxis.search.rules import Unreadable
from chalicelib.taxis.stats.searches import service as searches
from chalicelib.taxis.stats.searches.service import Report
from ingest_lambda.records import Answer, Event, put_aside, sequence_number, shard_of

_OUR_TROUBLE = (BotoCoreError, ClientError, Moved)

_log = logging.getLogger("maraude.ingest")


@guarded
def handle(event: Event, context: object) -> Answer:  # noqa: ARG001  # Lambda passes it
    """Counts a batch of a shard. Answers `batchItemFailures`: the first record to send again."""
    records: Sequence[Event] = event["Records"]
    if not records:
        return {"batchItemFailures": []}
    reports: list[Report] = []
    failures: list[tuple[Event, str]] = []
    for record in records:
        try:
            reports.append(_report(record))
        except (binascii.Error, Unreadable) as error:
            failures.append((record, str(error)))
    try:
        counted = searches.count(shard_of(records[0]), reports)
        for record, reason in failures:
            put_aside(record, reason, queue="search-failures")
    except _OUR_TROUBLE as error:
        logs.fault(_log, error, "batch_failed", records=len(records))
        metrics.emit({"function": "count-searches"}, counts={"failed_windows": 1})
        return {"batchItemFailures": [{"itemIdentifier": sequence_number(records[0])}]}
    metrics.emit(
        {"function": "count-searches"},
        counts={"records": len(records), "unreadable": len(failures), **asdict(counted)},
    )
    return {"batchItemFailures": []}


def _report(record: Event) -> Report:
    """Raises binascii.Error or Unreadable."""
    inner = record["kinesis"]
    return Report(
        int(inner["sequenceNumber"]),
        datetime.fromtimestamp(inner["approximateArrivalTimestamp"], UTC),
        rules.unpack(base64.b64decode(inner["data"], validate=True)),
    )
