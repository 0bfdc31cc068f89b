"""Accounts in DynamoDB.

| question                  | table         | key              | order    | cost                | asked by          |
| ------------------------- | ------------- | ---------------- | -------- | ------------------- | ----------------- |
| the account a key opens   | accounts      | key#<SHA-256>    | one item | 1 unit, strong      | every request, at |
|                           |               |                  |          |                     | most each 30 s    |
| the account of an e-mail  | accounts      | email#<it>       | one item | 1 unit, strong      | X-Logas, login,   |
|                           |               |                  |          |                     | `account`, UDP    |
| the account of an id      | accounts      | id#<number>      | one item | 1 unit, strong      | /users/{id},      |
|                           |               |                  |          |                     | `account`, hails  |
| the accounts of some ids  | accounts      | id#<number>      | none     | 1 unit each,        | GET /users        |
|                           |               |                  |          | strong, one call    |                   |
| everything                | accounts      | scan             | none     | 0.5 unit per 4 KB   | `account list`,   |
|                           |               |                  |          |                     | `account export`  |
| its own changes, held     | accounts      | id#<number>      | one item | 1 write unit        | commands that     |
|                           |               |                  |          |                     | lost a race       |

An account is one record under three keys (four while an older API key opens as well, or until it is
written next) and a line in one or two lists (`lists.py`), written together in one transaction (8 to 14 units), so that each question reads one item or one list, and a new account is
in both lists at the next request. `version` rises with each change and is the condition of the next.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from pynamodb.attributes import (
    BooleanAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.exceptions import TransactWriteError, UpdateError
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chalicelib.foundation import sealing
from chalicelib.foundation.sealing import Ring
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import documents, reads
from chalicelib.foundation.store.models import Place
from chalicelib.foundation.store.reads import Item, Read
from chalicelib.foundation.store.writes import connection
from chalicelib.foundation.values import replace
from chalicelib.taxis.access import lists
from chalicelib.taxis.access.lists import LineRow
from chalicelib.taxis.access.rules import OldKey, OldNonce, Record
from chalicelib.taxis.vocabulary import Account, Role

_CONFLICT = "TransactionConflictException"
KEY_BYTES = 2048  # of a key in DynamoDB; no account has a longer one


class RecordMoved(Exception):
    """A concurrent write changed the account, or took its e-mail."""


class AccountRow(Model):
    """One of an account's three items."""

    class Meta(Place):
        table_name = table("accounts")

    key = UnicodeAttribute(hash_key=True)
    account_id = NumberAttribute()
    email = UnicodeAttribute()
    roles = UnicodeSetAttribute(null=True)
    manager_id = NumberAttribute(null=True)
    active = BooleanAttribute()
    name = UnicodeAttribute()
    key_digest = UnicodeAttribute()
    sealed_key = UnicodeAttribute()
    hail_endpoint_production = UnicodeAttribute()
    operator_header_name = UnicodeAttribute()
    sealed_operator_api_key = UnicodeAttribute(null=True)
    clear_operator_api_key = UnicodeAttribute(attr_name="operator_api_key", null=True)
    signing_nonce = UnicodeAttribute(null=True)
    email_customer = UnicodeAttribute(null=True)
    email_technical = UnicodeAttribute(null=True)
    phone_number_customer = UnicodeAttribute(null=True)
    phone_number_technical = UnicodeAttribute(null=True)
    password = UnicodeAttribute(null=True)
    fleet_size = NumberAttribute(null=True)
    key_since = UTCDateTimeAttribute(null=True)
    old_key_digest = UnicodeAttribute(null=True)
    old_sealed_key = UnicodeAttribute(null=True)
    old_key_until = UTCDateTimeAttribute(null=True)
    old_signing_nonce = UnicodeAttribute(null=True)
    old_signing_until = UTCDateTimeAttribute(null=True)
    held_until = UTCDateTimeAttribute(null=True)  # in the item `id#`; no part of the record
    version = NumberAttribute()


_TEXTS = (
    *("name", "key_digest", "sealed_key", "password"),
    *("hail_endpoint_production", "operator_header_name"),
    *("sealed_operator_api_key", "clear_operator_api_key", "signing_nonce"),
    *("email_customer", "email_technical", "phone_number_customer", "phone_number_technical"),
)


def _row(record: Record, key: str) -> AccountRow:
    account = record.account
    return AccountRow(
        key,
        account_id=account.id,
        email=account.email,
        roles={str(role) for role in account.roles} or None,
        manager_id=account.manager_id,
        active=account.active,
        fleet_size=record.fleet_size,
        key_since=record.key_since,
        old_key_digest=record.old_key.digest if record.old_key else None,
        old_sealed_key=record.old_key.sealed if record.old_key else None,
        old_key_until=record.old_key.until if record.old_key else None,
        old_signing_nonce=record.old_nonce.nonce if record.old_nonce else None,
        old_signing_until=record.old_nonce.until if record.old_nonce else None,
        version=record.version,
        **{name: getattr(record, name) for name in _TEXTS},
    )


