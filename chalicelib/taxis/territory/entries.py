"""Names of the territory's entries, and their packed attributes.

Which entries there are, and what reading one costs, is the table in `store.py`.
"""

import json
import zlib
from typing import Any

from chalicelib.foundation import geo
from chalicelib.foundation.store.reads import Item

NAMES_PREFIX, OUTLINES_PREFIX = (
    2,
    3,
)  # letters of a town's code that its names and outlines stand under


def entry_name(kind: str, generation: str, name: str) -> str:
    return f"{kind}/{generation}/{name}"


def part_entry(entry: str, number: int) -> str:
    """Where an item goes on that is too large for one; the first part is the entry itself."""
    return f"{entry}/{number}"


def tile_entry(generation: str, cell: int) -> str:
    return entry_name("tile", generation, geo.key(cell))


def opened(item: Item, name: str) -> Any:  # noqa: ANN401  # JSON of our own writing
    return json.loads(zlib.decompress(bytes_of(item, name)))


def bytes_of(item: Item, name: str) -> bytes:
    return bytes(item[name]["B"])
