"""Benchmark of the UDP gateway on one core: `python -m bench.udp_door`.

Three receivers take turns on one core: asyncio's own datagram protocol, doing nothing; the door's way
of reading, doing nothing; and the door, which verifies each datagram and packs the positions into calls
of Kinesis that are answered here. Its look-ups are answered from memory. A process on another core
sends 10,000 datagrams a second, and then as many as it can. Loopback only; it ends by itself.
"""

import argparse
import asyncio
import gc
import hashlib
import io
import json
import multiprocessing
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from chalicelib.foundation import clock
from chalicelib.foundation.aws import clients
from chalicelib.taxis.positions import codec
from chalicelib.taxis.positions import service as positions
from udp_gateway import listener
from udp_gateway.datagram import LIMIT_BYTES
from udp_gateway.door import Door, Question
from udp_gateway.gateway import READS_AT_ONCE, SWITCH_S, Gateway
from udp_gateway.senders import Sender

LOOPBACK = "127.0.0.1"
OPERATORS = 100
TAXIS = 60_000  # the national fleet [contract: Size of the fleet]
QUIET_S = 0.5  # after the last datagram: what waits in the buffer is read
SLICE_S = 0.002  # the sender's; what it has to send is spread over these

_forking = multiprocessing.get_context("fork")  # so that sockets are inherited


@dataclass(frozen=True, slots=True)
class Received:
    """What a receiver took in, and what that cost."""

    datagrams: int
    cpu_s: float
    verified: int = 0  # that are in the stream, or no newer than one of the same taxi that is


# --- what is sent --------------------------------------------------------------------------------


def _operator(taxi: int) -> str:
    return f"operator-{taxi % OPERATORS}@example.org"


def _key(operator: str) -> str:
    return hashlib.sha256(operator.encode()).hexdigest()[:36]


def datagrams() -> list[bytes]:
    """One of each taxi, as real ones are: some 250 bytes, all over the country."""
    payloads = []
    timestamp = int(time.time())
    for taxi in range(TAXIS):
        operator = _operator(taxi)
        lat, lon = f"{43 + taxi % 7777 / 1111:.6f}", f"{-1 + taxi % 9999 / 1428:.6f}"
        start = f"{timestamp}{operator}{codec.id_of(taxi)}{lat}{lon}phonefree2{_key(operator)}"
        fields = {
            "timestamp": timestamp,
            "operator": operator,
            "taxi": codec.id_of(taxi),
            "lat": lat,
            "lon": lon,
            "device": "phone",
            "status": "free",
            "version": "2",
            "hash": hashlib.sha1(start.encode()).hexdigest(),  # noqa: S324  # the formula [contract: UDP signature]
        }
        payloads.append(json.dumps(fields).encode())
    return payloads


def send(port: int, payloads: list[bytes], *, a_second: int | None, for_s: float) -> int:
    """Sends at this rate, or as fast as it can; answers how many."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((LOOPBACK, port))
        began_s, sent = time.monotonic(), 0
        while (elapsed_s := time.monotonic() - began_s) < for_s:
            target = sent + 100 if a_second is None else int(elapsed_s * a_second)
            for number in range(sent, target):
                client.send(payloads[number % TAXIS])
            sent = target
            if a_second is not None:
                time.sleep(SLICE_S)
    return sent


# --- who receives --------------------------------------------------------------------------------


class _Nothing(asyncio.DatagramProtocol):
    """asyncio's own way."""

    def __init__(self) -> None:
        self.count = 0

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:  # noqa: ARG002  # asyncio's
        self.count += 1


async def _asyncio_receives(where: socket.socket, until: Awaitable[None]) -> Received:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(_Nothing, sock=where)
    before_s = time.process_time()
    await until
    transport.close()
    return Received(protocol.count, time.process_time() - before_s)


async def _reader_receives(where: socket.socket, until: Awaitable[None]) -> Received:
    count = 0

    def read() -> None:
        nonlocal count
        for _ in range(READS_AT_ONCE):
            try:
                where.recv(LIMIT_BYTES + 1)
            except BlockingIOError:
                return
            count += 1

    asyncio.get_running_loop().add_reader(where, read)
    before_s = time.process_time()
    await until
    return Received(count, time.process_time() - before_s)


class _Answered:
    """The HTTP part of an answer of Kinesis."""

    status_code = 200


