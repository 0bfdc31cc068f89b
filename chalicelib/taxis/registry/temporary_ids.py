"""Temporary taxi ids: new in each search, valid for one account and an hour, stored nowhere.

An id is 27 bytes in URL-safe base64 (36 characters, where the contract's own have 7, which cannot
hold a nonce and a MAC): second of issue (4), nonce (6), encrypted taxi id (7), MAC (10). The
encryption and the MAC are HMAC-SHA256 with keys of their own (encrypt-then-MAC); the account enters
both, so that an id is noise to everybody else. Pure: keys, nonce and time are passed in.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence

LENGTH = 36
NONCE_BYTES = 6
_TAXI_BYTES = 7
_MAC_BYTES = 10
_SIZE = 4 + NONCE_BYTES + _TAXI_BYTES + _MAC_BYTES


def _mask(key: bytes, header: bytes, account_id: int, taxi: bytes) -> bytes:
    stream = hmac.digest(key, b"encrypt%d " % account_id + header, hashlib.sha256)
    return bytes(one ^ other for one, other in zip(taxi, stream, strict=False))


def _mac(key: bytes, header: bytes, account_id: int, hidden: bytes) -> bytes:
    text = b"authenticate%d " % account_id + header + hidden
    return hmac.digest(key, text, hashlib.sha256)[:_MAC_BYTES]


def issue(taxi_id: str, *, key: bytes, account_id: int, issued_s: int, nonce: bytes) -> str:
    """A temporary id of a taxi (7 ASCII characters) for an account; `issued_s` is Unix seconds."""
    header = issued_s.to_bytes(4, "big") + nonce
    hidden = _mask(key, header, account_id, taxi_id.encode("ascii"))
    return urlsafe_b64encode(header + hidden + _mac(key, header, account_id, hidden)).decode()


def resolve(
    temporary: str, *, keys: Sequence[bytes], account_id: int, now_s: int, good_for_s: int
) -> str | None:
    """The taxi of a temporary id, or None where it is none, another account's, or too old."""
    if len(temporary) != LENGTH or not temporary.isascii():
        return None
    try:
        packed = urlsafe_b64decode(temporary)
    except (NotBase64, ValueError):
        return None
    if len(packed) != _SIZE:
        return None
    header, hidden = packed[: 4 + NONCE_BYTES], packed[4 + NONCE_BYTES : -_MAC_BYTES]
    for key in keys:
        if hmac.compare_digest(_mac(key, header, account_id, hidden), packed[-_MAC_BYTES:]):
            if not 0 <= now_s - int.from_bytes(header[:4], "big") <= good_for_s:
                return None
            return _mask(key, header, account_id, hidden).decode("ascii")
    return None
