"""Process of the UDP gateway: `python -m udp_gateway.gateway --host 0.0.0.0 --port 8080 --health-port 8081`.

For operators that send a JSON datagram a position instead of HTTP [contract: Positions by UDP] (docs/udp.md). The event
loop only reads, verifies with what it knows, and keeps; the registry and the stream are spoken to by
worker threads. Until SIGTERM: then what has come is sent, and the process ends.
"""

import argparse
import asyncio
import contextlib
import gc
import logging
import logging.handlers
import queue
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from chalicelib.foundation.errors import Unavailable
from chalicelib.foundation.observe import logs, metrics
from chalicelib.foundation.settings import BadSetting
from chalicelib.taxis.positions.accept import accept
from chalicelib.taxis.settings import settings
from udp_gateway import listener
from udp_gateway.datagram import LIMIT_BYTES
from udp_gateway.door import OPERATORS_AT_ONCE, PERIOD_S, Door, Question
from udp_gateway.outbox import Batch
from udp_gateway.senders import Sender, look_up, warm_up

LOOK_S = 0.1  # between two rounds of look-ups: what waits is first known then
COUNT_S = 60.0  # between two lines of counts
READS_AT_ONCE = 200  # datagrams; then the loop's other work has its turn
LAST_READING_S = 1.0  # when the door closes, however fast they go on coming
LAST_TRIES_S = 10.0  # for the stream to take what is there when the door closes
HEALTH_S = 5.0  # for a load balancer to say its question
REFUSED_SHOWN = 20  # operators, in the log of refusals
# A worker thread that computes gives way as often, lest the socket's buffer fill up meanwhile.
SWITCH_S = 0.0001

log = logging.getLogger("maraude.udp")

Accept = Callable[[Sequence[tuple[str, int, int]], datetime], None]
LookUp = Callable[[Question], Sender | None]


def new_door(*, now_s: float) -> Door:
    """A door with the deployment's settings."""
    found = settings()
    return Door(
        renew_s=found.account_cache_s,
        stale_s=found.udp_stale_s,
        late_s=found.freshness_s,
        now_s=now_s,
    )


def _accept(batch: Sequence[tuple[str, int, int]], at: datetime) -> None:
    accept(batch, now=at)


def _look_up(question: Question) -> Sender | None:
    return look_up(question.operator, question.waiting)


