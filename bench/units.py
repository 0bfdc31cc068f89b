"""Sizes of DynamoDB's items and units of its reads and writes, by the rules that AWS publishes.

[sizes]  amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
[units]  amazondynamodb/latest/developerguide/read-write-operations.html

The two things that AWS calls approximate: a number is 1 byte for two significant digits and 1 more;
the sign of a negative one is taken to be a byte, as others have measured.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

READ_STEP, WRITE_STEP = 4096, 1024  # bytes of a unit [units]


class NotCounted(Exception):
    """A call whose units this counter does not know."""


# --- sizes [sizes] --------------------------------------------------------------------------------


def item_bytes(item: Mapping[str, Any]) -> int:
    """The size of an item: its names and its values. The 100 bytes of storage an item are no units."""
    return sum(len(name.encode()) + value_bytes(value) for name, value in item.items())


def value_bytes(value: Mapping[str, Any]) -> int:
    """The size of `{"S": "..."}` and the like; binary as bytes, or as the base64 of a request."""
    ((kind, held),) = value.items()
    match kind:
        case "S":
            return len(held.encode())
        case "N":
            return number_bytes(held)
        case "B":
            return _binary_bytes(held)
        case "NULL" | "BOOL":
            return 1
        case "SS":
            return sum(len(one.encode()) for one in held)
        case "NS":
            return sum(map(number_bytes, held))
        case "BS":
            return sum(map(_binary_bytes, held))
        case "L":
            return 3 + sum(1 + value_bytes(one) for one in held)
        case "M":
            return 3 + sum(1 + len(name.encode()) + value_bytes(one) for name, one in held.items())
    raise NotCounted(f"a value of kind {kind}")


def number_bytes(text: str) -> int:
    """The size of a number: zeros before and after it are trimmed."""
    number = Decimal(text)
    if not number:
        return 1
    digits = len("".join(map(str, number.as_tuple().digits)).strip("0"))
    return (digits + 1) // 2 + 1 + (number < 0)


def _binary_bytes(held: str | bytes) -> int:
    if isinstance(held, str):
        return len(held) * 3 // 4 - held.count("=", -2)
    return len(bytes(held))


# --- units [units] --------------------------------------------------------------------------------


def read_units(size: int, *, consistent: bool) -> float:
    """Units of a read of so many bytes, rounded up; of nothing as of one byte."""
    return -(-max(size, 1) // READ_STEP) * (1.0 if consistent else 0.5)


def write_units(size: int) -> int:
    """Units of a write of an item of so many bytes, rounded up; of nothing as of one byte."""
    return -(-max(size, 1) // WRITE_STEP)
