"""The UDP door's process on a real socket, with the registry and the stream in this process (moto)."""

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.foundation import clock
from chalicelib.taxis.fleets import store as fleet
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.positions.accept import StreamUnavailable, accept
from chalicelib.taxis.positions.rules import Availability, LastPosition
from chalicelib.taxis.vocabulary import Role, TaxiStatus
from ops.cli import administration
from tests import factories
from tests.ops.datagrams import a_datagram, a_signed_datagram
from tests.ops.udp_gateways import LOOPBACK, eventually, records, running, streamed
from udp_gateway import gateway as udp_gateway
from udp_gateway import listener, senders
from udp_gateway.door import Door, Question
from udp_gateway.gateway import Gateway
from udp_gateway.senders import Sender

pytestmark = pytest.mark.usefixtures("store")


def counted(printed: str) -> dict[str, int]:
    """The sums of all lines of counts, without what is nought."""
    sums: dict[str, int] = {}
    for line in map(json.loads, printed.splitlines()):
        for name in line:
            if re.match(r"received|accepted|superseded|dropped_", name) and line[name]:
                sums[name] = sums.get(name, 0) + line[name]
    return sums


def an_operator_with_a_taxi(email: str = "operator", taxi_id: str = "abcdefg") -> str:
    """Its key."""
    account, key = factories.an_account(email)
    fleet.admit(account.owner, taxi_id)
    return key


def test_a_signed_datagram_of_an_own_taxi_is_in_the_stream_as_of_now(
    capsys: pytest.CaptureFixture[str],
) -> None:
    key = an_operator_with_a_taxi()
    began_s = time.time()

    async def main() -> None:
        async with running() as opened:
            opened.send(key, lat="48,8601", lon="2.350")
            await eventually(lambda: "abcdefg" in streamed())

    asyncio.run(main())

    [(seen_s, lat_e7)] = streamed().values()
    assert lat_e7 == 488601000
    assert began_s - 1.1 <= seen_s <= time.time()
    assert counted(capsys.readouterr().out) == {"received": 1, "accepted": 1}


def test_a_newer_signature_opens_the_door_too(capsys: pytest.CaptureFixture[str]) -> None:
    key = an_operator_with_a_taxi()

    async def main() -> None:
        async with running() as opened:
            opened.client.send(a_signed_datagram("other key", timestamp=time.time(), lat=48.1))
            opened.client.send(a_signed_datagram(key, timestamp=time.time()))
            await eventually(lambda: "abcdefg" in streamed())

    asyncio.run(main())

    assert [lat_e7 for _, lat_e7 in streamed().values()] == [488601000]
    assert counted(capsys.readouterr().out)["accepted"] == 1


def test_what_is_sent_again_to_another_door_moves_no_taxi() -> None:
    noon = datetime(2026, 11, 27, 12, tzinfo=UTC)
    noon_s = noon.timestamp()
    doors = []
    for _ in range(2):
        door = Door(renew_s=300, stale_s=300, late_s=120, now_s=noon_s)
        door.settle("operator", Sender((b"key",), frozenset({"abcdefg"})), now_s=noon_s)
        doors.append(door)
    first, then = (
        a_signed_datagram(timestamp=noon_s + after_s, lat=lat)
        for after_s, lat in ((0.5, 48.1), (5.5, 48.2))
    )

    def come(door: Door, sent: bytes, after_s: float) -> LastPosition:
        """Where the taxi is, once the datagram went through a door, the stream and the cells."""
        now_s = noon_s + after_s
        door.take(sent, now_s=now_s)
        for batch in door.batches(now_s=now_s):
            accept(batch.positions, now=batch.at)
        now = noon + timedelta(seconds=after_s)
        free = Availability(TaxiStatus.FREE, None, noon)
        positions.store_window(
            records(), availability_of=lambda ids: dict.fromkeys(ids, free), now=now
        )
        return positions.where_is(["abcdefg"], now=now)["abcdefg"]

    assert come(doors[0], first, 0.6).point.lat == 48.1
    newest = come(doors[0], then, 5.6)
    assert newest.point.lat == 48.2
    # The other door has seen neither, and takes both.
    assert come(doors[1], first, 30) == newest
    assert come(doors[1], then, 40) == newest
    assert [door.counts()["received"] for door in doors] == [2, 2]