class Gateway:
    """A door on a socket. `accept` and `look_up` may block: they run in threads."""

    def __init__(
        self,
        where: socket.socket,
        door: Door,
        *,
        accept: Accept = _accept,
        look_up: LookUp = _look_up,
    ) -> None:
        self._socket = where
        self._door = door
        self._accept = accept
        self._look_up = look_up
        self._lost = 0
        self._stopping = asyncio.Event()
        self._looking: set[asyncio.Task[None]] = set()
        self._lookers = ThreadPoolExecutor(OPERATORS_AT_ONCE, thread_name_prefix="look-up")
        # One, so that batches arrive in their order and counts are whole lines.
        self._senders = ThreadPoolExecutor(1, thread_name_prefix="send")
        self._counters = ThreadPoolExecutor(1, thread_name_prefix="count")

    def stop(self) -> None:
        """Ends `run`, once all that was received is sent."""
        self._stopping.set()

    async def run(self) -> None:
        """Serves until `stop`."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._socket, self._read)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._each(LOOK_S, self._look))
                tasks.create_task(self._each(PERIOD_S, self._send))
                tasks.create_task(self._each(COUNT_S, self._count))
        finally:
            loop.remove_reader(self._socket)
        await self._finish()

    async def _each(self, seconds: float, step: Callable[[], Awaitable[None]]) -> None:
        while not self._stopping.is_set():
            await step()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)

    def _read(self) -> bool:
        """Takes what is there, up to a limit; whether that was all."""
        now_s = time.time()
        for _ in range(READS_AT_ONCE):
            try:
                sent = self._socket.recv(LIMIT_BYTES + 1)
            except BlockingIOError:
                return True
            self._door.take(sent, now_s=now_s)
        return False

    # --- look-ups --------------------------------------------------------------------------------

    async def _look(self) -> None:
        for question in self._door.questions(now_s=time.time()):
            task = asyncio.create_task(self._answer(question))
            self._looking.add(task)
            task.add_done_callback(self._looking.discard)

    async def _answer(self, question: Question) -> None:
        loop = asyncio.get_running_loop()
        try:
            sender = await loop.run_in_executor(self._lookers, self._look_up, question)
        except Exception as error:  # noqa: BLE001  # one operator's trouble closes the door to no other
            logs.fault(log, error, "operator_not_looked_up", operator=question.operator[:100])
            self._door.fail(question.operator, now_s=time.time())
        else:
            self._door.settle(question.operator, sender, now_s=time.time())

    # --- the stream ------------------------------------------------------------------------------

    async def _send(self) -> None:
        """Sends what there is; what the stream does not take is kept for the next time."""
        loop = asyncio.get_running_loop()
        batches = self._door.batches(now_s=time.time())
        for place, (at, batch) in enumerate(batches):
            try:
                await loop.run_in_executor(self._senders, self._accept, batch, at)
            except Unavailable as error:
                log.warning("positions wait for the stream: %s", error.__cause__ or error)
                self._door.put_back(batches[place:], now_s=time.time())
                return
            self._door.sent(Batch(at, batch))

    # --- counts ----------------------------------------------------------------------------------

    async def _count(self) -> None:
        lost = listener.lost(self._socket)
        self._door.lost_in_kernel(lost - self._lost)
        self._lost = lost
        counts, refused = self._door.counts(), self._door.refused(limit=REFUSED_SHOWN)

        def tell() -> None:
            metrics.emit({"door": "udp"}, counts=counts)
            for operator, reason, datagrams in refused:
                log.warning("%s: %d datagrams refused: %s", operator, datagrams, reason)

        # Standard output may be a pipe that is full.
        await asyncio.get_running_loop().run_in_executor(self._counters, tell)

    # --- the end ---------------------------------------------------------------------------------

    async def _finish(self) -> None:
        reading_s = time.monotonic() + LAST_READING_S
        while not self._read() and time.monotonic() < reading_s:
            pass
        deadline_s = time.monotonic() + LAST_TRIES_S
        while True:
            await self._look()
            await self._send()
            if not (self._door.waiting or self._looking) or time.monotonic() > deadline_s:
                break
            await asyncio.sleep(LOOK_S)
        await self._count()
        if left := self._door.waiting:
            log.error("the door closes with %d positions that could not be sent", left)
        for threads in (self._lookers, self._senders, self._counters):
            threads.shutdown(wait=False, cancel_futures=True)


async def answer_health(request: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
    """Health check for a load balancer: HTTP, or merely an accepted connection."""
    with contextlib.suppress(
        TimeoutError, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
    ):
        await asyncio.wait_for(request.readuntil(b"\r\n\r\n"), HEALTH_S)
        answer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n")
        await answer.drain()
    answer.close()


async def _serve(where: socket.socket, *, host: str, health_port: int | None) -> None:
    gateway = Gateway(where, new_door(now_s=time.time()))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, gateway.stop)
    if health_port is None:
        await gateway.run()
        return
    async with await asyncio.start_server(answer_health, host, health_port):
        await gateway.run()


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m udp_gateway.gateway", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int, help="UDP port to listen on")
    where.add_argument("--fd", type=int, help="an inherited socket that is bound already")
    parser.add_argument("--health-port", type=int, help="TCP port that answers a load balancer")
    return parser.parse_args(argv)


@contextlib.contextmanager
def _logging() -> Iterator[None]:
    """Logging in a thread of its own, for standard error may be a pipe that is full."""
    waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    written = logging.StreamHandler()
    written.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    writer = logging.handlers.QueueListener(waiting, written)
    handler = logging.handlers.QueueHandler(waiting)
    root = logging.getLogger()
    root.addHandler(handler)
    logging.getLogger("maraude").setLevel(logging.INFO)
    writer.start()
    try:
        yield
    finally:
        writer.stop()
        root.removeHandler(handler)


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM; the exit code."""
    args = _arguments(argv)
    with _logging():
        return _run(args)


def _run(args: argparse.Namespace) -> int:
    try:
        warm_up()
        where = (
            listener.listen(args.host, args.port)
            if args.fd is None
            else socket.socket(fileno=args.fd)
        )
    except (BadSetting, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    where.settimeout(0)  # an inherited socket does not know that it must not wait
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()  # what is there stays: a collection need not look at it, and the door stands still for less
    host, port = where.getsockname()[:2]
    log.info("datagrams to %s:%d, buffer of %d bytes", host, port, listener.buffer_bytes(where))
    with where:
        asyncio.run(_serve(where, host=args.host, health_port=args.health_port))
    return 0


if __name__ == "__main__":
    sys.exit(main())
