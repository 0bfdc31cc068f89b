"""HTTP replies, as views make them."""

import json
from collections.abc import Mapping

from msgspec import Struct, field

JSON = "application/json"
HTML = "text/html; charset=utf-8"


class Reply(Struct, frozen=True):
    """An HTTP reply. `body` is text as it goes out."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


def encode(value: object) -> str:
    """JSON with sorted keys, ASCII, no spaces, a newline at the end."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False) + "\n"
