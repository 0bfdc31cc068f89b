"""Accounts in DynamoDB.

| question                  | table    | key           | order    | cost               | asked by           |
| ------------------------- | -------- | ------------- | -------- | ------------------ | ------------------ |
| the account a key opens   | accounts | key#<SHA-256> | one item | 1 unit, strong     | every request, at  |
|                           |          |               |          |                    | most each 30 s     |
| the account of an e-mail  | accounts | email#<it>    | one item | 1 unit, strong     | X-Logas, `account` |
| the account of an id      | accounts | id#<number>   | one item | 1 unit, strong     | `account`          |
| all accounts              | accounts | scan          | none     | 0.5 unit per 4 KB  | `account list`     |

An account is one record under three keys, written together in one transaction (six units), so that
each question reads one item. `version` rises with each change and is the condition of the next.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pynamodb.attributes import (
    BooleanAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
)
from pynamodb.connection import Connection
from pynamodb.exceptions import TransactWriteError
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chalicelib import config, dynamo
from chalicelib.access.rules import Account, Role
from chalicelib.records import Place
from chalicelib.settings import settings, table


@dataclass(frozen=True, slots=True)
class Record:
    """All that is kept of an account. `sealed_key` opens with `vault.unseal`, `key_digest` finds it."""

    account: Account
    name: str
    key_digest: str
    sealed_key: str
    hail_endpoint_production: str = ""
    operator_header_name: str = ""
    operator_api_key: str = ""
    version: int = 0


class RecordMoved(Exception):
    """The account was changed, or its e-mail taken, by somebody else meanwhile."""


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
    operator_api_key = UnicodeAttribute()
    version = NumberAttribute()


def _row(record: Record, key: str) -> AccountRow:
    account = record.account
    return AccountRow(
        key,
        account_id=account.id,
        email=account.email,
        roles={str(role) for role in account.roles} or None,
        manager_id=account.manager_id,
        active=account.active,
        name=record.name,
        key_digest=record.key_digest,
        sealed_key=record.sealed_key,
        hail_endpoint_production=record.hail_endpoint_production,
        operator_header_name=record.operator_header_name,
        operator_api_key=record.operator_api_key,
        version=record.version,
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
        name=row.name,
        key_digest=row.key_digest,
        sealed_key=row.sealed_key,
        hail_endpoint_production=row.hail_endpoint_production,
        operator_header_name=row.operator_header_name,
        operator_api_key=row.operator_api_key,
        version=int(row.version),
    )


def _keys(record: Record) -> tuple[str, str, str]:
    account = record.account
    return f"id#{account.id}", f"email#{account.email}", f"key#{record.key_digest}"


def _one(key: str) -> Record | None:
    """Reads an item; the small documents that are due come in the same call (`config.py`)."""
    account = dynamo.Want(table("accounts"), [{"key": {"S": key}}])
    documents = config.wants()
    if documents is None:
        items = dynamo.fetch(account)[0]
    else:
        items, due = dynamo.fetch(account, documents)
        config.take(documents, due)
    if not items:
        return None
    row = AccountRow()
    row.deserialize(dict(items[0]))  # type: ignore[arg-type]  # the same shape under another name
    return _record(row)


def by_key(key_digest: str) -> Record | None:
    """The account a key opens."""
    return _one(f"key#{key_digest}")


def by_email(email: str) -> Record | None:
    """The account of an e-mail."""
    return _one(f"email#{email}")


def by_id(account_id: int) -> Record | None:
    """The account of an id."""
    return _one(f"id#{account_id}")


def every() -> Iterator[Record]:
    """All accounts, in no order: a scan, for the desk only."""
    for row in AccountRow.scan(AccountRow.key.startswith("id#")):
        yield _record(row)


def put(record: Record, *, before: Record | None) -> Record:
    """Stores a new account, or the account that was `before`, and returns it with its new version.

    Raises RecordMoved where another write came first.
    """
    stored = Record(
        **{
            **{name: getattr(record, name) for name in Record.__slots__},
            "version": before.version + 1 if before else 1,
        }
    )
    keys = _keys(stored)
    condition = (
        AccountRow.key.does_not_exist() if before is None else AccountRow.version == before.version
    )
    connection = Connection(region=settings().region, host=settings().endpoint or None)
    try:
        with TransactWrite(connection=connection) as transaction:
            for key in keys:
                fresh = before is not None and key not in _keys(before)
                transaction.save(
                    _row(stored, key),
                    condition=AccountRow.key.does_not_exist() if fresh else condition,
                )
            if before is not None:
                for key in set(_keys(before)) - set(keys):
                    transaction.delete(AccountRow(key))
    except TransactWriteError as error:
        if error.cause_response_code == "TransactionCanceledException":
            raise RecordMoved(f"account {record.account.email} was changed meanwhile") from error
        raise
    return stored
