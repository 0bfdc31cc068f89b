"""Throw-away taxi ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.taxis.registry import temporary_ids

KEY, OLD_KEY = b"k" * 32, b"o" * 32
NOW_S = 1_790_000_000
TAXI = "abcdefg"


def an_id(
    taxi_id: str = TAXI, *, account_id: int = 7, key: bytes = KEY, nonce: bytes = b"\1" * 6
) -> str:
    return temporary_ids.issue(taxi_id, key=key, account_id=account_id, issued_s=NOW_S, nonce=nonce)


def taxi_of(
    temporary: str,
    *,
    account_id: int = 7,
    now_s: int = NOW_S,
    keys: tuple[bytes, ...] = (KEY, OLD_KEY),
) -> str | None:
    return temporary_ids.resolve(
        temporary, keys=keys, account_id=account_id, now_s=now_s, good_for_s=3600
    )


def test_the_account_that_searched_reads_its_id_back() -> None:
    assert taxi_of(an_id()) == TAXI


def test_another_account_cannot_read_it() -> None:
    assert taxi_of(an_id(), account_id=8) is None


@pytest.mark.parametrize(("after_s", "good"), [(3600, True), (3601, False), (-1, False)])
def test_it_is_good_for_an_hour(after_s: int, *, good: bool) -> None:
    assert (taxi_of(an_id(), now_s=NOW_S + after_s) == TAXI) is good


def test_it_survives_a_rotation_of_the_key() -> None:
    assert taxi_of(an_id(key=OLD_KEY)) == TAXI


def test_a_key_that_was_withdrawn_opens_nothing() -> None:
    assert taxi_of(an_id(key=OLD_KEY), keys=(KEY,)) is None


def test_two_searches_show_one_taxi_under_ids_that_share_nothing_but_the_second() -> None:
    one, other = an_id(nonce=b"\1" * 6), an_id(nonce=b"\2" * 6)

    assert one[:5] == other[:5]
    assert one[14:] != other[14:]


@given(place=st.integers(0, 35), letter=st.sampled_from("ABCDwxyz0189-_"))
def test_a_changed_character_makes_it_useless(place: int, letter: str) -> None:
    good = an_id()
    changed = good[:place] + letter + good[place + 1 :]

    assert (taxi_of(changed) is None) is (changed != good)


@given(st.text(max_size=40))
def test_anything_else_is_no_id(text: str) -> None:
    assert taxi_of(text) is None
