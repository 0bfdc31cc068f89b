"""Bytes that anybody may send, or that a broken writer left: read, or refused by name, and nothing else."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from chalicelib.positions import codec
from chalicelib.registry.rules import TaxiStatus
from chalicelib.stats.searches import codec as searches
from ops.udp import datagram
from tests.stats.searching import some_searches

# As many for each decoder as `make abuse` sends inputs to the operations.
INPUTS = int(os.environ.get("MARAUDE_ABUSE_INPUTS", "300"))
SEED = int(os.environ.get("MARAUDE_ABUSE_SEED", "5"))

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DATAGRAM = json.dumps(
    {
        "timestamp": 1795737600,
        "operator": "operateur",
        "taxi": "aaaaaaa",
        "lat": 48.86,
        "lon": "2,35",
        "device": "phone",
        "status": "free",
        "version": "2",
        "hash": "0" * 40,
    }
).encode()
REPORT = codec.pack_report(codec.tick(NOON), [(7, 488600000, 23500000), (8, -1, 1)])
ENTRIES = codec.pack_entries([(codec.head(7, TaxiStatus.FREE, 150), 488600000, 23500000, 5, 4)])
SEARCHES = searches.pack(some_searches(3))
ODD = (
    b"\0",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"[" * 2000,
    b"{" * 2000,
    b'"',
    b"\\ud800",
    b"1e999",
    b"-",
)


@st.composite
def spoilt(draw: Callable[[Any], Any], good: bytes) -> bytes:
    """Bytes that were good, and were cut, doubled, overwritten or turned in a few places."""
    made = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(made)))
        end = min(len(made), place + draw(st.integers(0, 8)))
        deed = draw(st.sampled_from(["cut", "double", "odd", "flip", "bytes"]))
        if deed == "cut":
            del made[place:end]
        elif deed == "double":
            made[place:place] = made[place:end]
        elif deed == "odd":
            made[place:end] = draw(st.sampled_from(ODD))
        elif deed == "flip" and place < len(made):
            made[place] ^= 1 << draw(st.integers(0, 7))
        else:
            made[place:end] = draw(st.binary(max_size=8))
    return bytes(made)


def entries(packed: bytes) -> None:
    list(codec.unpack_entries(packed))


@pytest.mark.parametrize(
    ("decode", "good", "refusal"),
    [
        pytest.param(datagram.read, DATAGRAM, datagram.Unreadable, id="datagram"),
        pytest.param(codec.unpack_report, REPORT, codec.Unreadable, id="report of positions"),
        pytest.param(entries, ENTRIES, codec.Unreadable, id="cell"),
        pytest.param(searches.unpack, SEARCHES, searches.Unreadable, id="report of searches"),
    ],
)
def test_a_decoder_reads_or_refuses_whatever_the_bytes(
    decode: Callable[[bytes], object], good: bytes, refusal: type[Exception]
) -> None:
    outcomes = {"read": 0, "refused": 0}

    @seed(SEED)
    @settings(
        max_examples=INPUTS, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(sent=spoilt(good) | st.binary(max_size=80))
    def attack(sent: bytes) -> None:
        try:
            decode(sent)
        except refusal:
            outcomes["refused"] += 1
        else:
            outcomes["read"] += 1

    decode(good)
    attack()
    for deep in (b"[" * 3001, b'{"deep":' + b"[" * 3000, b'{"deep":' * 500):
        with pytest.raises(refusal):
            decode(deep)
    assert all(outcomes.values()), outcomes


def inflated(text: bytes) -> bytes:
    import zlib  # noqa: PLC0415

    return zlib.compress(text)


@seed(SEED)
@settings(max_examples=INPUTS, deadline=None, database=None)
@given(text=spoilt(json.dumps([1, [["75056", 1, 1, 1, 1, 1.0, "u09tvw"]]]).encode()))
def test_what_is_in_a_report_of_searches_is_checked_behind_its_compression(text: bytes) -> None:
    try:
        searches.unpack(inflated(text))
    except searches.Unreadable:
        return


def test_a_report_of_searches_that_swells_is_refused_before_it_fills_the_memory() -> None:
    with pytest.raises(searches.Unreadable, match="too large"):
        searches.unpack(inflated(b" " * 50_000_000))
