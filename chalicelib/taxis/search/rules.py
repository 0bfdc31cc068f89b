"""A search as it is noted for the statistics, and reports of many of them as bytes: pure [contract: Search statistics].

A report is compressed JSON, a list of rows behind the number of the format.
"""

import re
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

FORMAT = 1
LARGEST = 8_000_000  # bytes of a report when unpacked; ours have 2 MB at most

_INSEE = re.compile(r"[0-9][0-9AB][0-9]{3}")
_GEOHASH = re.compile(r"[0-9b-hjkmnp-z]{6}")


class Search(NamedTuple):
    """A search that reached a town. Of the customer's place only `geohash` is kept.

    `hour` is Unix time in hours, `moteur` the account's id, `nearest_m` whole metres to the nearest
    of those found, `geohash` has 6 characters.
    """

    hour: int
    insee: str
    moteur: int
    found: int
    seen: int
    nearest_m: int | None
    geohash: str


class Unreadable(Exception):
    """The bytes are no report of searches."""


def pack(searches: Sequence[Search]) -> bytes:
    """The report of some searches, for `unpack`."""
    return zlib.compress(msgspec.json.encode([FORMAT, searches]))


def unpack(packed: bytes) -> list[Search]:
    """The searches of a report. Raises Unreadable."""
    inflating = zlib.decompressobj()
    try:
        text = inflating.decompress(packed, LARGEST)
        if not inflating.eof:
            raise Unreadable("the report is cut off, or too large")
        number, searches = msgspec.json.decode(text, type=tuple[int, list[Search]])
    # Text that is no UTF-8 is a UnicodeDecodeError to msgspec, and no DecodeError.
    except (zlib.error, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(str(error)) from error
    if number != FORMAT:
        raise Unreadable(f"no format {number}")
    for search in searches:
        if not _is_sound(search):
            raise Unreadable("no search, by its values")
    return searches


def _is_sound(search: Search) -> bool:
    return (
        _INSEE.fullmatch(search.insee) is not None
        and search.hour > 0
        and 0 <= search.seen <= search.found
        and (search.nearest_m is None or search.nearest_m >= 0)
        and _GEOHASH.fullmatch(search.geohash) is not None
    )
