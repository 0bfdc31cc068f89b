"""The ingest function, from the event that Lambda passes to the cells."""

import json
import subprocess
import sys
from base64 import b64decode, b64encode
from datetime import timedelta
from typing import Any

import boto3
import pytest

from chalicelib.foundation import clock
from chalicelib.foundation.aws import clients
from chalicelib.foundation.geo import Circle
from chalicelib.foundation.store import reads
from chalicelib.taxis.positions import codec, service
from chalicelib.taxis.registry import availability
from ingest_lambda import handler, records
from tests.taxis.positions import fleets
from tests.taxis.positions.fleets import PARIS, Registry, e7, taxi_id


@pytest.fixture
def registry(store: None, monkeypatch: pytest.MonkeyPatch) -> Registry:  # noqa: ARG001  # a fixture of a fixture
    """A registry of a thousand taxis, all free."""
    made = Registry()
    monkeypatch.setattr(availability, "availability_of", made.availability_of)
    records._url.cache_clear()
    return made


def a_record(number: int, packed: bytes, *, waited_s: float = 0) -> dict[str, Any]:
    return {
        "eventSource": "aws:kinesis",
        "eventID": f"shardId-000000000003:{number}",
        "kinesis": {
            "sequenceNumber": str(number),
            "partitionKey": "paris",
            "data": b64encode(packed).decode(),
            "approximateArrivalTimestamp": clock.now().timestamp() - waited_s,
        },
    }


def a_position(taxi: int = 1) -> bytes:
    lng_e7, lat_e7 = e7(PARIS)
    return codec.pack_report(codec.tick(clock.now()), [(taxi, lat_e7, lng_e7)])


def a_change(
    number: int, taxis: list[int], *, status: str, at_ms: int, old: dict[str, Any] | None = None
) -> dict[str, Any]:
    image = {
        "description_id": {"S": "d1"},
        "status": {"S": status},
        "radius": {"NULL": True},
        "status_changed_at": {"N": str(at_ms)},
        "availability_changed_at": {"N": str(at_ms)},
        "taxis": {"SS": [taxi_id(taxi) for taxi in taxis]},
    }
    return {
        "eventSource": "aws:dynamodb",
        "eventID": "c4ca4238a0b923820dcc509a6f75849b",
        "eventName": "MODIFY",
        "dynamodb": {
            "SequenceNumber": str(number),
            "NewImage": image,
            "OldImage": image if old is None else old,
        },
    }


def handled(*records: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    return handler.handle({"Records": list(records)}, None)


def found() -> list[str]:
    now = clock.now()
    circle = Circle(PARIS, 500)
    return [one.taxi_id for one in reads.one(service.near(circle, now=now))]


def put_aside() -> list[dict[str, Any]]:
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName="maraude-test-ingest-failures")["QueueUrl"]
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in messages]


@pytest.mark.usefixtures("registry")
def test_positions_of_the_stream_are_found() -> None:
    answer = handled(a_record(1, a_position(1)), a_record(2, a_position(2)))

    assert answer == {"batchItemFailures": []}
    assert found() == [taxi_id(1), taxi_id(2)]


@pytest.mark.parametrize("poison", [b"", b"{}", b"\x01\x00\x00\x00\x00?", b"\x09" * 19])
@pytest.mark.usefixtures("registry")
def test_an_unreadable_record_is_put_aside_and_left_behind(poison: bytes) -> None:
    answer = handled(a_record(7, poison), a_record(8, a_position(1)))

    assert answer == {"batchItemFailures": []}
    assert found() == [taxi_id(1)]
    [kept] = put_aside()
    assert (kept["sequence_number"], kept["shard"]) == ("7", "shardId-000000000003")
    assert b64decode(kept["data"]) == poison
    assert kept["whole"]
    assert kept["reason"]


@pytest.mark.usefixtures("registry")
def test_data_that_is_no_base64_is_put_aside() -> None:
    record = a_record(7, b"")
    record["kinesis"]["data"] = "%%%"

    assert handled(record) == {"batchItemFailures": []}
    assert len(put_aside()) == 1


@pytest.mark.usefixtures("registry")
def test_a_very_long_unreadable_record_is_put_aside_in_part() -> None:
    handled(a_record(7, b"?" * 900_000))

    [kept] = put_aside()
    assert not kept["whole"]


@pytest.mark.usefixtures("registry")
def test_trouble_of_our_own_asks_for_the_first_record_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clients.dynamodb().delete_table(TableName="maraude-test-cells")

    answer = handled(a_record(7, a_position(1)), a_record(8, a_position(2)))

    assert answer == {"batchItemFailures": [{"itemIdentifier": "7"}]}
    [line] = [json.loads(one.message) for one in caplog.records if one.levelname == "ERROR"]
    assert line["event"] == "window_failed"


@pytest.mark.usefixtures("registry")
def test_trouble_with_the_failure_queue_is_trouble_of_our_own() -> None:
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName="maraude-test-ingest-failures")["QueueUrl"]
    sqs.delete_queue(QueueUrl=url)

    answer = handled(a_record(7, b"?"))

    assert answer == {"batchItemFailures": [{"itemIdentifier": "7"}]}


