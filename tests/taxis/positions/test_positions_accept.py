"""Positions on their way into the stream."""

from operator import itemgetter

import pytest

from chalicelib.foundation.aws import clients
from chalicelib.foundation.geo import LngLat
from chalicelib.taxis.positions import accept, codec, service
from chalicelib.taxis.positions.accept import StreamUnavailable, TaxiUnknown
from chalicelib.taxis.positions.codec import Report
from tests.kinesis import refusing
from tests.taxis.positions.fleets import (
    NEXT_CELL,
    NOON,
    PARIS,
    e7,
    taxi_id,
)


def stream_records() -> list[tuple[str, Report]]:
    """Everything in the stream: partition key and report."""
    client, name = clients.kinesis(), "maraude-test-positions"
    got: list[tuple[str, Report]] = []
    for shard in client.list_shards(StreamName=name)["Shards"]:
        iterator = client.get_shard_iterator(
            StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        got.extend(
            (record["PartitionKey"], codec.unpack_report(record["Data"]))
            for record in client.get_records(ShardIterator=iterator)["Records"]
        )
    return got


@pytest.mark.usefixtures("store")
def test_fifty_positions_of_a_local_operator_become_one_record() -> None:
    """[positions-index: T5]"""
    service.accept([(taxi_id(taxi), *e7(PARIS)) for taxi in range(50)], now=NOON)

    [(region, report)] = stream_records()
    assert region == "paris"
    assert report.seen == codec.tick(NOON)
    assert list(report.taxis) == list(range(50))


@pytest.mark.usefixtures("store")
def test_each_region_gets_a_record() -> None:
    lyon = LngLat(4.8357, 45.7640)

    service.accept([(taxi_id(1), *e7(PARIS)), (taxi_id(2), *e7(lyon))], now=NOON)

    assert sorted(region for region, _ in stream_records()) == ["lyon", "paris"]


@pytest.mark.usefixtures("store")
def test_the_last_position_of_a_taxi_counts() -> None:
    service.accept([(taxi_id(1), *e7(PARIS)), (taxi_id(1), *e7(NEXT_CELL))], now=NOON)

    [(_, report)] = stream_records()
    assert (report.lngs_e7[0], report.lats_e7[0]) == e7(NEXT_CELL)


@pytest.mark.usefixtures("store")
def test_an_id_that_is_none_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(TaxiUnknown):
        service.accept([(taxi_id(1), *e7(PARIS)), ("nobody?", *e7(PARIS))], now=NOON)

    assert stream_records() == []


REPORTS = [("lyon", b"1"), ("paris", b"2"), ("lille", b"3")]


@pytest.mark.usefixtures("store")
def test_what_kinesis_refuses_is_sent_again_alone() -> None:
    """[positions-index: I5]"""
    with refusing({0, 2}, {1}, set(), kept=itemgetter("PartitionKey")) as calls:
        accept.send(REPORTS)

    assert calls == [["lyon", "paris", "lille"], ["lyon", "lille"], ["lille"]]


@pytest.mark.usefixtures("store")
def test_what_kinesis_goes_on_refusing_is_not_accepted() -> None:
    """The caller is told, and may send all of it again [positions-index: I5]."""
    with (
        refusing({1}, {0}, kept=itemgetter("PartitionKey")) as calls,
        pytest.raises(StreamUnavailable),
    ):
        accept.send(REPORTS)

    assert len(calls) == 4


@pytest.mark.usefixtures("store")
def test_a_stream_that_cannot_be_reached_is_unavailable() -> None:
    clients.kinesis().delete_stream(StreamName="maraude-test-positions")

    with pytest.raises(StreamUnavailable):
        accept.send(REPORTS)


@pytest.mark.usefixtures("store")
def test_nothing_to_send_is_no_call() -> None:
    with refusing(set(), kept=itemgetter("PartitionKey")) as calls:
        accept.send([])

    assert calls == []


@pytest.mark.usefixtures("store")
def test_many_reports_respect_the_limits_of_a_call() -> None:
    largest = 5 + 14 * accept.POSITIONS_A_REPORT

    assert largest < 1_000_000
    assert accept.REPORTS_A_CALL * (largest + 32) <= 5_000_000
    with refusing(set(), kept=itemgetter("PartitionKey")) as calls:
        accept.send([("paris", b"")] * 80)
    assert [len(call) for call in calls] == [35, 35, 10]
