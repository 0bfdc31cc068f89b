"""Names and codes in the territory's files."""

import re
from collections.abc import Mapping
from typing import Any

from ops.reading import Fault, text

INSEE = re.compile(r"[0-9A-Z]{5}")


def member(of: Mapping[str, Any], name: str) -> str:
    """A text that must be there. Raises Fault."""
    value = of.get(name)
    if not isinstance(value, str) or not value.strip():
        raise Fault(f"{name} is missing or not a text")
    return text(value, name)


def insee_of(value: object, *, named: str = "insee") -> str:
    if not isinstance(value, str) or INSEE.fullmatch(value) is None:
        raise Fault(f"{named} {value!r} is not a code of five digits or capitals")
    return value