def test_what_nobody_may_say_is_dropped_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    key = an_operator_with_a_taxi()
    other_key = an_operator_with_a_taxi("other", "ooooooo")
    suspended_key = an_operator_with_a_taxi("suspended", "sssssss")
    administration.set_active("suspended", active=False)
    moteur, moteur_key = factories.an_account("app", Role.MOTEUR)
    fleet.admit(moteur.owner, "mmmmmmm")

    async def main() -> None:
        async with running() as opened:
            opened.send(other_key)
            opened.send(key, taxi="ooooooo")
            opened.send(key, taxi="no taxi's id")
            opened.send(suspended_key, operator="suspended", taxi="sssssss")
            opened.send(moteur_key, operator="app", taxi="mmmmmmm")
            opened.send(key, operator="x" * 2500)
            opened.send(key)
            await eventually(lambda: "abcdefg" in streamed())

    asyncio.run(main())

    assert list(streamed()) == ["abcdefg"]
    assert counted(capsys.readouterr().out) == {
        "received": 7,
        "accepted": 1,
        "dropped_bad_hash": 1,
        "dropped_not_owner": 2,
        "dropped_unknown_operator": 3,
    }


def test_an_admin_may_send_as_over_http() -> None:
    account, key = factories.an_account("root", Role.ADMIN)
    fleet.admit(account.owner, "abcdefg")

    async def main() -> None:
        async with running() as opened:
            opened.send(key, operator="root")
            await eventually(lambda: "abcdefg" in streamed())

    asyncio.run(main())


def test_a_taxi_of_a_second_ago_and_a_new_key_are_known_and_an_old_one_while_it_opens() -> None:
    account, key = factories.an_account()
    fleet.admit(account.owner, "abcdefg")

    async def main() -> None:
        async with running() as opened:
            opened.send(key)
            await eventually(lambda: "abcdefg" in streamed())

            fleet.admit(account.owner, "bcdefgh")
            opened.send(key, taxi="bcdefgh")
            await eventually(lambda: "bcdefgh" in streamed())

            day = timedelta(days=1)
            _, new_key = administration.rotate_key("operator", now=clock.now(), overlap=day)
            opened.send(new_key, lat=48.8)
            await eventually(lambda: streamed()["abcdefg"][1] == 488000000)
            opened.send(key, lat=48.85)
            await eventually(lambda: streamed()["abcdefg"][1] == 488500000)

            _, new_key = administration.rotate_key("operator", now=clock.now())
            opened.send(new_key, lat=48.9)
            await eventually(lambda: streamed()["abcdefg"][1] == 489000000)

            opened.send(key, taxi="bcdefgh", lat=48.9)

    asyncio.run(main())

    assert streamed()["bcdefgh"][1] == 488601000


def test_a_stream_that_is_down_gets_the_newest_positions_when_it_is_up_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    key = an_operator_with_a_taxi()
    sent: list[list[tuple[str, int, int]]] = []
    down = True

    def accept(batch: Sequence[tuple[str, int, int]], _: datetime) -> None:
        if down:
            raise StreamUnavailable
        sent.append(list(batch))

    async def main() -> None:
        nonlocal down
        async with running(accept=accept) as opened:
            for lat in (48.1, 48.2):
                opened.send(key, lat=lat)
                await asyncio.sleep(1.2)
            assert sent == []

            down = False
            await eventually(lambda: bool(sent))

    asyncio.run(main())

    assert sent == [[("abcdefg", 23501000, 482000000)]]
    assert counted(capsys.readouterr().out) == {"received": 2, "superseded": 1, "accepted": 1}


def test_a_registry_in_trouble_closes_the_door_to_nobody_for_good() -> None:
    key = an_operator_with_a_taxi()
    failures = iter([OSError("no network")])

    def look_up(question: Question) -> Sender | None:
        for failure in failures:
            raise failure
        return senders.look_up(question.operator, question.waiting)

    async def main() -> None:
        async with running(look_up=look_up) as opened:
            opened.send(key)
            await asyncio.sleep(0.5)
            assert streamed() == {}

            opened.send(key)
            await eventually(lambda: "abcdefg" in streamed())

    asyncio.run(main())


