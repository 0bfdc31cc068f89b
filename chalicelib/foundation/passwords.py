"""Password hashes by scrypt (RFC 7914): pure.

A hash is a text that names its own parameters, so that they can be raised: `is_weak` finds the
hashes that were made with lower ones. scrypt is in Python's own library; argon2 would be a package
of native code in the zip, and better by little at this size.
"""

import base64
import hashlib
import hmac
import secrets
import unicodedata

SHORTEST = 8

# 32 MiB and a third of a second a guess: of OWASP's equal choices (Password Storage Cheat Sheet) the
# one that leaves a function of 256 MB its room.
_LOG2_N, _R, _P = 15, 8, 3
_MAX_MEMORY = 2**26
_BYTES = 32


def hashed(password: str) -> str:
    """The hash of a password, with a new salt each time."""
    return _text(_LOG2_N, _R, _P, salt := secrets.token_bytes(16), _scrypt(password, salt))


def matches(password: str, kept: str) -> bool:
    """Whether the password has this hash. Without a hash, False after the same time."""
    log2_n, r, p, salt, expected = _parsed(kept or _NOBODY)
    actual = _scrypt(password, salt, log2_n=log2_n, r=r, p=p)
    return hmac.compare_digest(actual, expected)


def is_weak(kept: str) -> bool:
    """Whether the hash was made with other parameters than a new one would be."""
    return _parsed(kept)[:3] != (_LOG2_N, _R, _P)


def _scrypt(
    password: str, salt: bytes, *, log2_n: int = _LOG2_N, r: int = _R, p: int = _P
) -> bytes:
    # The same letters may come composed or not, as the keyboard has it (NIST SP 800-63B, 5.1.1.2).
    text = unicodedata.normalize("NFKC", password).encode()
    return hashlib.scrypt(text, salt=salt, n=2**log2_n, r=r, p=p, maxmem=_MAX_MEMORY, dklen=_BYTES)


def _text(log2_n: int, r: int, p: int, salt: bytes, digest: bytes) -> str:
    ends = (base64.b64encode(part).decode() for part in (salt, digest))
    return "$".join(("scrypt", str(log2_n), str(r), str(p), *ends))


def _parsed(kept: str) -> tuple[int, int, int, bytes, bytes]:
    _, log2_n, r, p, salt, digest = kept.split("$")
    return int(log2_n), int(r), int(p), base64.b64decode(salt), base64.b64decode(digest)


_NOBODY = _text(_LOG2_N, _R, _P, bytes(16), bytes(_BYTES))  # no password makes it
