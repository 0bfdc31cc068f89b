from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.taxis.positions import codec
from chalicelib.taxis.positions.codec import Unreadable
from tests.taxis.positions.fleets import NOON

TAXIS = st.integers(0, codec.IDS - 1)
LATS = st.integers(-90 * 10**7, 90 * 10**7)
LNGS = st.integers(-180 * 10**7, 180 * 10**7)
TICKS = st.integers(0, codec.LAST_TICK)
HEADS = st.builds(
    codec.head, TAXIS, st.sampled_from(list(codec.STATUS_CODES)), st.integers(0, 0xFFFF)
)
ENTRIES = st.tuples(HEADS, LATS, LNGS, TICKS, TICKS)


@given(TAXIS)
def test_an_id_is_seven_characters_and_gives_its_number_back(taxi: int) -> None:
    text = codec.id_of(taxi)

    assert len(text) == 7
    assert codec.number_of(text) == taxi


@given(TAXIS, TAXIS)
def test_ids_sort_as_their_numbers_do(one: int, other: int) -> None:
    assert (codec.id_of(one) < codec.id_of(other)) == (one < other)


@pytest.mark.parametrize(
    "text", ["", "222222", "22222222", "2222220", "22 2222", "éé22222", "I" * 7]
)
def test_a_text_that_is_no_id_of_ours_has_no_number(text: str) -> None:
    assert codec.number_of(text) is None


def test_the_largest_id_leaves_the_other_bits_of_a_head_alone() -> None:
    assert codec.IDS - 1 <= codec.ID


@given(st.lists(ENTRIES, max_size=200))
def test_entries_come_back_as_they_were_packed_in_24_bytes_each(
    entries: list[codec.Entry],
) -> None:
    packed = codec.pack_entries(entries)

    assert len(packed) == 24 * len(entries)
    assert list(codec.unpack_entries(packed)) == entries


def test_a_cell_of_a_broken_length_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        codec.unpack_entries(bytes(25))


@given(TICKS, st.lists(st.tuples(TAXIS, LATS, LNGS), max_size=100))
def test_a_report_comes_back_as_it_was_packed(
    seen: int, positions: list[tuple[int, int, int]]
) -> None:
    packed = codec.pack_report(seen, positions)

    report = codec.unpack_report(packed)

    assert report.seen == seen
    assert list(zip(report.taxis, report.lats_e7, report.lngs_e7, strict=True)) == positions
    assert len(packed) == 5 + 14 * len(positions)


@given(st.binary(max_size=100) | st.binary(max_size=70).map(lambda tail: b"\x01" + tail))
def test_any_bytes_are_a_sound_report_or_unreadable(packed: bytes) -> None:
    try:
        report = codec.unpack_report(packed)
    except Unreadable:
        return
    assert all(0 <= taxi < codec.IDS for taxi in report.taxis)
    assert all(abs(lat_e7) <= 90 * 10**7 for lat_e7 in report.lats_e7)
    assert all(abs(lng_e7) <= 180 * 10**7 for lng_e7 in report.lngs_e7)


@pytest.mark.parametrize(
    ("taxi", "lat_e7", "lng_e7"),
    [(codec.IDS, 0, 0), (1, 90 * 10**7 + 1, 0), (1, 0, -180 * 10**7 - 1)],
)
def test_a_report_of_no_taxi_or_of_no_place_is_unreadable(
    taxi: int, lat_e7: int, lng_e7: int
) -> None:
    packed = codec.pack_report(1, [(2, 1, 1), (taxi, lat_e7, lng_e7)])

    with pytest.raises(Unreadable):
        codec.unpack_report(packed)


def test_a_report_of_another_version_is_unreadable() -> None:
    packed = b"\x03" + codec.pack_report(1, [(2, 1, 1)])[1:]

    with pytest.raises(Unreadable, match="version 3"):
        codec.unpack_report(packed)


@given(st.integers(0, 10**6))
def test_a_moment_falls_in_the_tick_that_begins_at_most_100_ms_before(milliseconds: int) -> None:
    moment = NOON + timedelta(milliseconds=milliseconds)

    assert timedelta(0) <= moment - codec.moment(codec.tick(moment)) < codec.TICK
    assert timedelta(0) <= codec.moment(codec.first_tick_from(moment)) - moment < codec.TICK


def test_times_beyond_what_four_bytes_hold_become_the_first_or_last_tick() -> None:
    assert codec.tick(codec.EPOCH - timedelta(days=1)) == 0
    assert codec.tick(codec.EPOCH + timedelta(days=36525)) == codec.LAST_TICK