def test_a_hanging_stream_and_registry_hold_nobody_up(capsys: pytest.CaptureFixture[str]) -> None:
    key = an_operator_with_a_taxi()
    over = threading.Event()
    ended_before: list[bool] = []

    def hang() -> None:
        ended_before.append(over.wait(30))

    def accept(_: Sequence[tuple[str, int, int]], __: datetime) -> None:
        hang()

    def look_up(question: Question) -> Sender | None:
        if question.operator != "operator":
            hang()
        return senders.look_up(question.operator, question.waiting)

    async def main() -> None:
        async with running(accept=accept, look_up=look_up) as opened:
            opened.send(key)
            opened.send(key, operator="slow")
            for _ in range(20):
                await asyncio.sleep(0.1)
                opened.send(key)
            over.set()

    asyncio.run(main())

    assert ended_before
    assert all(ended_before)
    assert counted(capsys.readouterr().out)["received"] == 22


def test_what_came_before_the_end_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    key = an_operator_with_a_taxi()

    async def main() -> None:
        async with running() as opened:
            await asyncio.sleep(0)  # it has begun, and has not read yet
            opened.send(key)

    asyncio.run(main())

    assert list(streamed()) == ["abcdefg"]
    assert counted(capsys.readouterr().out) == {"received": 1, "accepted": 1}


def test_what_waits_in_the_kernel_at_the_end_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    with listener.listen(LOOPBACK, 0) as where:
        if listener.buffer_bytes(where) < 2_000_000:
            pytest.skip("the kernel's buffer holds too few datagrams here (net.core.rmem_max)")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(where.getsockname())
            for _ in range(5 * udp_gateway.READS_AT_ONCE):
                client.send(b"{")

        async def main() -> None:
            gateway = Gateway(where, udp_gateway.new_door(now_s=time.time()))
            gateway.stop()
            await gateway.run()

        asyncio.run(main())

    assert counted(capsys.readouterr().out)["received"] == 5 * udp_gateway.READS_AT_ONCE


def test_a_buffer_that_overflows_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    with listener.listen(LOOPBACK, 0) as where:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            where.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            client.connect(where.getsockname())
            for _ in range(200):
                client.send(b"{")

        async def main() -> None:
            gateway = Gateway(where, udp_gateway.new_door(now_s=time.time()))
            gateway.stop()
            await gateway.run()

        asyncio.run(main())

    found = counted(capsys.readouterr().out)
    assert found["dropped_kernel"] > 0
    assert found["received"] + found["dropped_kernel"] == 200


def test_a_flood_does_not_keep_the_door_from_closing() -> None:
    async def main() -> float:
        async with running() as opened:
            sent = a_datagram(timestamp=time.time())
            enough = threading.Event()

            def flood() -> None:
                while not enough.is_set():
                    opened.client.send(sent)

            flooders = [threading.Thread(target=flood) for _ in range(3)]
            for flooder in flooders:
                flooder.start()
            await asyncio.sleep(0.3)
            began_s = time.monotonic()
            opened.gateway.stop()
            stuck = threading.Timer(30, enough.set)
            stuck.start()
            await opened.task
            stuck.cancel()
            took_s = time.monotonic() - began_s
            enough.set()
            for flooder in flooders:
                flooder.join()
        return took_s

    assert asyncio.run(main()) < udp_gateway.LAST_READING_S + udp_gateway.LAST_TRIES_S + 15


def test_a_load_balancer_is_answered_while_the_door_is_open() -> None:
    async def main() -> bytes:
        server = await asyncio.start_server(udp_gateway.answer_health, LOOPBACK, 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = await reader.read()
            writer.close()
        return answer

    assert asyncio.run(main()).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_check_that_only_connects_is_fine() -> None:
    async def main() -> bytes:
        server = await asyncio.start_server(udp_gateway.answer_health, LOOPBACK, 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
            writer.write_eof()
            answer = await reader.read()
            writer.close()
        return answer

    assert asyncio.run(main()) == b""


def test_an_address_in_use_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with listener.listen(LOOPBACK, 0) as taken:
        code = udp_gateway.main(["--port", str(taken.getsockname()[1])])

    assert code == 2
    assert "Address already in use" in capsys.readouterr().err
