"""Encryption of stored secrets with the deployment's keys (Fernet, cryptography).

The keys come from the environment on a desk, from Secrets Manager in the cloud; the newest seals,
all of them open, so a key is rotated by putting a new one in front and sealing anew.
"""

import hashlib
import hmac
from functools import cache
from typing import TYPE_CHECKING

from chalicelib.foundation.aws import clients
from chalicelib.foundation.settings import BadSetting, settings

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


@cache
def _keys() -> tuple[str, ...]:
    """The deployment's keys, newest first. Raises BadSetting where there is none."""
    text = settings().secret_keys
    if not text and settings().secret_id:
        answer = clients.client("secretsmanager").get_secret_value(SecretId=settings().secret_id)
        text = answer["SecretString"]
    keys = tuple(key.strip() for key in text.split(",") if key.strip())
    if not keys:
        raise BadSetting(
            "MARAUDE_SECRET_KEYS or MARAUDE_SECRET_ID must name at least one Fernet key"
        )
    return keys


@cache
def _fernet() -> "MultiFernet":
    # Few requests open anything, and none should wait for this at a cold start.
    from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415

    try:
        return MultiFernet([Fernet(key) for key in _keys()])
    except ValueError as error:
        raise BadSetting(
            f"MARAUDE_SECRET_KEYS holds a key that is none of Fernet's: {error}"
        ) from error


def forget() -> None:
    """Has the keys read anew: for tests, and commands that turn to another deployment."""
    _keys.cache_clear()
    _fernet.cache_clear()


def seal(text: str) -> str:
    """The text, encrypted and authenticated with the newest key."""
    return _fernet().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """The decrypted text. Raises cryptography.fernet.InvalidToken where no key of ours sealed it."""
    return _fernet().decrypt(sealed.encode()).decode()


def resealed(sealed: str) -> str | None:
    """The same text encrypted with the newest key; None where it is already.

    Raises cryptography.fernet.InvalidToken where no key of ours sealed it.
    """
    from cryptography.fernet import Fernet, InvalidToken  # noqa: PLC0415  # as `_fernet`

    every_key = _fernet()
    try:
        Fernet(_keys()[0]).decrypt(sealed)
    except InvalidToken:
        return every_key.rotate(sealed.encode()).decode()
    return None


def derived_keys(purpose: str) -> tuple[bytes, ...]:
    """A 32-byte key for one purpose from each of the deployment's keys, newest first."""
    return tuple(
        hmac.digest(key.encode(), f"maraude {purpose}".encode(), hashlib.sha256) for key in _keys()
    )


def digest(api_key: str) -> str:
    """The SHA-256 of an API key, in hexadecimal: what an account is looked up by.

    A plain hash is enough, for the keys are random and 122 bits long; a leaked table gives none away.
    """
    return hashlib.sha256(api_key.encode("utf-8", "surrogatepass")).hexdigest()
