"""Traces: told of in the trace that they come from, without anything of a person, and only if sampled."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.foundation.observe import tracing
from chalicelib.taxis.positions import codec
from chalicelib.taxis.positions.codec import Unreadable

ROOT = Path(__file__).resolve().parents[2]
TRACE = "1-5759e988-bd862e3fe1be46a994272793"
HEADER = f"Root={TRACE};Parent=53995c3f42cd8ad8;Sampled=1"
WINDOW = "1-5759e999-aaaaaaaaaaaaaaaaaaaaaaaa"
REPORT = codec.pack_report(7, [(1, 488_566_000, 23_522_000)])

# A whole way in one process, which is told before each step which invocation of Lambda it is.
WAY = """
import json, os, sys
from base64 import b64encode
from moto import mock_aws
from tests import factories
from tests.calls import Caller
from ops.local.provision import provision
from chalicelib.foundation.aws import clients as aws
from chalicelib.taxis.access.rules import Role

def as_invocation(header):
    os.environ["_X_AMZN_TRACE_ID"] = header

with mock_aws():
    provision("test", endpoint=None, region="eu-west-3")
    from ingest_lambda import handler
    from chalicelib.taxis.positions import service as positions
    from chalicelib.taxis.hails import queue
    from chalicelib.foundation import clock
    from app import app
    heard = []
    aws.kinesis().meta.events.register(
        "before-parameter-build.kinesis.PutRecords",
        lambda params, **_: heard.extend(one["Data"] for one in params["Records"]))
    about = {"httpMethod": "GET", "resourcePath": "/towns", "path": "/towns", "identity": {"sourceIp": "::1"}}
    event = dict.fromkeys(("multiValueHeaders", "multiValueQueryStringParameters",
        "pathParameters", "body", "stageVariables"))
    event |= {"path": "/towns", "isBase64Encoded": False, "requestContext": about,
        "headers": {"X-Api-Key": "SECRETKEY"}}
    as_invocation(sys.argv[1])
    answer = app(event, None)
    assert answer["statusCode"] == 401, answer
    positions.accept([("aaaaaaa".replace("a", "2"), 23_522_000, 488_566_000)], now=clock.now())
    queue.put_dispatch("HAILID7")
    url = aws.sqs().get_queue_url(QueueName="maraude-test-hail-dispatch")["QueueUrl"]
    [message] = aws.sqs().receive_message(QueueUrl=url, MessageSystemAttributeNames=["All"])["Messages"]
    as_invocation(sys.argv[2])
    app.handler_map["call_operators"]({"Records": [{"body": message["Body"], "messageId": "1",
        "attributes": message["Attributes"], "messageAttributes": {}, "receiptHandle": "",
        "eventSourceARN": "arn:aws:sqs:eu-west-3:1:maraude-test-hail-dispatch"}]}, None)
    data = b64encode(heard[0]).decode()
    assert handler.handle({"Records": [{"eventSource": "aws:kinesis", "eventID": "shardId-0:1",
        "kinesis": {"sequenceNumber": "1", "partitionKey": "p", "data": data,
            "approximateArrivalTimestamp": 1.0}}]}, None) == {
        "batchItemFailures": []}
    print(json.dumps({"sizes": [len(one) for one in heard], "loaded": "aws_xray_sdk" in sys.modules}))
"""


@pytest.fixture
def daemon() -> Iterator[socket.socket]:
    """A socket where X-Ray's daemon would listen."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(0.5)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_000_000)
        yield listening


def went(daemon: socket.socket, first: str, then: str) -> dict[str, Any]:
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WAY, first, then],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "LAMBDA_TASK_ROOT": str(ROOT),
            "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{daemon.getsockname()[1]}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    told: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return told


def sent(daemon: socket.socket) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        try:
            datagram = daemon.recv(65_536)
        except TimeoutError:
            return found
        head, _, body = datagram.partition(b"\n")
        assert json.loads(head) == {"format": "json", "version": 1}
        found.append(json.loads(body))


