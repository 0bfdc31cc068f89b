"""Whose turn it is at an operator's server, and until when a hail waits for it."""

import heapq
from collections.abc import Iterator
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.taxis.hails import shares
from chalicelib.taxis.hails.rules import Status
from chalicelib.taxis.hails.shares import Call
from tests.taxis.hails.hail_factories import NOON, a_hail

APP, OTHER, THIRD = 1, 2, 3
SECOND = timedelta(seconds=1)


def under_way(**calls: int) -> list[Call]:
    """So many calls of each moteur, by its number: `under_way(m1=3, m2=1)`."""
    lanes = count()
    return [
        Call(f"call_{next(lanes)}", int(moteur.removeprefix("m")))
        for moteur, held in calls.items()
        for _ in range(held)
    ]


@pytest.mark.parametrize(
    ("calls", "others_may", "lanes"),
    [
        ({}, True, 10),
        ({"m1": 7}, True, 10),
        ({"m1": 8}, False, 10),
        ({"m1": 3, "m2": 1}, True, 10),
        ({"m1": 4, "m2": 1}, False, 10),
        ({"m1": 2, "m2": 1, "m3": 1}, True, 10),
        ({"m1": 3, "m2": 1, "m3": 1}, False, 10),
        ({"m2": 9}, True, 10),
        ({"m2": 10}, False, 10),
        ({f"m{number}": 1 for number in range(1, 10)}, False, 10),
        ({"m1": 1}, False, 1),
        ({"m1": 1}, True, 2),
        ({}, True, 1),
    ],
)
def test_a_moteur_takes_a_lane_below_its_share(
    calls: dict[str, int], *, others_may: bool, lanes: int
) -> None:
    assert shares.may_call(under_way(**calls), APP, lanes=lanes) is others_may


@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), max_size=200), st.integers(1, 30))
def test_whatever_comes_lanes_are_never_overdrawn_and_a_new_moteur_waits_for_no_single_one(
    events: list[tuple[int, bool]], lanes: int
) -> None:
    held: list[Call] = []
    for moteur_id, ends in events:
        if ends:
            held = [call for call in held if call.moteur_id != moteur_id]
        elif shares.may_call(held, moteur_id, lanes=lanes):
            held.append(Call("call", moteur_id))
        assert len(held) <= lanes
        if lanes >= shares.KEPT_FOR_NEW and len({call.moteur_id for call in held}) == 1:
            assert shares.may_call(held, 7, lanes=lanes)


def waits_s(*, call_s: float, flood: float, others: int, each: float) -> tuple[list[float], int]:
    """A minute of hails a second of one app (`flood`) and of others (`each`): how long the others' waited.

    And how many of the others' failed.
    """
    held: list[Call] = []
    limit_s = 20.0  # the deadline of `received` less a call
    waited, failed = [], 0
    order = count()
    events: list[tuple[float, int, str, int, float]] = []

    def arrivals(rate: float) -> Iterator[float]:
        return (number / rate for number in range(int(60 * rate)))

    for moteur_id, rate in [(1, flood), *((2 + other, each) for other in range(others))]:
        for at in arrivals(rate):
            heapq.heappush(events, (at, next(order), "look", moteur_id, at))
    while events:
        at, _, what, moteur_id, born = heapq.heappop(events)
        if what == "end":
            held.remove(Call("call", moteur_id))
        elif at - born > limit_s:
            failed += moteur_id != 1
        elif shares.may_call(held, moteur_id, lanes=10):
            held.append(Call("call", moteur_id))
            waited += [at - born] if moteur_id != 1 else []
            heapq.heappush(events, (at + call_s, next(order), "end", moteur_id, born))
        else:
            again_s = shares.pause_s(timedelta(seconds=at - born))
            heapq.heappush(events, (at + again_s, next(order), "look", moteur_id, born))
    return waited, failed


@pytest.mark.parametrize(
    ("call_s", "others", "each"), [(2, 1, 0.73), (4, 1, 0.73), (4, 4, 0.18), (9, 1, 0.3)]
)
def test_a_flood_at_a_slow_operator_fails_no_hail_of_others(
    call_s: float, others: int, each: float
) -> None:
    """With one queue for all, half of them failed: 22 of 44 where a call takes 4 s."""
    waited, failed = waits_s(call_s=call_s, flood=5, others=others, each=each)

    assert failed == 0
    assert sorted(waited)[len(waited) // 2] <= 1
    assert max(waited) <= 2 * call_s


def test_the_wait_for_a_lane_is_not_lateness() -> None:
    hail, within = a_hail(), 10 * SECOND

    def late(*, waiting_since: float | None, now: float) -> bool:
        since = None if waiting_since is None else NOON + waiting_since * SECOND
        return shares.is_too_late(hail, waiting_since=since, now=NOON + now * SECOND, within=within)

    assert not late(waiting_since=None, now=10)
    assert late(waiting_since=None, now=10.1)
    assert not late(waiting_since=10, now=29)
    assert late(waiting_since=10.1, now=11)


def test_a_hail_that_waits_is_looked_at_less_often_the_longer_it_has_waited() -> None:
    waited_s = 0
    looks = [waited_s := waited_s + shares.pause_s(waited_s * SECOND) for _ in range(8)]

    assert looks == [1, 2, 3, 4, 6, 8, 11, 14]


def test_a_call_begins_only_where_it_ends_before_the_hails_own_deadline() -> None:
    hail, call = a_hail(), 10 * SECOND
    assert hail.deadline == NOON + 30 * SECOND

    assert shares.has_time_for(hail, call, now=NOON + 20 * SECOND)
    assert not shares.has_time_for(hail, call, now=NOON + 20.1 * SECOND)
    assert shares.has_time_for(a_hail(Status.FINISHED), call, now=NOON + 99 * SECOND)
