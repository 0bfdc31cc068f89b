"""Ingest function: writes positions from Kinesis, and changes of descriptions, into the cells.

What cannot be read is put aside in the queue `ingest-failures` and left behind; only trouble of our
own holds a shard, by answering with the first record to send again.
"""

import base64
import binascii
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.foundation import clock
from chalicelib.foundation.observe import logs, metrics, tracing
from chalicelib.foundation.observe.guard import guarded
from chalicelib.foundation.settings import table
from chalicelib.foundation.store.reads import StoreBusy
from chalicelib.taxis.positions import availability, codec, ingest
from chalicelib.taxis.positions.codec import Report, Unreadable
from chalicelib.taxis.positions.rules import Availability, CellContended
from chalicelib.taxis.registry import availability as registry
from ingest_lambda.records import Answer, Event, put_aside, sequence_number

_OUR_TROUBLE = (BotoCoreError, ClientError, StoreBusy, CellContended)

INGEST = {"function": "ingest"}  # the dimension of its metrics

_log = logging.getLogger("maraude.ingest")


@guarded
def handle(event: Event, context: object) -> Answer:  # noqa: ARG001  # Lambda passes it
    """Stores a window of the stream. Answers `batchItemFailures`: the first record to send again."""
    records: Sequence[Event] = event["Records"]
    if not records:
        return {"batchItemFailures": []}
    stored = _store_changes if records[0]["eventSource"] == "aws:dynamodb" else _store_positions
    failures: list[tuple[Event, str]] = []
    began_s = time.monotonic()
    try:
        with metrics.one_line():
            stored(records, failures, clock.now())
            for record, reason in failures:
                put_aside(record, reason, queue="ingest-failures")
            _count({"records": len(records), "unreadable": len(failures)}, began_s)
    except _OUR_TROUBLE as error:
        logs.fault(_log, error, "window_failed", records=len(records))
        _count({"failed_windows": 1}, began_s)
        return {"batchItemFailures": [{"itemIdentifier": sequence_number(records[0])}]}
    return {"batchItemFailures": []}


def _count(counts: Mapping[str, int], began_s: float) -> None:
    window_ms = 1000 * (time.monotonic() - began_s)
    metrics.emit(INGEST, counts=counts, milliseconds={"window_ms": window_ms})


def _store_positions(
    records: Sequence[Event], failures: list[tuple[Event, str]], now: datetime
) -> None:
    reports = []
    for record in records:
        try:
            packed = base64.b64decode(record["kinesis"]["data"], validate=True)
            reports.append(_of_its_time(codec.unpack_report(packed), record))
        except (binascii.Error, Unreadable) as error:
            failures.append((record, str(error)))
    with tracing.followed([report.trace for report in reports], table("ingest")):
        stored = ingest.store_window(reports, availability_of=registry.availability_of, now=now)
    # Since it came into the stream, not since the taxi was there: devices' clocks are no fault of ours.
    oldest_s = min(record["kinesis"]["approximateArrivalTimestamp"] for record in records)
    metrics.emit(
        INGEST,
        counts={
            "positions": stored.positions,
            "newest": stored.newest,
            "late": stored.late,
            "unknown": stored.unknown,
            "superseded": stored.superseded,
            "cells_written": stored.cells_written,
            "retries": stored.retries,
        },
        milliseconds={"lag_ms": int(1000 * (now.timestamp() - oldest_s))},
        size_bytes={"largest_cell_bytes": stored.largest_cell},
    )


def _of_its_time(report: Report, record: Event) -> Report:
    """A report that is of no later moment than it came: one of the future would stand until then.

    Whoever writes into the stream takes the earlier clock already; this one is Kinesis's, the same for all.
    """
    arrived_s = record["kinesis"]["approximateArrivalTimestamp"]
    arrived = codec.tick(datetime.fromtimestamp(arrived_s, UTC))
    return report if report.seen <= arrived else report._replace(seen=arrived)


def _store_changes(
    records: Sequence[Event], failures: list[tuple[Event, str]], now: datetime
) -> None:
    changes: dict[str, Availability] = {}
    for record in records:
        try:
            changed = _changed_taxis(record["dynamodb"])
        except (KeyError, ValueError) as error:
            failures.append((record, f"no description: {error!r}"))
            continue
        for taxi_id, newer in changed.items():
            known = changes.get(taxi_id)
            if known is None or known.changed_at <= newer.changed_at:
                changes[taxi_id] = newer
    shown = availability.show_availability(changes, now=now)
    metrics.emit(INGEST, counts={"changes": len(changes), "changes_shown": shown})


def _changed_taxis(change: Event) -> dict[str, Availability]:
    """The taxis whose availability a change of a description may have changed.

    Raises KeyError or ValueError where it is none.
    """
    new, old = change.get("NewImage"), change.get("OldImage", {})
    watched = ("status", "radius", "availability_changed_at", "taxis")
    if new is None or all(new.get(name) == old.get(name) for name in watched):
        return {}
    return dict.fromkeys(new.get("taxis", {}).get("SS", ()), registry.availability(new))
