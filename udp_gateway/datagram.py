"""Parsing and signature check of UDP datagrams [contract: Positions by UDP]: pure.

The signature is the lowercase hexadecimal SHA-1 of timestamp, operator, taxi, lat, lon, device, status,
version and the account's API key, one after the other. It is checked over the text that was sent: a
number as its digits stand in the JSON, a string as what it spells. Where that does not match, the text
that the reference hashed is tried too: numbers in Python's shortest form, so that `48.860` may be
signed as `48.86`, `17` as a coordinate as `17.0`, and `"48,86"` as `48.86`.
"""

import hashlib
import hmac
import json
from enum import StrEnum
from typing import NamedTuple

import msgspec

from chalicelib.foundation.geo import E7, MAX_LAT

LIMIT_BYTES = 4096  # the reference's buffer
_MAX_LNG = 180.0
_MILLISECONDS_FROM = 1e11  # Unix seconds reach it in the year 5138


class Drop(StrEnum):
    """Reasons for which a datagram is dropped."""

    TOO_LONG = "too_long"
    NOT_JSON = "not_json"
    BAD_FIELD = "bad_field"  # missing, of another type, or on no globe
    STALE = "stale"  # its own clock says that it is old
    UNKNOWN_OPERATOR = "unknown_operator"  # no active account that may send
    BAD_HASH = "bad_hash"
    NOT_OWNER = "not_owner"  # no taxi of the operator's, or none at all
    OUT_OF_ORDER = "out_of_order"  # by its own clock, older than one of the same taxi
    OVERFLOW = "overflow"  # more waited than may
    LOOK_UP_FAILED = "look_up_failed"  # the registry could not be asked
    STREAM_UNAVAILABLE = "stream_unavailable"  # for so long that the position grew old
    KERNEL = "kernel"  # the socket's buffer was full


class Unreadable(Exception):
    """The datagram cannot be parsed."""

    def __init__(self, reason: Drop) -> None:
        super().__init__(reason)
        self.reason = reason


class Datagram(NamedTuple):
    """A position as its operator sent it. Nothing of it is verified yet."""

    operator: str  # an account's e-mail
    taxi_id: str
    lng_e7: int
    lat_e7: int
    sent_s: (
        float | None
    )  # Unix seconds by the sender's clock; None where its timestamp is no number
    signed: bytes  # what the hash covers, before the key
    signed_short: bytes  # the same with its numbers in the reference's form
    hash: bytes

    def is_signed_with(self, *keys: bytes) -> bool:
        """Whether the hash was made with one of the keys."""
        return any(
            _hash_is(self.hash, self.signed + key)
            or (self.signed_short != self.signed and _hash_is(self.hash, self.signed_short + key))
            for key in keys
        )


def _hash_is(given: bytes, text: bytes) -> bool:
    right = hashlib.sha1(text).hexdigest()  # noqa: S324  # the formula that senders have
    return hmac.compare_digest(given, right.encode())


class _Sent(msgspec.Struct):
    """The fields; others are tolerated."""

    timestamp: msgspec.Raw
    operator: str
    taxi: str
    lat: msgspec.Raw
    lon: msgspec.Raw
    device: str
    status: str
    version: msgspec.Raw
    hash: str


_decode = msgspec.json.Decoder(_Sent).decode
_decode_text = msgspec.json.Decoder(str).decode
_NUMBER_STARTS = b"-0123456789"


def read(sent: bytes) -> Datagram:
    """Parses a datagram. Raises Unreadable, and nothing else, for whatever bytes."""
    if len(sent) > LIMIT_BYTES:
        raise Unreadable(Drop.TOO_LONG)
    try:
        found = _decode(sent)
    except msgspec.ValidationError as error:
        raise Unreadable(Drop.BAD_FIELD) from error
    # Lists in lists, in a field that nobody asked for, end in a RecursionError.
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(Drop.NOT_JSON) from error
    timestamp, short_timestamp = _text(found.timestamp)
    lat_text, _ = _text(found.lat)
    lon_text, _ = _text(found.lon)
    version, short_version = _text(found.version)
    lat = _degrees(lat_text, MAX_LAT)
    lon = _degrees(lon_text, _MAX_LNG)
    who = found.operator + found.taxi
    what = found.device + found.status
    return Datagram(
        operator=found.operator,
        taxi_id=found.taxi,
        lng_e7=round(lon * E7),
        lat_e7=round(lat * E7),
        sent_s=_seconds(timestamp),
        signed=f"{timestamp}{who}{lat_text}{lon_text}{what}{version}".encode(),
        signed_short=f"{short_timestamp}{who}{lat}{lon}{what}{short_version}".encode(),
        hash=found.hash.encode(),
    )


def _text(raw: msgspec.Raw) -> tuple[str, str]:
    """A number or string as it was sent, and as the reference hashed it. Raises Unreadable."""
    sent = bytes(raw)
    if sent[:1] == b'"':
        try:
            text = _decode_text(sent)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unreadable(Drop.NOT_JSON) from error
        return text, text
    if sent[0] not in _NUMBER_STARTS:
        raise Unreadable(Drop.BAD_FIELD)
    text = sent.decode("ascii")
    return text, text if text.isdecimal() else str(json.loads(text))


def _degrees(text: str, limit: float) -> float:
    """A coordinate, its decimal sign a point or a comma. Raises Unreadable."""
    try:
        degrees = float(text.replace(",", "."))
    except ValueError as error:
        raise Unreadable(Drop.BAD_FIELD) from error
    if not -limit <= degrees <= limit:  # NaN is not
        raise Unreadable(Drop.BAD_FIELD)
    return degrees


def _seconds(timestamp: str) -> float | None:
    """Unix seconds, also of milliseconds; None where it is no number."""
    try:
        number = float(timestamp.replace(",", "."))
    except ValueError:
        return None
    return number / 1000 if number >= _MILLISECONDS_FROM else number
