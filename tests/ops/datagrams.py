"""Datagrams as operators send them."""

import hashlib
import hmac
import json
from typing import Any

NOW_S = 1_795_745_000.0
FIELDS = ("timestamp", "operator", "taxi", "lat", "lon", "device", "status", "version")


def signature(key: str, *texts: str) -> str:
    """What the formula makes of these texts [contract: UDP signature]."""
    return hashlib.sha1("".join([*texts, key]).encode()).hexdigest()  # noqa: S324  # the formula


def _fields(**changes: Any) -> dict[str, Any]:
    return {
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


def sha1_of(**changes: Any) -> str:
    """The hash of such a datagram."""
    fields = _fields(**changes)
    return signature("key", *(str(fields[name]) for name in FIELDS))


def a_datagram(key: str = "key", *, signed: dict[str, str] | None = None, **changes: Any) -> bytes:
    """A datagram, signed over its JSON values as Python writes them, or over those texts instead."""
    fields = _fields(**changes)
    texts = {name: str(fields[name]) for name in FIELDS} | (signed or {})
    fields.setdefault("hash", signature(key, *texts.values()))
    return json.dumps(fields, ensure_ascii=False).encode()


def a_signed_datagram(
    key: str = "key", *, signed: dict[str, str] | None = None, **changes: Any
) -> bytes:
    """A datagram with the newer signature, over its JSON values as Python writes them, or over those texts."""
    fields: dict[str, Any] = {
        "timestamp": int(NOW_S),
        "operator": "operator",
        "taxi": "abcdefg",
        "lat": 48.8601,
        "lon": 2.3501,
        **changes,
    }
    names = ("timestamp", "operator", "taxi", "lat", "lon")
    texts = {name: str(fields[name]) for name in names} | (signed or {})
    lines = "\n".join(["maraude-udp-2", *texts.values()]).encode()
    fields.setdefault("signature", hmac.digest(key.encode(), lines, "sha256").hex())
    return json.dumps(fields, ensure_ascii=False).encode()