def _record(row: AccountRow) -> Record:
    return Record(
        account=Account(
            id=int(row.account_id),
            email=row.email,
            roles=frozenset(Role(role) for role in row.roles or ()),
            manager_id=None if row.manager_id is None else int(row.manager_id),
            active=row.active,
        ),
        fleet_size=None if row.fleet_size is None else int(row.fleet_size),
        key_since=row.key_since,
        old_key=OldKey(row.old_key_digest, row.old_sealed_key, row.old_key_until)
        if row.old_key_digest
        else None,
        old_nonce=OldNonce(row.old_signing_nonce or "", row.old_signing_until)
        if row.old_signing_until
        else None,
        version=int(row.version),
        **{name: getattr(row, name) or "" for name in _TEXTS},
    )


def _keys(record: Record) -> tuple[str, ...]:
    account = record.account
    digests = (record.key_digest, *((record.old_key.digest,) if record.old_key else ()))
    return f"id#{account.id}", f"email#{account.email}", *(f"key#{digest}" for digest in digests)


def _records(keys: Iterable[str]) -> Read[list[Record]]:
    """The accounts there are of these keys, in no order."""

    def record(item: Item) -> Record:
        row = AccountRow()
        row.deserialize(dict(item))  # type: ignore[arg-type]  # the same shape under another name
        return _record(row)

    return Read(
        table("accounts"), reads.keys("key", keys), lambda items: [record(item) for item in items]
    )


def _one(key: str) -> Record | None:
    """Reads an item; the small documents that are due come in the same call."""
    if len(key.encode()) > KEY_BYTES:
        return None
    records, _ = reads.read(_records([key]), documents.due())
    return records[0] if records else None


def by_key(key_digest: str) -> Record | None:
    """The account of an API key or of a previous one: `Record.opens_with` says whether it is valid."""
    return _one(f"key#{key_digest}")


def by_email(email: str) -> Record | None:
    """The account of an e-mail."""
    return _one(f"email#{email}")


def by_id(account_id: int) -> Record | None:
    """The account of an id."""
    return _one(f"id#{account_id}")


def by_ids(account_ids: Iterable[int]) -> list[Record]:
    """The accounts of these ids, in no order; up to a hundred in one call."""
    return reads.one(_records(f"id#{number}" for number in account_ids))


def every() -> Iterator[Record]:
    """All accounts, in no order: a scan, for the desk only."""
    for row in AccountRow.scan(AccountRow.key.startswith("id#")):
        yield _record(row)


def sealed(record: Record) -> Record:
    """The account with its webhook's own secret sealed; itself where it is already."""
    if not record.clear_operator_api_key:
        return record
    token = sealing.seal(record.clear_operator_api_key, Ring.HOOKS)
    return replace(record, sealed_operator_api_key=token, clear_operator_api_key="")


def hold(account_id: int, *, until: datetime) -> None:
    """Keeps out the writes of an account that say `unheld_at`, until then or until another write.

    Raises RecordMoved where a transaction is on its way.
    """
    row = AccountRow(f"id#{account_id}")
    try:
        row.update([AccountRow.held_until.set(until)], condition=AccountRow.key.exists())
    except UpdateError as error:
        if error.cause_response_code in {_CONFLICT, "ConditionalCheckFailedException"}:
            raise RecordMoved(f"account {account_id} is being changed") from error
        raise


def put(record: Record, *, before: Record | None, unheld_at: datetime | None = None) -> Record:
    """Stores a new account, or the account that was `before`, and returns it with its new version.

    Nothing secret is stored in clear, whatever an earlier build has left. Raises RecordMoved where another
    write came first, or with `unheld_at` where it is held then (`hold`).
    """
    stored = replace(sealed(record), version=before.version + 1 if before else 1)
    keys = _keys(stored)
    condition = (
        AccountRow.key.does_not_exist() if before is None else AccountRow.version == before.version
    )
    if unheld_at is not None:
        condition &= AccountRow.held_until.does_not_exist() | (AccountRow.held_until < unheld_at)
    try:
        with TransactWrite(connection=connection()) as transaction:
            for key in keys:
                fresh = before is not None and key not in _keys(before)
                transaction.save(
                    _row(stored, key),
                    condition=AccountRow.key.does_not_exist() if fresh else condition,
                )
            for owner in lists.of(stored.line):
                transaction.save(lists.row(stored.line, owner))
            if before is not None:
                for key in set(_keys(before)) - set(keys):
                    transaction.delete(AccountRow(key))
                for owner in set(lists.of(before.line)) - set(lists.of(stored.line)):
                    transaction.delete(LineRow(owner, stored.account.id))
    except TransactWriteError as error:
        if error.cause_response_code == "TransactionCanceledException":
            raise RecordMoved(f"account {record.account.email} was changed meanwhile") from error
        raise
    return stored
