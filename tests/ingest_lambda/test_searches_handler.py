"""The function that counts searches, from the event that Lambda passes to the statistics."""

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import boto3
import pytest

from chalicelib.foundation.aws import clients
from chalicelib.taxis.search import rules as search_rules
from chalicelib.taxis.stats.searches import rules, store
from ingest_lambda import records, searches
from tests.taxis.stats.searching import NOON, a_search, some_searches

SHARD = "shardId-000000000003"


@pytest.fixture(autouse=True)
def aside(store: None) -> None:  # noqa: ARG001  # the queue is made with the tables
    """The queue of this test, not that of an earlier one."""
    records._url.cache_clear()


def a_record(number: int, packed: bytes) -> dict[str, Any]:
    return {
        "eventSource": "aws:kinesis",
        "eventID": f"{SHARD}:{number}",
        "kinesis": {
            "sequenceNumber": str(number),
            "partitionKey": "1f",
            "data": b64encode(packed).decode(),
            "approximateArrivalTimestamp": NOON.timestamp(),
        },
    }


def handled(*given: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    return searches.handle({"Records": list(given)}, None)


def counted() -> int:
    return sum(
        rules.total(rules.counts_of(counts))
        for _, counts in store.parts(NOON.date(), consistent=True)
    )


def put_aside() -> Sequence[dict[str, Any]]:
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName="maraude-test-search-failures")["QueueUrl"]
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in messages]


def test_searches_of_the_stream_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    answer = handled(
        a_record(9, search_rules.pack(some_searches(30))),
        a_record(10, search_rules.pack([a_search()])),
    )

    assert answer == {"batchItemFailures": []}
    assert counted() == 31
    line = json.loads(capsys.readouterr().out)
    assert (line["function"], line["records"], line["searches"], line["known"]) == (
        *("count-searches", 2, 31, 0),
    )


def test_a_batch_that_comes_again_is_counted_once() -> None:
    batch = [
        a_record(9, search_rules.pack(some_searches(30))),
        a_record(10, search_rules.pack([a_search()])),
    ]

    handled(*batch[:1])
    handled(*batch)
    handled(*batch)

    assert counted() == 31


@pytest.mark.parametrize(
    "poison", [b"", b"{}", b"\x00" * 50, search_rules.pack([a_search(insee="Paris")])]
)
def test_an_unreadable_record_is_put_aside_and_left_behind(poison: bytes) -> None:
    answer = handled(a_record(9, poison), a_record(10, search_rules.pack([a_search()])))

    assert answer == {"batchItemFailures": []}
    assert counted() == 1
    [kept] = put_aside()
    assert (kept["sequence_number"], kept["shard"]) == ("9", SHARD)
    assert kept["reason"]


def test_data_that_is_no_base64_is_put_aside() -> None:
    record = a_record(9, b"")
    record["kinesis"]["data"] = "%%%"

    assert handled(record) == {"batchItemFailures": []}
    assert len(put_aside()) == 1


def test_trouble_of_our_own_asks_for_the_first_record_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clients.dynamodb().delete_table(TableName="maraude-test-statistics")

    answer = handled(a_record(9, search_rules.pack([a_search()])), a_record(10, b"?"))

    assert answer == {"batchItemFailures": [{"itemIdentifier": "9"}]}
    [line] = [json.loads(one.message) for one in caplog.records if one.levelname == "ERROR"]
    assert line["event"] == "batch_failed"


def test_what_was_counted_before_trouble_with_the_queue_is_not_counted_again() -> None:
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName="maraude-test-search-failures")["QueueUrl"]
    sqs.delete_queue(QueueUrl=url)
    batch = [a_record(9, search_rules.pack([a_search()])), a_record(10, b"?")]

    for _ in range(2):
        assert handled(*batch) == {"batchItemFailures": [{"itemIdentifier": "9"}]}

    assert counted() == 1


def test_no_records_are_no_trouble() -> None:
    assert handled() == {"batchItemFailures": []}


def test_the_function_loads_no_web_framework() -> None:
    probe = (
        "import sys, ingest_lambda.searches; "
        "print([one for one in ('chalice', 'marshmallow', 'chalicelib.foundation.http.application') if one in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
