import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.taxis.positions import codec
from chalicelib.taxis.positions.codec import ID, LEAVING, Entry, Unreadable
from chalicelib.taxis.positions.entries import Entries

_WORD = st.integers(0, 0xFFFFFFFF)
_SIGNED = st.integers(-(1 << 31), (1 << 31) - 1)
_TAXIS = st.integers(0, 9)  # few, so that they meet
_BITS = st.sampled_from([0, LEAVING, 2 << codec.STATUS_SHIFT, 500 << codec.RADIUS_SHIFT])
_ENTRIES = st.builds(
    lambda taxi, bits, *rest: (taxi | bits, *rest), _TAXIS, _BITS, _SIGNED, _SIGNED, _WORD, _WORD
)


def packed(*entries: Entry) -> Entries:
    return Entries(codec.pack_entries(entries))


def _unpacked(entries: Entries) -> dict[int, Entry]:
    return {entry[0] & ID: entry for entry in codec.unpack_entries(entries.packed())}


@given(
    st.lists(_ENTRIES, max_size=8, unique_by=lambda entry: entry[0] & ID),
    st.lists(_ENTRIES | _TAXIS, max_size=12),
)
def test_entries_change_as_those_of_a_dictionary_do(
    before: list[Entry], changes: list[Entry | int]
) -> None:
    entries = packed(*before)
    expected = {entry[0] & ID: entry for entry in before}

    for change in changes:
        if isinstance(change, tuple):
            entries[change[0] & ID] = expected[change[0] & ID] = change
        elif change in expected:
            del entries[change], expected[change]

    assert dict(entries.items()) == expected
    assert _unpacked(entries) == expected
    assert len(entries.packed()) == codec.ENTRY.size * len(expected)


def test_a_taxi_that_is_not_there_is_neither_read_nor_deleted() -> None:
    entries = packed((1, 2, 3, 4, 5))

    with pytest.raises(KeyError):
        entries[2]
    with pytest.raises(KeyError):
        del entries[2]
    assert (2 in entries, 1 in entries, len(entries)) == (False, True, 1)


def test_of_two_entries_of_one_taxi_the_last_one_counts() -> None:
    entries = packed((1, 10, 0, 4, 5), (2, 20, 0, 4, 5), (1, 30, 0, 4, 5))

    assert _unpacked(entries) == {1: (1, 30, 0, 4, 5), 2: (2, 20, 0, 4, 5)}
    assert len(entries.packed()) == 2 * codec.ENTRY.size


@pytest.mark.parametrize("size", [1, 8, 23, 25])
def test_bytes_that_no_cell_has_are_unreadable(size: int) -> None:
    with pytest.raises(Unreadable):
        Entries(b"x" * size)


@given(st.lists(_ENTRIES, max_size=8, unique_by=lambda entry: entry[0] & ID), _WORD)
def test_what_is_old_or_leaving_is_found(before: list[Entry], oldest: int) -> None:
    entries = packed(*before)

    older, doubtful = entries.older(oldest), entries.doubtful(oldest)

    assert older == [head & ID for head, _, _, seen, _ in before if seen < oldest]
    assert doubtful == [
        head & ID for head, _, _, seen, _ in before if seen < oldest or head & LEAVING
    ]


def test_a_taxi_follows_a_newer_report_and_keeps_what_else_is_known_of_it() -> None:
    head = 1 | 2 << codec.STATUS_SHIFT | 300 << codec.RADIUS_SHIFT
    entries = packed((head, 488_500_000, -23_500_000, 100, 77), (2, 0, 0, 100, 0))

    absent, superseded = entries.follow([1, 3], {1: (101, -5, 6), 3: (101, 0, 0)})

    assert (absent, superseded) == ([3], 0)
    assert _unpacked(entries) == {1: (head, -5, 6, 101, 77), 2: (2, 0, 0, 100, 0)}


@pytest.mark.parametrize(
    ("reported", "is_newer"),
    [
        ((99, 900, 900), False),
        ((100, 10, 20), False),
        ((100, 10, 19), False),
        ((100, 10, 21), True),
        ((100, 11, 0), True),
        ((101, 0, 0), True),
    ],
)
def test_of_two_positions_the_newer_stays_and_of_one_tick_the_more_northern(
    reported: tuple[int, int, int], *, is_newer: bool
) -> None:
    entries = packed((1, 10, 20, 100, 0))

    _, superseded = entries.follow([1], {1: reported})

    seen, lat_e7, lng_e7 = reported if is_newer else (100, 10, 20)
    assert superseded == (not is_newer)
    assert entries[1] == (1, lat_e7, lng_e7, seen, 0)


def test_a_damaged_entry_is_left_out_and_the_others_stay() -> None:
    sound, other = (1, 10, 20, 5, 4), (2, 11, 21, 6, 4)
    damaged = (ID, 12, 22, 7, 4)

    entries = packed(sound, damaged, other)

    assert _unpacked(entries) == {1: sound, 2: other}
    assert entries.packed() == codec.pack_entries([sound, other])
