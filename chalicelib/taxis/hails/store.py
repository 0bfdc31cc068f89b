"""Hails and their customers in DynamoDB: questions, costs, reads.

| question                   | table        | key             | cost                | asked by          |
| -------------------------- | ------------ | --------------- | ------------------- | ----------------- |
| this hail                  | hails        | hail_id         | 1 unit, strong      | GET, PUT, queues  |
| these hails                | hails        | hail_id         | 1 unit a hail,      | GET /sessions,    |
|                            |              |                 | strong              | GET /internal/    |
|                            |              |                 |                     | customers         |
| what a new hail depends on | taxis,       | their keys      | 2 to 4 units,       | POST /hails       |
|                            | customers,   |                 | strong, one call    |                   |
|                            | hail-lists   |                 |                     |                   |
| a new hail                 | hails, descriptions, customers,| 32 write units or   | POST /hails       |
|                            | hail-lists, hail-log, journal  | so; 4 more in a new |                   |
|                            |              |                 | session             |                   |
| its next step              | the same                       | 16 to 24 write      | PUT, queues       |
|                            |              |                 | units               |                   |
| another field              | hails,       | hail_id         | 6 write units       | PUT               |
|                            | hail-log     |                 |                     |                   |
| a customer                 | customers    | moteur#customer | 1 unit, strong      | PUT /customers,   |
|                            |              |                 |                     | PUT with a report |
| another ban                | customers    | moteur#customer | 1 write unit        | PUT /customers    |
| a blurred hail             | hails, hail-lists, customers   | 12 to 20 write      | blur-hails        |
|                            |              |                 | units               |                   |
| a hail less                | hails, hail-lists              | 12 write units      | delete-old-hails  |

Writes are in `writes.py`, lists in `lists.py`, request logs in `request_log.py`.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import TypeVar

from msgspec import Struct
from pynamodb.models import Model

from chalicelib.foundation.store import reads
from chalicelib.foundation.store.reads import Item, Read
from chalicelib.taxis.hails import lists, rows
from chalicelib.taxis.hails.lines import Session
from chalicelib.taxis.hails.rows import CustomerRow, HailRow, ListRow
from chalicelib.taxis.hails.rules import Customer, Hail
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.positions.service import Trail
from chalicelib.taxis.registry import service as registry
from chalicelib.taxis.registry.rules import Taxi

R = TypeVar("R", bound=Model)


class Replay(Struct, frozen=True):
    """An `Idempotency-Key`: the account's, and the digest of the body that came with it."""

    account_id: int
    key: str
    digest: str


class Context(Struct, frozen=True):
    """What a new hail depends on; each None where there is none such."""

    taxi: Taxi | None
    trail: Trail  # of the taxi
    customer: Customer | None
    session: Session | None
    earlier: tuple[str, str] | None  # the hail of the same Idempotency-Key, and its body's digest


def _rows(model: type[R], keys: Iterable[Item]) -> Read[list[R]]:
    """The rows there are of these keys, in their order."""
    return Read(
        model.Meta.table_name,
        list(keys),
        lambda items: [model.from_raw_data(dict(item)) for item in items],
    )


def _lines(rows: Iterable[ListRow]) -> Read[list[ListRow]]:
    """The lines there are of these keys; only their keys are used."""
    return _rows(ListRow, [{"owner": {"S": row.owner}, "entry": {"S": row.entry}} for row in rows])


def _customer(moteur_id: int, customer_id: str) -> Read[Customer | None]:
    key = rows.customer_key(moteur_id, customer_id)
    found = _rows(CustomerRow, [{"customer": {"S": key}}])
    return found.then(lambda those: next(map(rows.customer, those), None))


def hail(hail_id: str) -> Hail | None:
    """The hail, as the last write left it."""
    return hails([hail_id]).get(hail_id)


def hails(hail_ids: Collection[str]) -> dict[str, Hail]:
    """Those of the hails that there are, as the last writes left them."""
    found = reads.one(_rows(HailRow, [{"hail_id": {"S": hail_id}} for hail_id in hail_ids]))
    return {row.hail_id: rows.hail(row) for row in found}


def customer(moteur_id: int, customer_id: str) -> Customer | None:
    """A moteur's customer."""
    return reads.one(_customer(moteur_id, customer_id))


def context(
    taxi_id: str,
    *,
    moteur_id: int,
    customer_id: str,
    session_id: str | None,
    replay: Replay | None,
    now: datetime,
) -> Context:
    """What a new hail depends on, in one call."""
    own: list[ListRow] = []
    if session_id is not None:
        own.append(ListRow(lists.session_owner(moteur_id), session_id))
    if replay is not None:
        own.append(lists.key_row(replay.account_id, replay.key))
    taxi, trail, customer, lines = reads.read(
        registry.taxi_by_id(taxi_id),
        positions.trail([taxi_id], now=now),
        _customer(moteur_id, customer_id),
        _lines(own),
    )
    session = next((_session(row) for row in lines if row.session_id), None)
    return Context(taxi, trail, customer, session, _earlier(lines, now=now))


def earlier(replay: Replay, *, now: datetime) -> tuple[str, str] | None:
    """The hail of an `Idempotency-Key`, and its body's digest."""
    found = reads.one(_lines([lists.key_row(replay.account_id, replay.key)]))
    return _earlier(found, now=now)


def _earlier(lines: Iterable[ListRow], *, now: datetime) -> tuple[str, str] | None:
    keys = (row for row in lines if row.digest and row.hail_id and row.ttl > now.timestamp())
    return next(((row.hail_id or "", row.digest or "") for row in keys), None)


def _session(row: ListRow) -> Session:
    return Session(
        row.session_id or "",
        int(row.moteur_id),
        row.customer_id or "",
        row.created_at,
        frozenset(row.hails or ()),
    )


def session(moteur_id: int, session_id: str) -> Session | None:
    """A moteur's session."""
    lines = reads.one(_lines([ListRow(lists.session_owner(moteur_id), session_id)]))
    return next(map(_session, lines), None)


def session_and_customer(hail: Hail) -> tuple[Session | None, Customer | None]:
    """A hail's session and its customer, in one call."""
    owner = lists.session_owner(hail.moteur_id)
    lines, customer = reads.read(
        _lines([ListRow(owner, hail.session_id)]), _customer(hail.moteur_id, hail.customer_id)
    )
    return next(map(_session, lines), None), customer


def sessions(found: Collection[ListRow]) -> list[Session]:
    """The sessions of lines of a list, in their order."""
    keys = [ListRow(lists.session_owner(int(line.moteur_id)), line.session_id) for line in found]
    known = {(row.owner, row.entry): _session(row) for row in reads.one(_lines(keys))}
    return [known[key.owner, key.entry] for key in keys if (key.owner, key.entry) in known]