@pytest.mark.usefixtures("registry")
def test_a_window_is_one_line_of_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    handled(a_record(1, a_position(1)), a_record(2, a_position(5000)), a_record(3, b"?"))

    [line] = map(json.loads, capsys.readouterr().out.splitlines())
    emitted = {
        metric["Name"]: metric["Unit"]
        for directive in line.pop("_aws")["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    }
    assert 0 <= line.pop("lag_ms") < 10_000
    assert 0 <= line.pop("window_ms") < 10_000
    assert line == {
        "stage": "test",
        "function": "ingest",
        "records": 3,
        "unreadable": 1,
        "positions": 2,
        "newest": 2,
        "late": 0,
        "unknown": 1,
        "superseded": 0,
        "cells_written": 1,
        "retries": 0,
        "largest_cell_bytes": 24,
    }
    assert (emitted["lag_ms"], emitted["largest_cell_bytes"]) == ("Milliseconds", "Bytes")


@pytest.mark.usefixtures("registry")
def test_positions_too_old_for_a_search_are_counted_as_late(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lng_e7, lat_e7 = e7(PARIS)
    old = codec.tick(clock.now() - timedelta(seconds=121))

    handled(a_record(1, codec.pack_report(old, [(1, lat_e7, lng_e7)])))

    assert json.loads(capsys.readouterr().out)["late"] == 1


@pytest.mark.usefixtures("registry")
def test_a_window_is_as_late_as_its_oldest_report_waited_whatever_a_devices_clock_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lng_e7, lat_e7 = e7(PARIS)
    slow = codec.pack_report(
        codec.tick(clock.now() - timedelta(seconds=290)), [(1, lat_e7, lng_e7)]
    )

    handled(a_record(1, a_position(1)), a_record(2, slow))
    handled(a_record(1, a_position(1)), a_record(2, a_position(1), waited_s=20))

    quick, late = (json.loads(line)["lag_ms"] for line in capsys.readouterr().out.splitlines())
    assert 0 <= quick < 10_000
    assert 20_000 <= late < 30_000


@pytest.mark.parametrize("ahead", [timedelta(seconds=30), timedelta(days=365 * 20)])
@pytest.mark.usefixtures("registry")
def test_a_report_of_the_future_is_of_when_it_came_and_silences_no_right_one(
    ahead: timedelta,
) -> None:
    lng_e7, lat_e7 = e7(PARIS)
    future = codec.tick(clock.now() + ahead)
    elsewhere = codec.pack_report(future, [(1, lat_e7 + 10_000_000, lng_e7)])

    handled(a_record(1, elsewhere, waited_s=2))
    assert found() == []
    handled(a_record(2, a_position(1)))

    assert found() == [taxi_id(1)]


@pytest.mark.usefixtures("registry")
def test_a_report_of_the_past_keeps_its_moment() -> None:
    lng_e7, lat_e7 = e7(PARIS)
    seen_at = clock.now() - timedelta(seconds=50)

    handled(a_record(1, codec.pack_report(codec.tick(seen_at), [(1, lat_e7, lng_e7)])))

    last = service.where_is([taxi_id(1)], now=clock.now())[taxi_id(1)]
    assert last.seen_at == codec.moment(codec.tick(seen_at))


@pytest.mark.usefixtures("registry")
def test_no_records_are_no_trouble() -> None:
    assert handled() == {"batchItemFailures": []}


# --- the stream of descriptions -------------------------------------------------------------------


def now_ms() -> int:
    return round(clock.now().timestamp() * 1000)


@pytest.mark.usefixtures("registry")
def test_a_change_of_a_description_reaches_all_its_taxis() -> None:
    handled(a_record(1, a_position(1)), a_record(2, a_position(2)), a_record(3, a_position(3)))

    answer = handled(a_change(9, [1, 2], status="occupied", at_ms=now_ms(), old={}))

    assert answer == {"batchItemFailures": []}
    assert found() == [taxi_id(3)]


@pytest.mark.usefixtures("registry")
def test_the_newest_of_several_changes_counts() -> None:
    handled(a_record(1, a_position(1)))

    handled(
        a_change(9, [1], status="free", at_ms=now_ms() + 2000, old={}),
        a_change(8, [1], status="occupied", at_ms=now_ms(), old={}),
    )

    assert found() == [taxi_id(1)]


@pytest.mark.usefixtures("registry")
def test_a_radius_of_the_description_is_shown() -> None:
    handled(a_record(1, a_position(1)))
    change = a_change(9, [1], status="free", at_ms=now_ms(), old={})
    change["dynamodb"]["NewImage"]["radius"] = {"N": "200"}

    handled(change)

    [entry] = fleets.entries()[1]
    assert entry[0] >> codec.RADIUS_SHIFT == 200


@pytest.mark.usefixtures("registry")
def test_a_change_of_something_else_is_no_call() -> None:
    handled(a_record(1, a_position(1)))

    with fleets.counted() as calls:
        handled(a_change(9, [1], status="occupied", at_ms=now_ms()))

    assert calls == []


@pytest.mark.usefixtures("registry")
def test_a_description_that_was_deleted_changes_nothing() -> None:
    change = a_change(9, [1], status="occupied", at_ms=now_ms())
    del change["dynamodb"]["NewImage"]

    assert handled(change) == {"batchItemFailures": []}


@pytest.mark.usefixtures("registry")
def test_a_description_that_cannot_be_read_is_put_aside() -> None:
    change = a_change(9, [1], status="asleep", at_ms=now_ms(), old={})

    assert handled(change) == {"batchItemFailures": []}
    [kept] = put_aside()
    assert kept["sequence_number"] == "9"


@pytest.mark.usefixtures("registry")
def test_trouble_with_a_change_asks_for_it_again() -> None:
    clients.dynamodb().delete_table(TableName="maraude-test-last-positions")

    answer = handled(a_change(9, [1], status="occupied", at_ms=now_ms(), old={}))

    assert answer == {"batchItemFailures": [{"itemIdentifier": "9"}]}


def test_the_ingest_function_loads_neither_a_web_framework_nor_pynamodb() -> None:
    probe = (
        "import sys, ingest_lambda.handler; "
        "known = ('chalice', 'marshmallow', 'chalicelib.foundation.http.application', 'pynamodb'); "
        "print([one for one in known if one in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
