"""Cells, and the entries of each by taxi as the bytes that they are stored as: pure.

A window changes half of the entries that it reads. The others are never unpacked.
"""

from collections.abc import Iterable, Iterator, KeysView, Mapping, MutableMapping
from struct import Struct
from typing import NamedTuple

import msgspec

from chalicelib.taxis.positions import codec
from chalicelib.taxis.positions.codec import ENTRY, ID, IDS, LEAVING, Entry
from chalicelib.taxis.positions.rules import Position, position

_SIZE = ENTRY.size
_POSITION = Struct("<iiI")  # lat_e7, lng_e7, seen: what of an entry a report changes
_POSITION_AT = 8  # behind the head
_SEEN_WORD = 4  # of four bytes
_FLAGS_AT, _FLAGS = (
    LEAVING.bit_length() // 8,
    LEAVING >> 40,
)  # the byte of the head that has LEAVING


class Entries(MutableMapping[int, Entry]):
    """The entries of a cell, in no order. What is put in must be the taxi's own entry."""

    __slots__ = ("_packed", "_places")

    def __init__(self, packed: bytes = b"") -> None:
        """Takes them as `codec.pack_entries` answers them; of two of one taxi the last one counts.

        A damaged one, whose number is no taxi's, is left out, and so gone when the cell is next written.
        Raises Unreadable for a number of bytes that no cell has.
        """
        taxis = [head & ID for head in codec.heads(packed)]
        if max(taxis, default=0) >= IDS:
            entries = codec.unpack_entries(packed)
            packed = codec.pack_entries(entry for entry in entries if entry[0] & ID < IDS)
            taxis = [taxi for taxi in taxis if taxi < IDS]
        self._places = dict(zip(taxis, range(0, len(packed), _SIZE), strict=True))
        if len(self._places) < len(taxis):
            packed = b"".join(packed[place : place + _SIZE] for place in self._places.values())
            self._places = dict(zip(self._places, range(0, len(packed), _SIZE), strict=True))
        self._packed = bytearray(packed)

    def __getitem__(self, taxi: int) -> Entry:
        entry: Entry = ENTRY.unpack_from(self._packed, self._places[taxi])
        return entry

    def __setitem__(self, taxi: int, entry: Entry) -> None:
        place = self._places.get(taxi)
        if place is None:
            self._places[taxi] = len(self._packed)
            self._packed += ENTRY.pack(*entry)
        else:
            ENTRY.pack_into(self._packed, place, *entry)

    def __delitem__(self, taxi: int) -> None:
        place = self._places.pop(taxi)
        last = self._packed[-_SIZE:]
        del self._packed[-_SIZE:]
        if place < len(self._packed):  # the last one fills the gap
            self._packed[place : place + _SIZE] = last
            self._places[ENTRY.unpack(last)[0] & ID] = place

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, taxi: object) -> bool:
        return taxi in self._places

    def keys(self) -> KeysView[int]:
        """The taxis; of a dictionary, whose views are far faster than those of other mappings."""
        return self._places.keys()

    def packed(self) -> bytes:
        """The bytes of the cell."""
        return bytes(self._packed)

    def older(self, oldest: int) -> list[int]:
        """The taxis that were seen before the tick `oldest`."""
        if not self._any_older(oldest):
            return []
        entries = codec.unpack_entries(self._packed)
        return [head & ID for head, _, _, seen, _ in entries if seen < oldest]

    def doubtful(self, oldest: int) -> list[int]:
        """The taxis that were seen before the tick `oldest`, or are `LEAVING`."""
        leaving = self._packed and max(self._packed[_FLAGS_AT::_SIZE]) >= _FLAGS
        if not leaving and not self._any_older(oldest):
            return []
        entries = codec.unpack_entries(self._packed)
        return [head & ID for head, _, _, seen, _ in entries if seen < oldest or head & LEAVING]

    def _any_older(self, oldest: int) -> bool:
        return min(codec.words(self._packed, _SEEN_WORD), default=oldest) < oldest

    def follow(
        self, taxis: Iterable[int], reported: Mapping[int, Position]
    ) -> tuple[list[int], int]:
        """Updates the positions of the taxis that are here, where the reported ones are newer.

        Answers those that are not here, and of how many a position as new was here already.
        """
        packed, place_of = self._packed, self._places.get
        read, write = _POSITION.unpack_from, _POSITION.pack_into
        absent: list[int] = []
        superseded = 0
        for taxi in taxis:
            place = place_of(taxi)
            if place is None:
                absent.append(taxi)
                continue
            held_lat_e7, held_lng_e7, held_seen = read(packed, place + _POSITION_AT)
            seen, lat_e7, lng_e7 = reported[taxi]
            if seen > held_seen or (seen, lat_e7, lng_e7) > (held_seen, held_lat_e7, held_lng_e7):
                write(packed, place + _POSITION_AT, lat_e7, lng_e7, seen)
            else:
                superseded += 1
        return absent, superseded


class Rewrite(NamedTuple):
    """A cell as it is to be written over the version that was read."""

    version: int
    packed: bytes
    retired: Mapping[int, Position] = {}  # too old for it: kept as last positions before


class Cell(msgspec.Struct):
    """A cell as it was read (version 0: there is none), and what a plan makes of its entries."""

    version: int
    entries: Entries

    def rewritten(self, *, oldest: int) -> Rewrite:
        """The cell to be written, without the taxis that were seen before the tick `oldest`."""
        retired = {taxi: position(self.entries[taxi]) for taxi in self.entries.older(oldest)}
        for taxi in retired:
            del self.entries[taxi]
        return Rewrite(self.version, self.entries.packed(), retired)
