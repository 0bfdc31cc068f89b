"""Datagrams as operators send them."""

import hashlib
import json
from typing import Any

NOW_S = 1_795_745_000.0
FIELDS = ("timestamp", "operator", "taxi", "lat", "lon", "device", "status", "version")


def signature(key: str, *texts: str) -> str:
    """What the formula makes of these texts [contract: UDP signature]."""
    return hashlib.sha1("".join([*texts, key]).encode()).hexdigest()  # noqa: S324  # the formula


def a_datagram(key: str = "key", *, signed: dict[str, str] | None = None, **changes: Any) -> bytes:
    """A datagram, signed over its JSON values as Python writes them, or over those texts instead."""
    fields: dict[str, Any] = {
        "timestamp": int(NOW_S),
        "operator": "operator",
        "taxi": "abcdefg",
        "lat": 48.8601,
        "lon": 2.3501,
        "device": "phone",
        "status": "free",
        "version": "2",
        **changes,
    }
    texts = {name: str(fields[name]) for name in FIELDS} | (signed or {})
    fields.setdefault("hash", signature(key, *texts.values()))
    return json.dumps(fields, ensure_ascii=False).encode()