def test_a_request_its_message_and_its_record_are_one_trace(daemon: socket.socket) -> None:
    told = went(daemon, HEADER, f"Root={WINDOW};Parent=aaaaaaaaaaaaaaaa;Sampled=1")

    assert told["sizes"] == [len(REPORT) + 1 + tracing.TRACE_BYTES]
    segments = sent(daemon)
    joined = {
        one["name"]: (one["parent_id"], one["annotations"])
        for one in segments
        if one["trace_id"] == TRACE and one.get("type") != "subsegment"
    }
    assert joined == {
        "maraude-test-ingest": ("53995c3f42cd8ad8", {"handled_in": WINDOW}),
        "maraude-test-hail-dispatch": ("53995c3f42cd8ad8", {"handled_in": WINDOW}),
    }
    calls = [one for one in segments if one.get("type") == "subsegment"]
    assert {one["name"] for one in calls if one["trace_id"] == TRACE} == {
        *("dynamodb", "kinesis", "sqs"),
    }
    assert {one["name"] for one in calls if one["trace_id"] == WINDOW} >= {"dynamodb"}
    text = json.dumps(segments)
    for private in ("SECRETKEY", "HAILID7", "2222222", "23522000", "488566000", "48.8566"):
        assert private not in text


def test_what_is_not_sampled_loads_no_x_ray_carries_nothing_and_tells_nobody(
    daemon: socket.socket,
) -> None:
    unsampled = HEADER.replace("Sampled=1", "Sampled=0")

    told = went(daemon, unsampled, unsampled)

    assert told == {"sizes": [len(REPORT)], "loaded": False}
    assert sent(daemon) == []


def test_the_text_of_an_exception_stays_here(
    daemon: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = """
import os
from chalicelib.foundation.aws import clients as aws
from chalicelib.foundation.observe import tracing
from moto import mock_aws
tracing.begin()
with mock_aws():
    try:
        aws.dynamodb().get_item(TableName="gone", Key={"id": {"S": "+33612345678"}})
    except Exception as error:
        text = str(error)
print(text)
"""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", HEADER)
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(ROOT))
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", f"127.0.0.1:{daemon.getsockname()[1]}")

    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    [call] = sent(daemon)
    [told] = call["cause"]["exceptions"]
    assert (told["type"], call["name"]) == ("ResourceNotFoundException", "dynamodb")
    assert ran.stdout.strip()
    assert ran.stdout.strip() not in json.dumps(call)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Root",
        "Sampled=1",
        HEADER.replace("Sampled=1", "Sampled=0"),
        HEADER.replace("Sampled=1", "Sampled=?"),
        HEADER.replace("Root=1", "Root=2"),
        HEADER.replace("Parent=5", "Parent="),
        HEADER.replace("Parent=5", "Parent=g"),
        HEADER + "\0",
    ],
)
def test_a_header_that_is_not_sampled_or_not_whole_is_no_trace(header: str | None) -> None:
    assert tracing.packed(header) == b""


def test_a_header_is_packed_and_back() -> None:
    assert len(tracing.packed(HEADER)) == tracing.TRACE_BYTES
    assert tracing.header(tracing.packed(HEADER)) == HEADER
    assert tracing.packed(HEADER + ";Lineage=a:0") == tracing.packed(HEADER)


def test_a_report_keeps_its_trace_and_one_without_stays_as_it_was() -> None:
    trace = tracing.packed(HEADER)

    assert codec.with_trace(REPORT, b"") is REPORT
    assert codec.unpack_report(REPORT).trace == b""
    assert codec.unpack_report(codec.with_trace(REPORT, trace)) == codec.unpack_report(
        REPORT
    )._replace(trace=trace)


def test_a_report_has_one_trace_at_most() -> None:
    trace = tracing.packed(HEADER)

    with pytest.raises(Unreadable):
        codec.unpack_report(codec.with_trace(codec.with_trace(REPORT, trace), trace))


def test_a_trace_that_is_cut_off_is_unreadable() -> None:
    for length in range(1, 26):
        with pytest.raises(Unreadable):
            codec.unpack_report(codec.with_trace(REPORT, tracing.packed(HEADER))[:length])
