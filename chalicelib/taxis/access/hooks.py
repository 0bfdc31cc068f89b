"""Secrets of an operator's webhook: its own header's value, and what its hails are signed with.

Both are of the ring that sealed them or derives them, `Ring.HOOKS`: who sends hails reads no other.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from chalicelib.foundation import sealing
from chalicelib.foundation.sealing import Ring
from chalicelib.foundation.values import replace
from chalicelib.taxis.access.rules import OldNonce, Record

# Of an account, as the contract calls them: URL, name and value of a header.
FIELDS = ("hail_endpoint_production", "operator_header_name", "operator_api_key")


class Hook(NamedTuple):
    """An operator's webhook: its URL, the name and value of a header, if it has a name, and what signs."""

    url: str
    header_name: str
    header_value: str
    signing_secrets: tuple[str, ...]


def hook(record: Record, *, now: datetime) -> Hook:
    """Where an account's hails are sent, and with what."""
    return Hook(
        record.hail_endpoint_production,
        record.operator_header_name,
        header_value(record),
        signing_secrets(record, now=now),
    )


def header_value(record: Record) -> str:
    """The value of the account's own header, `operator_api_key`, in clear; empty where there is none.

    Raises cryptography.fernet.InvalidToken where no key of ours sealed it.
    """
    if not record.sealed_operator_api_key:
        return record.clear_operator_api_key
    return sealing.unseal(record.sealed_operator_api_key, Ring.HOOKS)


def changed(record: Record, fields: Mapping[str, Any]) -> Record:
    """The account with these fields changed; `operator_api_key` is given in clear, and kept sealed."""
    others = dict(fields)
    value = others.pop("operator_api_key", None)
    if value is not None and not _has(record, value):
        others["sealed_operator_api_key"] = sealing.seal(value, Ring.HOOKS) if value else ""
        others["clear_operator_api_key"] = ""
    return replace(record, **others)


def _has(record: Record, value: str) -> bool:
    if not record.sealed_operator_api_key:
        return value == record.clear_operator_api_key
    return sealing.holds(record.sealed_operator_api_key, value, Ring.HOOKS)


def signing_secrets(record: Record, *, now: datetime) -> tuple[str, ...]:
    """Signing secrets of an account's hails, in hexadecimal, newest first.

    One for each key of the ring; after a rotation those of before it too, until their time is over.
    """
    nonces = [record.signing_nonce]
    if record.old_nonce is not None and now < record.old_nonce.until:
        nonces.append(record.old_nonce.nonce)
    return tuple(
        key.hex()
        for nonce in nonces
        for key in sealing.derived_keys(f"webhook {record.account.id} {nonce}".rstrip(), Ring.HOOKS)
    )


def with_new_signing_secret(record: Record, *, old_until: datetime) -> Record:
    """The account with another signing secret; its hails are signed with the one before, too, until then."""
    old_nonce = OldNonce(record.signing_nonce, old_until)
    return replace(record, signing_nonce=secrets.token_hex(16), old_nonce=old_nonce)
