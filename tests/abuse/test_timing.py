"""Whether the time that a key check takes tells how much of a key was right: measured, by rank tests.

Wrong keys of four kinds come in turn, in another order each time: strange ones, and the right one with
its first, middle or last character changed. For each two kinds, `z` says by how many standard deviations
the ranks of their times are apart (Mann and Whitney 1947); beyond `LIMIT` something leaks. The same is
measured of a check that does leak, which must be found. `make abuse` measures, on a machine to itself.
"""

import gc
import itertools
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from chalicelib.foundation.aws import clients
from chalicelib.foundation.errors import Unidentified
from chalicelib.taxis.access import service
from tests import factories
from tests.abuse.decoders import DECODERS
from tests.conftest import empty_registry
from udp_gateway import datagram

LIMIT = 5.0  # of |z|; of two that are alike, one pair in two millions is so far apart
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ALPHABET = "0123456789abcdef"

CHECKS = int(os.environ.get("MARAUDE_ABUSE_CHECKS", "20000"))  # of each kind

Times = NDArray[np.int64]
Check = Callable[[str], object]
Prepared = Callable[[], AbstractContextManager[tuple[Check, str]]]


def wrong(right: str, chance: random.Random) -> dict[str, str]:
    """One wrong key of each kind; all are as long as the right one."""

    def changed(place: int) -> str:
        other = chance.choice([one for one in ALPHABET if one != right[place]])
        return right[:place] + other + right[place + 1 :]

    return {
        "strange": "".join(chance.choices(ALPHABET, k=len(right))),
        "first": changed(0),
        "middle": changed(len(right) // 2),
        "last": changed(len(right) - 1),
    }


def measured(check: Check, right: str) -> Mapping[str, Times]:
    """Nanoseconds of each check, by kind of key."""
    chance = random.Random(1)
    taken: dict[str, list[int]] = {kind: [] for kind in wrong(right, chance)}
    gc.disable()
    try:
        for number in range(CHECKS + CHECKS // 20):
            keys = list(wrong(right, chance).items())
            chance.shuffle(keys)
            for kind, key in keys:
                began = time.perf_counter_ns()
                check(key)
                ended = time.perf_counter_ns()
                if number >= CHECKS // 20:  # the first ones warm up
                    taken[kind].append(ended - began)
    finally:
        gc.enable()
    return {kind: np.array(times) for kind, times in taken.items()}


def z(one: Times, other: Times) -> float:
    """By how many standard deviations the sum of ranks is not what chance would have it."""
    both = np.concatenate([one, other])
    values, place, counts = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    n, m = len(one), len(other)
    ties = float(((counts.astype(float) ** 3) - counts).sum()) if len(values) else 0.0
    size = n + m
    deviation = (n * m / 12 * ((size + 1) - ties / (size * (size - 1)))) ** 0.5
    return float((ranks[:n].sum() - n * (size + 1) / 2) / deviation) if deviation else 0.0


def farthest(taken: Mapping[str, Times]) -> float:
    """The largest |z| of any two kinds."""
    return max(abs(z(taken[one], taken[other])) for one, other in itertools.combinations(taken, 2))


def leaking(right: str, slowness: int) -> Check:
    """A comparison that ends at the first wrong character, and looks at each so many times.

    Looked at once, a key of the API differs by 1 µs of the 200 that the client of DynamoDB takes.
    """
    return lambda key: all(
        one == other for one, other in zip(key, right, strict=True) for _ in range(slowness)
    )


class _Answered:
    status_code = 200


def _nothing(**_: object) -> Any:
    """An answer to BatchGetItem, in place of the one that would be asked for."""
    return _Answered, {"Responses": {}}


@contextmanager
def api_key_check() -> Iterator[tuple[Check, str]]:
    """The registry's check of `X-Api-Key`; DynamoDB, which knows none of the keys, answers at once."""
    with empty_registry():
        _, right = factories.an_account("operator")
        clients.dynamodb().meta.events.register("before-call.dynamodb.BatchGetItem", _nothing)

        def check(key: str) -> None:
            with suppress(Unidentified):
                service.recognize(key=key, logas=None, now=NOON)

        yield check, right


@contextmanager
def datagram_check() -> Iterator[tuple[Check, str]]:
    """The UDP door's check of a datagram's hash, which the sender may choose."""
    read = datagram.read(DECODERS["datagram"].good[0])
    right = read.sign(read.signed[0], b"key")
    yield lambda sent: read._replace(signature=sent.encode()).is_signed_with(b"key"), right


@pytest.mark.skipif("MARAUDE_ABUSE_INPUTS" not in os.environ, reason="make abuse measures it")
@pytest.mark.parametrize(("prepared", "slowness"), [(api_key_check, 10), (datagram_check, 1)])
def test_the_time_of_a_check_does_not_tell_how_much_of_a_key_is_right(
    prepared: Prepared, slowness: int
) -> None:
    with prepared() as (check, right):
        slow = leaking(right, slowness)
        taken = measured(check, right)
        known = measured(lambda key: (check(key), slow(key)), right)

    apart, leak = farthest(taken), farthest(known)
    medians = ", ".join(f"{kind} {np.median(times) / 1e3:.2f}" for kind, times in taken.items())
    print(f"\n{prepared.__name__}: {CHECKS:,} checks of each kind; medians in µs: {medians}")
    print(f"{prepared.__name__}: z = {apart:.1f}; with a comparison that leaks z = {leak:.1f}")
    assert apart < LIMIT < leak


def test_ranks_that_are_alike_are_near_and_others_are_far() -> None:
    chance = np.random.default_rng(1)
    times = chance.integers(100, 200, 2000)

    assert abs(z(times, chance.integers(100, 200, 2000))) < 3
    assert z(times + 5, times) > 4
    assert z(times, times + 5) < -4
    assert z(np.ones(9, int), np.ones(9, int)) == 0
