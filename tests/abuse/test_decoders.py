"""Bytes that anybody may send, or that a broken writer left: read, or refused by name, and nothing else."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from chalicelib.taxis.search import rules as searches
from tests.abuse.decoders import DECODERS

# `make abuse` has more for each decoder, but no more than this: atheris (`fuzz.py`) sends millions.
INPUTS = min(20_000, int(os.environ.get("MARAUDE_ABUSE_INPUTS", "300")))
SEED = int(os.environ.get("MARAUDE_ABUSE_SEED", "5"))

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


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_reads_or_refuses_whatever_the_bytes(name: str) -> None:
    decoder = DECODERS[name]
    outcomes = {"read": 0, "refused": 0}

    @seed(SEED)
    @settings(
        max_examples=INPUTS, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(sent=st.sampled_from(decoder.good).flatmap(spoilt) | st.binary(max_size=80))
    def attack(sent: bytes) -> None:
        try:
            decoder.decode(sent)
        except decoder.refusal:
            outcomes["refused"] += 1
        else:
            outcomes["read"] += 1

    for good in decoder.good:
        decoder.decode(good)
    attack()
    for deep in (b"[" * 3001, b'{"deep":' + b"[" * 3000, b'{"deep":' * 500):
        with pytest.raises(decoder.refusal):
            decoder.decode(deep)
    assert all(outcomes.values()), outcomes


def inflated(text: bytes) -> bytes:
    import zlib  # noqa: PLC0415

    return zlib.compress(text)


def test_a_report_of_searches_that_swells_is_refused_before_it_fills_the_memory() -> None:
    with pytest.raises(searches.Unreadable, match="too large"):
        searches.unpack(inflated(b" " * 50_000_000))
