"""A running UDP door, for the tests of several folders."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from chalicelib.foundation.aws import clients
from chalicelib.taxis.positions import codec
from chalicelib.taxis.positions.codec import Report
from tests.ops.datagrams import a_datagram
from udp_gateway import gateway, listener
from udp_gateway.gateway import Gateway

LOOPBACK = "127.0.0.1"
WITHIN_S = 30.0  # on a busy machine, too


def records() -> list[Report]:
    """The reports in the stream."""
    client, name = clients.kinesis(), "maraude-test-positions"
    found = []
    for shard in client.list_shards(StreamName=name)["Shards"]:
        iterator = client.get_shard_iterator(
            StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        there = client.get_records(ShardIterator=iterator)["Records"]
        found += [codec.unpack_report(record["Data"]) for record in there]
    return found


def streamed() -> dict[str, tuple[float, int]]:
    """What is in the stream: the taxis, the moment that their positions are of, and the latitude."""
    return {
        codec.id_of(taxi): (codec.moment(report.seen).timestamp(), lat_e7)
        for report in records()
        for taxi, lat_e7 in zip(report.taxis, report.lats_e7, strict=True)
    }


async def eventually(claim: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + WITHIN_S
    while not claim():
        assert time.monotonic() < deadline_s, "it did not happen in time"
        await asyncio.sleep(0.05)


class Opened:
    """A running gateway, and a socket to send to it."""

    task: asyncio.Task[None]

    def __init__(self, where: socket.socket, **doings: Any) -> None:
        self.gateway = Gateway(where, gateway.new_door(now_s=time.time()), **doings)
        self.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.client.connect(where.getsockname())

    def send(self, key: str, **changes: Any) -> None:
        self.client.send(a_datagram(key, timestamp=time.time(), **changes))

    def close(self) -> None:
        self.client.close()


@asynccontextmanager
async def running(**doings: Any) -> AsyncIterator[Opened]:
    with (
        listener.listen(LOOPBACK, 0) as where,
        contextlib.closing(Opened(where, **doings)) as opened,
    ):
        opened.task = asyncio.create_task(opened.gateway.run())
        try:
            yield opened
        finally:
            opened.gateway.stop()
            await opened.task
