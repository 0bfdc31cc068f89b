"""Encryption of stored secrets with the deployment's keys (Fernet, cryptography).

The keys come from the environment on a desk, from Secrets Manager in the cloud; the newest seals,
all of them open, so a key is rotated by putting a new one in front and sealing anew. They are in two
rings, each a secret of its own, for what speaks to strangers' servers must not open API keys.
"""

import hashlib
import hmac
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from chalicelib.foundation.aws import clients
from chalicelib.foundation.settings import BadSetting, settings

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


class Ring(StrEnum):
    """A secret of the deployment: Fernet keys. The names of its two settings begin with the value."""

    ACCOUNTS = "secret"  # API keys, and all that only this deployment checks
    HOOKS = "hook_secret"  # what others' servers are sent

    @property
    def keys_variable(self) -> str:
        """The environment variable of the keys."""
        return f"MARAUDE_{self}_keys".upper()

    @property
    def id_variable(self) -> str:
        """The environment variable of the Secrets Manager secret that holds them."""
        return f"MARAUDE_{self}_id".upper()

    @property
    def secret_id(self) -> str:
        """The Secrets Manager secret that the keys are read from; empty where they are not."""
        return "" if getattr(settings(), f"{self}_keys") else getattr(settings(), f"{self}_id")


@cache
def keys(ring: Ring) -> tuple[str, ...]:
    """The keys of a ring, newest first. Raises BadSetting where there is none."""
    text = getattr(settings(), f"{ring}_keys")
    if ring.secret_id:
        answer = clients.client("secretsmanager").get_secret_value(SecretId=ring.secret_id)
        text = answer["SecretString"]
    found = tuple(key.strip() for key in text.split(",") if key.strip())
    if not found:
        raise BadSetting(
            f"{ring.keys_variable} or {ring.id_variable} must name at least one Fernet key"
        )
    return found


@cache
def _fernet(ring: Ring) -> "MultiFernet":
    # Few requests open anything, and none should wait for this at a cold start.
    from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415

    try:
        return MultiFernet([Fernet(key) for key in keys(ring)])
    except ValueError as error:
        raise BadSetting(
            f"{ring.keys_variable} holds a key that is none of Fernet's: {error}"
        ) from error


def forget() -> None:
    """Has the keys read anew: for tests, and commands that turn to another deployment."""
    keys.cache_clear()
    _fernet.cache_clear()


def seal(text: str, ring: Ring = Ring.ACCOUNTS) -> str:
    """The text, encrypted and authenticated with the newest key."""
    return _fernet(ring).encrypt(text.encode()).decode()


def unseal(sealed: str, ring: Ring = Ring.ACCOUNTS) -> str:
    """The decrypted text. Raises cryptography.fernet.InvalidToken where no key of the ring sealed it."""
    return _fernet(ring).decrypt(sealed.encode()).decode()


def holds(sealed: str, text: str, ring: Ring) -> bool:
    """Whether this text was sealed; False where no key of the ring opens it."""
    from cryptography.fernet import InvalidToken  # noqa: PLC0415  # as `_fernet`

    try:
        return unseal(sealed, ring) == text
    except InvalidToken:
        return False


def resealed(sealed: str, ring: Ring = Ring.ACCOUNTS) -> str | None:
    """The same text encrypted with the newest key; None where it is already.

    Raises cryptography.fernet.InvalidToken where no key of the ring sealed it.
    """
    from cryptography.fernet import Fernet, InvalidToken  # noqa: PLC0415  # as `_fernet`

    every_key = _fernet(ring)
    try:
        Fernet(keys(ring)[0]).decrypt(sealed)
    except InvalidToken:
        return every_key.rotate(sealed.encode()).decode()
    return None


def derived_keys(purpose: str, ring: Ring = Ring.ACCOUNTS) -> tuple[bytes, ...]:
    """A 32-byte key for one purpose from each key of the ring, newest first."""
    return tuple(
        hmac.digest(key.encode(), f"maraude {purpose}".encode(), hashlib.sha256)
        for key in keys(ring)
    )


def digest(api_key: str) -> str:
    """The SHA-256 of an API key, in hexadecimal: what an account is looked up by.

    A plain hash is enough, for the keys are random and 122 bits long; a leaked table gives none away.
    """
    return hashlib.sha256(api_key.encode("utf-8", "surrogatepass")).hexdigest()
