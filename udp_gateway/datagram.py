"""Parsing and signature check of UDP datagrams [contract: Positions by UDP]: pure.

`signature` is the HMAC-SHA256 of the fields on lines of their own, so that each stays what it was.

`hash` is the older one, which devices in the field have: the SHA-1 of the fields one after the other,
between which nothing says where one ends. What fits it is therefore read in one way only, by rules that
no other parting of the same digits meets (see `_refuse_other_partings`). It is checked over the text
that was sent: a number as its digits stand in the JSON, a string as what it spells. Where that does not
match, the text that the reference hashed is tried too: numbers in Python's shortest form, so that
`48.860` may be signed as `48.86`, `17` as a coordinate as `17.0`, and `"48,86"` as `48.86`.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from chalicelib.foundation.geo import E7, MAX_LAT, Box

LIMIT_BYTES = 4096  # the reference's buffer
PURPOSE = "maraude-udp-2"  # the first line of what is signed: no other text of ours begins so
_MAX_LNG = 180.0
_MILLISECONDS_FROM = 1e11  # Unix seconds reach it in the year 5138


class Drop(StrEnum):
    """Reasons for which a datagram is dropped."""

    TOO_LONG = "too_long"
    NOT_JSON = "not_json"
    BAD_FIELD = "bad_field"  # missing, of another type or form, or on no globe
    AMBIGUOUS = "ambiguous"  # the older hash would fit another position as well
    STALE = "stale"  # its own clock says that it is old
    AHEAD = "ahead"  # its own clock says that it is yet to come
    UNKNOWN_OPERATOR = "unknown_operator"  # no active account that may send
    BAD_HASH = "bad_hash"  # or signature
    NOT_OWNER = "not_owner"  # no taxi of the operator's, or none at all
    OUT_OF_ORDER = "out_of_order"  # older than one of the same taxi
    DUPLICATE = "duplicate"  # as old as the newest of the same taxi
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
    signed: tuple[bytes, ...]  # the texts that may have been signed
    sign: Callable[[bytes, bytes], str]  # a text with a key
    signature: bytes

    def is_signed_with(self, *keys: bytes) -> bool:
        """Whether the signature was made with one of the keys."""
        return any(
            hmac.compare_digest(self.signature, self.sign(text, key).encode())
            for key in keys
            for text in self.signed
        )


def sha1(text: bytes, key: bytes) -> str:
    """The older hash of a text, and the key behind it."""
    return hashlib.sha1(text + key).hexdigest()  # noqa: S324  # the formula that senders have


def hmac_sha256(text: bytes, key: bytes) -> str:
    """The signature of a text."""
    return hmac.digest(key, text, "sha256").hex()


class _Sent(msgspec.Struct):
    """The fields; others are tolerated."""

    timestamp: msgspec.Raw
    operator: str
    taxi: str
    lat: msgspec.Raw
    lon: msgspec.Raw
    signature: str | UnsetType = UNSET
    # Of the older form, which needs all four
    device: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    version: msgspec.Raw = msgspec.Raw()  # it cannot be changed
    hash: str | UnsetType = UNSET


_decode = msgspec.json.Decoder(_Sent).decode
_decode_text = msgspec.json.Decoder(str).decode
_NUMBER_STARTS = b"-0123456789"

# One way to write each number: no sign, zero, blank or point too many. The exponent is that in which
# languages write what is next to nothing.
_DEGREES = re.compile(
    r"-?(?:0|[1-9][0-9]*)(?:[.,][0-9]+)?|-?[1-9](?:\.[0-9]+)?e-[0-9]{1,2}", re.ASCII
)
_SECONDS = re.compile(r"[0-9]{1,16}(?:[.,][0-9]+)?", re.ASCII)
_RUNS_ON = re.compile(r"[0-9.,]|[eE][-+]?[0-9]", re.ASCII)  # a text that a number might go on with

# Where France is east of Greenwich, the whole degrees of a longitude have as many digits all over.
_FRANCE = (
    Box(0, 41.3, 9.7, 51.2),  # the metropolis
    Box(45.0, -13.1, 45.4, -12.6),  # Mayotte
    Box(55.2, -21.5, 55.9, -20.8),  # La Réunion
    Box(163.5, -22.8, 168.2, -19.5),  # New Caledonia
)


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
    lat = _degrees(lat_text, MAX_LAT)
    lon = _degrees(lon_text, _MAX_LNG)
    sent_s = _seconds(timestamp)
    signed: tuple[bytes, ...]
    if found.signature is not UNSET:
        signature, sign = found.signature, hmac_sha256
        lines = (PURPOSE, timestamp, found.operator, found.taxi, lat_text, lon_text)
        # With both, whoever takes the signature away would leave what is easier to deceive.
        if found.hash is not UNSET or sent_s is None or any("\n" in line for line in lines):
            raise Unreadable(Drop.BAD_FIELD)
        signed = ("\n".join(lines).encode(),)
    else:
        if UNSET in (found.device, found.status, found.hash) or not bytes(found.version):
            raise Unreadable(Drop.BAD_FIELD)
        signature, sign = str(found.hash), sha1
        version, short_version = _text(found.version)
        who, what = found.operator + found.taxi, f"{found.device}{found.status}"
        _refuse_other_partings(lat, lon, lon_text, f"{what}{version}")
        as_sent = f"{timestamp}{who}{lat_text}{lon_text}{what}{version}"
        shortest = f"{short_timestamp}{who}{lat}{lon}{what}{short_version}"
        same = as_sent == shortest
        signed = (as_sent.encode(),) if same else (as_sent.encode(), shortest.encode())
    return Datagram(
        operator=found.operator,
        taxi_id=found.taxi,
        lng_e7=round(lon * E7),
        lat_e7=round(lat * E7),
        sent_s=sent_s,
        signed=signed,
        sign=sign,
        signature=signature.encode(),
    )


def _refuse_other_partings(lat: float, lon: float, lon_text: str, behind: str) -> None:
    """Refuses what might be another position's digits, parted elsewhere. Raises Unreadable.

    Account and taxi must be there, which leaves two places. Between lat and lon a minus sign tells;
    without one the position must be where only one parting leads into France. Behind lon comes a text
    that no number goes on with.
    """
    if _RUNS_ON.match(behind):
        raise Unreadable(Drop.AMBIGUOUS)
    if lon_text.startswith("-"):
        return
    for west, south, east, north in _FRANCE:
        if west <= lon <= east and south <= lat <= north:
            return
    raise Unreadable(Drop.AMBIGUOUS)


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
    if not _DEGREES.fullmatch(text):
        raise Unreadable(Drop.BAD_FIELD)
    degrees = float(text.replace(",", "."))
    if not -limit <= degrees <= limit:
        raise Unreadable(Drop.BAD_FIELD)
    return degrees


def _seconds(timestamp: str) -> float | None:
    """Unix seconds, also of milliseconds; None where it is no number."""
    if not _SECONDS.fullmatch(timestamp):
        return None
    number = float(timestamp.replace(",", "."))
    return number / 1000 if number >= _MILLISECONDS_FROM else number
