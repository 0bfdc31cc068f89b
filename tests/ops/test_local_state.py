"""The state service: what outlives a clean stop and start."""

import http.client
import os
import socket
from contextlib import closing
from typing import Any

import pytest

from ops.local.clients import Clients
from ops.local.emulator import callers
from ops.local.place import Place, PlaceBusy
from ops.local.provision import provision
from ops.local.state import StateFailed, StateService

from .conftest import MiniStack

pytestmark = pytest.mark.local_stack

STREAM = "maraude-local-positions"
TABLE = "maraude-local-descriptions"
QUEUE = "maraude-local-ingest-failures"


def stream_content(clients: Clients) -> list[tuple[str, str, bytes]]:
    """Shard, sequence number and data of every record."""
    found = []
    for shard in clients.kinesis.list_shards(StreamName=STREAM)["Shards"]:
        iterator = clients.kinesis.get_shard_iterator(
            StreamName=STREAM, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        found += [
            (shard["ShardId"], record["SequenceNumber"], record["Data"])
            for record in clients.kinesis.get_records(ShardIterator=iterator)["Records"]
        ]
    return found


def changes(clients: Clients) -> int:
    """How many records the stream of the table has."""
    arn = clients.dynamodb.describe_table(TableName=TABLE)["Table"]["LatestStreamArn"]
    (shard,) = clients.streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator = clients.streams.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    return len(clients.streams.get_records(ShardIterator=iterator)["Records"])


def test_state_survives_a_stop_and_a_start(place: Place) -> None:
    service = StateService(place)
    service.start()
    made = provision("local", endpoint=service.endpoint, region="eu-west-3")
    item: dict[str, Any] = {
        "description_id": {"S": "a"},
        "raw": {"B": b"\x00\xff"},
        "number": {"N": "1.5"},
    }
    with closing(Clients.at(service.endpoint)) as clients:
        clients.dynamodb.put_item(TableName=TABLE, Item=item)
        for key in "abcdef":
            clients.kinesis.put_record(StreamName=STREAM, Data=b"\xff", PartitionKey=key)
        url = clients.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
        clients.sqs.send_message(QueueUrl=url, MessageBody="kept")
        streamed = stream_content(clients)
        assert changes(clients) == 1
    service.stop()

    again = StateService(place)
    again.start()
    with closing(Clients.at(again.endpoint)) as clients:
        tables = clients.dynamodb.list_tables()["TableNames"]
        items = clients.dynamodb.scan(TableName=TABLE)["Items"]
        expiry = clients.dynamodb.describe_time_to_live(TableName="maraude-local-cells")
        streamed_again = stream_content(clients)
        number = clients.kinesis.put_record(StreamName=STREAM, Data=b"x", PartitionKey="a")
        url = clients.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
        messages = clients.sqs.receive_message(QueueUrl=url)["Messages"]
        changes_again = changes(clients)
    again.stop()

    assert set(tables) <= set(made)
    assert items == [item]
    assert expiry["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED"
    assert streamed_again == streamed
    assert number["SequenceNumber"] > max(one[1] for one in streamed)
    assert [message["Body"] for message in messages] == ["kept"]
    # It is why the runner drains the streams of tables before the end.
    assert changes_again == 0


@pytest.mark.parametrize("name", ["dynamodb.json", "kinesis.json", "sqs.json"])
def test_a_state_that_cannot_be_written_is_said(place: Place, name: str) -> None:
    service = StateService(place)
    service.start()
    provision("local", endpoint=service.endpoint, region="eu-west-3")
    kept = place.state / name
    kept.write_text("{}")  # of an earlier run
    os.utime(kept, (1, 1))
    (place.state / f"{name}.tmp").mkdir()  # where MiniStack writes first

    with pytest.raises(StateFailed, match=f"could not be written to .* \\({name}\\)"):
        service.stop()

    assert kept.read_text() == "{}"


def test_the_next_service_waits_until_the_state_is_written(place: Place) -> None:
    service = StateService(place)
    service.start()
    provision("local", endpoint=service.endpoint, region="eu-west-3")

    with pytest.raises(PlaceBusy), place.state_lock(wait=False):
        pass
    service.stop()

    with place.state_lock(wait=False):
        pass


def test_a_service_that_does_not_start_is_said(place: Place) -> None:
    service = StateService(place)

    with (
        socket.create_server(("127.0.0.1", service.port)),
        pytest.raises(StateFailed, match="did not start"),
    ):
        service.start()

    assert service.process is None


@pytest.mark.parametrize(
    ("headers", "is_program"),
    [
        ({"Host": "127.0.0.1:4566"}, True),
        ({"Host": "LOCALHOST"}, True),
        ({"Host": "[::1]:4566"}, True),
        ({"Host": "127.0.0.1:4566", "Sec-Fetch-Site": "none"}, True),
        ({"Host": "rebound.example:4566"}, False),
        ({"Host": "127.0.0.1.rebound.example"}, False),
        ({"Host": "rebound.example:127.0.0.1"}, False),
        ({"Host": ""}, False),
        ({}, False),
        ({"Host": "127.0.0.1:4566", "Origin": "https://elsewhere.example"}, False),
        ({"Host": "127.0.0.1:4566", "Origin": "null"}, False),
        ({"Host": "127.0.0.1:4566", "Sec-Fetch-Site": "cross-site"}, False),
    ],
)
def test_a_web_page_is_known_by_what_its_browser_says_of_it(
    headers: dict[str, str], *, is_program: bool
) -> None:
    sent = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    assert callers.is_program(sent) is is_program


def test_the_domain_of_a_deployed_api_is_a_right_host() -> None:
    names = callers.OWN_NAMES | {b"api.registry.example"}

    assert callers.is_program([(b"host", b"api.registry.example:4566")], names)
    assert not callers.is_program([(b"host", b"rebound.example")], names)


def test_one_right_host_among_two_is_not_enough() -> None:
    assert not callers.is_program([(b"host", b"127.0.0.1"), (b"host", b"rebound.example")])


@pytest.mark.parametrize(
    "page", [{"Host": "rebound.example"}, {"Origin": "https://elsewhere.example"}]
)
def test_a_foreign_page_reads_and_changes_nothing(
    services: MiniStack, page: dict[str, str]
) -> None:
    services.clients.sqs.create_queue(QueueName="kept")
    connection = http.client.HTTPConnection(services.endpoint.removeprefix("http://"), timeout=30)
    answered = []

    for method, path in (
        ("GET", "/?Action=ListQueues&Version=2012-11-05"),
        ("POST", "/_ministack/reset"),
    ):
        connection.request(method, path, headers=page)
        answer = connection.getresponse()
        answered.append((answer.status, b"kept" in answer.read()))
    connection.close()

    assert answered == [(403, False), (403, False)]
    assert len(services.clients.sqs.list_queues()["QueueUrls"]) == 1
