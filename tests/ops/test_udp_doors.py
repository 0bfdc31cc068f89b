"""Several doors on one stream, running: what is sent again, or comes late, by another of them, or by one that began anew."""

import asyncio
import threading
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime

import pytest

from chalicelib.foundation import clock
from chalicelib.taxis.fleets import store as fleet
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.positions.accept import accept
from chalicelib.taxis.positions.rules import Availability
from chalicelib.taxis.vocabulary import TaxiStatus
from tests import factories
from tests.ops.datagrams import a_signed_datagram
from tests.ops.udp_gateways import Opened, eventually, records, running

pytestmark = pytest.mark.usefixtures("store")

TAXI = "abcdefg"


@pytest.fixture
def key() -> str:
    """That of an operator with a taxi."""
    account, key = factories.an_account()
    fleet.admit(account.owner, TAXI)
    return key


def in_stream() -> int:
    """How many positions the stream has."""
    return sum(len(report.taxis) for report in records())


async def let_in(opened: Opened, sent: bytes) -> None:
    """Sends what the door takes, and waits until it is in the stream."""
    before = in_stream()
    opened.client.send(sent)
    await eventually(lambda: in_stream() > before)


def shown() -> tuple[float, int]:
    """Latitude and second of the taxi's last position, once everything in the stream is stored."""
    now = clock.now()
    free = Availability(TaxiStatus.FREE, None, now)
    positions.store_window(records(), availability_of=lambda ids: dict.fromkeys(ids, free), now=now)
    last = positions.where_is([TAXI], now=now)[TAXI]
    return last.point.lat, int(last.seen_at.timestamp())


def test_a_datagram_that_two_doors_take_counts_once_in_the_end(key: str) -> None:
    sent_s = int(time.time())
    sent = a_signed_datagram(key, timestamp=sent_s, lat=48.1)

    async def main() -> None:
        async with running() as one, running() as other:
            await let_in(one, sent)
            await asyncio.sleep(1.1)
            await let_in(other, sent)

    asyncio.run(main())

    # Twice the same, for its second is the datagram's and not that of a door.
    first, again = records()
    assert first == again
    assert shown() == (48.1, sent_s)


@pytest.mark.parametrize("age_s", [6, 110, 280])
def test_what_is_sent_again_after_minutes_to_another_door_or_a_new_one_moves_no_taxi(
    key: str, age_s: int
) -> None:
    now_s = int(time.time())
    # Squares and cells apart: the taxi has driven some hundred kilometres in between.
    kept = a_signed_datagram(key, timestamp=now_s - age_s, lat=48.1)
    newest = a_signed_datagram(key, timestamp=now_s - age_s + 5, lat=49.1)

    async def main() -> None:
        async with running() as one:
            await let_in(one, kept)
            await let_in(one, newest)
            assert shown() == (49.1, now_s - age_s + 5)
            async with running() as other:
                await let_in(other, kept)
        async with running() as new:
            await let_in(new, kept)

    asyncio.run(main())

    assert in_stream() == 4
    assert shown() == (49.1, now_s - age_s + 5)


def test_what_one_door_could_not_send_for_a_while_is_older_than_what_another_sent_since(
    key: str,
) -> None:
    now_s = int(time.time())
    goes_on = threading.Event()

    def accept_later(batch: Sequence[tuple[str, int, int]], at: datetime) -> None:
        assert goes_on.wait(30)
        accept(batch, now=at)

    async def main() -> None:
        async with running(accept=accept_later) as slow, running() as quick:
            slow.client.send(a_signed_datagram(key, timestamp=now_s - 10, lat=48.1))
            await asyncio.sleep(1.5)
            await let_in(quick, a_signed_datagram(key, timestamp=now_s - 5, lat=48.2))
            goes_on.set()
            await eventually(lambda: in_stream() == 2)

    asyncio.run(main())

    assert shown() == (48.2, now_s - 5)


def test_another_door_takes_a_taxi_back_for_a_clock_that_is_ahead_until_its_next_datagram(
    key: str,
) -> None:
    now_s = time.time()

    async def main() -> None:
        async with AsyncExitStack() as doors:
            one, other = [await doors.enter_async_context(running()) for _ in range(2)]
            ahead = a_signed_datagram(key, timestamp=now_s + 30, lat=48.1)
            await let_in(one, ahead)
            await asyncio.sleep(1.1)
            await let_in(one, a_signed_datagram(key, timestamp=now_s + 31, lat=48.2))
            assert shown()[0] == 48.2

            await asyncio.sleep(1.1)
            await let_in(other, ahead)
            assert shown()[0] == 48.1
            await asyncio.sleep(1.1)
            await let_in(one, a_signed_datagram(key, timestamp=now_s + 33, lat=48.3))

            # Each door has it once: it cannot be sent a third time.
            for door in (one, other):
                door.client.send(ahead)
            await asyncio.sleep(1.5)

    asyncio.run(main())

    assert in_stream() == 4
    assert shown()[0] == 48.3
