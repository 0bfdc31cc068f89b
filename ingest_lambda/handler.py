"""The ingest function: positions from the stream, and changes of descriptions, into the cells.

What cannot be read is put aside in the queue `ingest-failures` and left behind; only trouble of our
own holds a shard, by answering with the first record to send again.
"""

import base64
import binascii
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import clock
from chalicelib.dynamo import StoreBusy
from chalicelib.positions import codec
from chalicelib.positions import service as positions
from chalicelib.positions.codec import Unreadable
from chalicelib.positions.rules import Availability, CellContended
from chalicelib.registry import service as registry
from chalicelib.registry.rules import TaxiStatus
from ingest_lambda.records import Answer, Event, put_aside, sequence_number

_OUR_TROUBLE = (BotoCoreError, ClientError, StoreBusy, CellContended)

_log = logging.getLogger("maraude.ingest")
_log.setLevel(logging.INFO)


def handle(event: Event, context: object) -> Answer:  # noqa: ARG001  # Lambda passes it
    """Stores a window of the stream. Answers `batchItemFailures`: the first record to send again."""
    records: Sequence[Event] = event["Records"]
    if not records:
        return {"batchItemFailures": []}
    stored = _store_changes if records[0]["eventSource"] == "aws:dynamodb" else _store_positions
    failures: list[tuple[Event, str]] = []
    try:
        counts = stored(records, failures, clock.now())
        for record, reason in failures:
            put_aside(record, reason, queue="ingest-failures")
    except _OUR_TROUBLE as error:
        _log.exception(
            json.dumps(
                {"event": "window_failed", "records": len(records), "error": type(error).__name__}
            )
        )
        return {"batchItemFailures": [{"itemIdentifier": sequence_number(records[0])}]}
    _log.info(json.dumps({"records": len(records), "unreadable": len(failures), **counts}))
    return {"batchItemFailures": []}


def _store_positions(
    records: Sequence[Event], failures: list[tuple[Event, str]], now: datetime
) -> dict[str, object]:
    reports = []
    for record in records:
        try:
            packed = base64.b64decode(record["kinesis"]["data"], validate=True)
            reports.append(codec.unpack_report(packed))
        except (binascii.Error, Unreadable) as error:
            failures.append((record, str(error)))
    stored = positions.store_window(reports, availability_of=registry.availability_of, now=now)
    return {"event": "window_stored", **asdict(stored)}


def _store_changes(
    records: Sequence[Event], failures: list[tuple[Event, str]], now: datetime
) -> dict[str, object]:
    changes: dict[str, Availability] = {}
    for record in records:
        try:
            changed = _changed_taxis(record["dynamodb"])
        except (KeyError, ValueError) as error:
            failures.append((record, f"no description: {error!r}"))
            continue
        for taxi_id, availability in changed.items():
            known = changes.get(taxi_id)
            if known is None or known.changed_at <= availability.changed_at:
                changes[taxi_id] = availability
    shown = positions.show_availability(changes, now=now)
    return {"event": "changes_shown", "taxis": len(changes), "shown": shown}


def _changed_taxis(change: Event) -> dict[str, Availability]:
    """The taxis whose availability a change of a description may have changed.

    Raises KeyError or ValueError where it is none.
    """
    new, old = change.get("NewImage"), change.get("OldImage", {})
    watched = ("status", "radius", "availability_changed_at", "taxis")
    if new is None or all(new.get(name) == old.get(name) for name in watched):
        return {}
    radius = new.get("radius", {}).get("N")
    availability = Availability(
        status=TaxiStatus(new["status"]["S"]),
        radius_m=None if radius is None else int(radius),
        changed_at=datetime.fromtimestamp(0, UTC)
        + timedelta(milliseconds=int(new["availability_changed_at"]["N"])),
    )
    return dict.fromkeys(new.get("taxis", {}).get("SS", ()), availability)