async def _door_receives(where: socket.socket, until: Awaitable[None]) -> Received:
    def answer(params: dict[str, Any], **_: object) -> Any:  # noqa: ANN401  # botocore's
        taken = {"SequenceNumber": "1", "ShardId": "1"}
        return _Answered(), {"Records": [taken] * params["body"].count(b'"PartitionKey"')}

    clients.kinesis().meta.events.register("before-call.kinesis.PutRecords", answer)
    positions.accept([(codec.id_of(0), 0, 0)], now=clock.now())  # what is made on first use is made
    owned: dict[str, set[str]] = {}
    for taxi in range(TAXIS):
        owned.setdefault(_operator(taxi), set()).add(codec.id_of(taxi))
    known = {
        operator: Sender((_key(operator).encode(),), frozenset(ids))
        for operator, ids in owned.items()
    }

    def look_up(question: Question) -> Sender | None:
        return known.get(question.operator)

    door = Door(renew_s=30, stale_s=300, late_s=120, now_s=time.time())
    gateway = Gateway(where, door, look_up=look_up)
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()
    counts: Counter[str] = Counter()
    with redirect_stdout(io.StringIO()) as printed:
        before_s = time.process_time()
        task = asyncio.create_task(gateway.run())
        await until
        gateway.stop()
        await task
        cpu_s = time.process_time() - before_s
    for line in printed.getvalue().splitlines():
        counts.update({name: n for name, n in json.loads(line).items() if isinstance(n, int)})
    verified = sum(counts[name] for name in ("accepted", "superseded", "dropped_duplicate"))
    return Received(counts["received"], cpu_s, verified)


RECEIVERS: dict[str, Callable[[socket.socket, Awaitable[None]], Any]] = {
    "asyncio, no-op": _asyncio_receives,
    "reader, no-op": _reader_receives,
    "the door": _door_receives,
}


def _receive(name: str, where: socket.socket, core: int, pipe: Connection) -> None:
    """The receiver's process: says when it is ready, receives until it is told, and answers."""
    os.sched_setaffinity(0, {core})

    async def main() -> Received:
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()

        async def until() -> None:
            pipe.send(None)
            loop.add_reader(pipe.fileno(), stopped.set)
            await stopped.wait()
            loop.remove_reader(pipe.fileno())

        found: Received = await RECEIVERS[name](where, until())
        return found

    pipe.send(asyncio.run(main()))


# --- one beside the other ------------------------------------------------------------------------


def measure(
    name: str, payloads: list[bytes], *, a_second: int | None, for_s: float, cores: tuple[int, int]
) -> tuple[int, Received]:
    """How many datagrams were sent to a receiver on the first core, from the second, and what came."""
    os.sched_setaffinity(0, {cores[1]})
    here, there = _forking.Pipe()
    with listener.listen(LOOPBACK, 0) as where:
        port: int = where.getsockname()[1]
        child = _forking.Process(target=_receive, args=(name, where, cores[0], there), daemon=True)
        child.start()
    here.recv()
    sent = send(port, payloads, a_second=a_second, for_s=for_s)
    time.sleep(QUIET_S)
    here.send(None)
    received: Received = here.recv()
    child.join()
    return sent, received


def main() -> None:
    """Prints a line for each receiver and rate."""
    parser = argparse.ArgumentParser(prog="python -m bench.udp_door", description=__doc__)
    parser.add_argument("--rate", type=int, default=10_000, help="datagrams a second (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each (%(default)s)")
    args = parser.parse_args()
    seconds = min(args.seconds, 60.0)
    here = sorted(os.sched_getaffinity(0))
    cores = here[0], here[-1]
    payloads = datagrams()
    print(f"cores {cores[0]} and {cores[1]}, {len(payloads[0])} bytes a datagram, {TAXIS} taxis")
    for a_second in (args.rate, None):
        least_s = 0.0
        for name in RECEIVERS:
            sent, got = measure(name, payloads, a_second=a_second, for_s=seconds, cores=cores)
            cpu_s = 10_000 * got.cpu_s / max(got.datagrams, 1)
            least_s = least_s or cpu_s
            line = (
                f"{name:14}  sent {sent / seconds:7,.0f}/s  received {got.datagrams / seconds:7,.0f}/s"
                f"  lost {sent - got.datagrams:7,}  CPU {cpu_s:.3f} s per 10,000 ({cpu_s / least_s:.1f}x)"
            )
            refused = got.datagrams - got.verified
            print(f"{line}  not sent on {refused:,}" if got.verified else line, flush=True)


if __name__ == "__main__":
    main()
