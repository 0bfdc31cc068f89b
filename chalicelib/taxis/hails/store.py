"""Hails and their customers in DynamoDB: what is asked, at what cost, and the reads.

| question                   | table        | key             | cost                | asked by          |
| -------------------------- | ------------ | --------------- | ------------------- | ----------------- |
| this hail                  | hails        | hail_id         | 1 unit, strong      | GET, PUT, queues  |
| these hails                | hails        | hail_id         | 1 unit a hail,      | GET /sessions,    |
|                            |              |                 | strong              | GET /internal/    |
|                            |              |                 |                     | customers         |
| what a new hail goes by    | taxis,       | their keys      | 2 to 4 units,       | POST /hails       |
|                            | customers,   |                 | strong, one call    |                   |
|                            | hail-lists   |                 |                     |                   |
| a new hail                 | hails, descriptions, customers,| 28 write units or   | POST /hails       |
|                            | hail-lists, hail-log, activity | so; 4 more in a new |                   |
|                            |              |                 | session             |                   |
| its next step              | the same                       | 16 to 22 write      | PUT, queues       |
|                            |              |                 | units               |                   |
| another field              | hails,       | hail_id         | 6 write units       | PUT               |
|                            | hail-log     |                 |                     |                   |
| a customer                 | customers    | moteur#customer | 1 unit, strong      | PUT /customers,   |
|                            |              |                 |                     | PUT with a report |
| another ban                | customers    | moteur#customer | 1 write unit        | PUT /customers    |
| a blurred hail             | hails        | hail_id         | 2 write units       | blur-hails        |
| a hail less                | hails, hail-lists              | 12 write units      | delete-old-hails  |

Writes are in `writes.py`, lists in `lists.py`, request logs in `request_log.py`.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import TypeVar

from msgspec import Struct
from pynamodb.models import Model

from chalicelib.foundation.store import reads
from chalicelib.foundation.store.reads import Item, Want
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


class Before(Struct, frozen=True):
    """What a new hail goes by; each None where there is none such."""

    taxi: Taxi | None
    trail: Trail  # of the taxi
    customer: Customer | None
    session: Session | None
    replayed: tuple[str, str] | None  # the hail of the same Idempotency-Key, and its body's digest


def _want(model: type[Model], keys: Iterable[Item]) -> Want:
    return Want(model.Meta.table_name, list(keys))


def _rows(model: type[R], items: Iterable[Item]) -> list[R]:
    return [model.from_raw_data(dict(item)) for item in items]


def _line_key(row: ListRow) -> Item:
    return {"owner": {"S": row.owner}, "entry": {"S": row.entry}}


def hail(hail_id: str) -> Hail | None:
    """The hail, as the last write left it."""
    return hails([hail_id]).get(hail_id)


def hails(hail_ids: Collection[str]) -> dict[str, Hail]:
    """Those of the hails that there are, as the last writes left them."""
    items = reads.fetch(_want(HailRow, [{"hail_id": {"S": hail_id}} for hail_id in hail_ids]))[0]
    return {row.hail_id: rows.hail(row) for row in _rows(HailRow, items)}


def customer(moteur_id: int, customer_id: str) -> Customer | None:
    """A moteur's customer."""
    key = rows.customer_key(moteur_id, customer_id)
    items = reads.fetch(_want(CustomerRow, [{"customer": {"S": key}}]))[0]
    return next((rows.customer(row) for row in _rows(CustomerRow, items)), None)


def before(
    taxi_id: str,
    *,
    moteur_id: int,
    customer_id: str,
    session_id: str | None,
    replay: Replay | None,
    now: datetime,
) -> Before:
    """What a new hail goes by, in one call."""
    key = rows.customer_key(moteur_id, customer_id)
    own: list[ListRow] = []
    if session_id is not None:
        own.append(ListRow(lists.session_owner(moteur_id), session_id))
    if replay is not None:
        own.append(lists.key_row(replay.account_id, replay.key))
    taxis, pointers, customers, lines = reads.fetch(
        registry.taxi_wanted(taxi_id),
        positions.pointers_wanted([taxi_id]),
        _want(CustomerRow, [{"customer": {"S": key}}]),
        _want(ListRow, map(_line_key, own)),
    )
    found = _rows(ListRow, lines)
    return Before(
        registry.taxi_of(taxis),
        positions.trail([taxi_id], pointers, now=now),
        next((rows.customer(row) for row in _rows(CustomerRow, customers)), None),
        next((_session(row) for row in found if row.session_id), None),
        next(
            (
                (row.hail_id, row.digest)
                for row in found
                if row.digest and row.hail_id and row.ttl > now.timestamp()
            ),
            None,
        ),
    )


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
    key = _line_key(ListRow(lists.session_owner(moteur_id), session_id))
    items = reads.fetch(_want(ListRow, [key]))[0]
    return next((_session(row) for row in _rows(ListRow, items)), None)


def sessions(found: Collection[ListRow]) -> list[Session]:
    """The sessions of lines of a list, in their order."""
    keys = [ListRow(lists.session_owner(int(line.moteur_id)), line.session_id) for line in found]
    items = reads.fetch(_want(ListRow, map(_line_key, keys)))[0]
    known = {(row.owner, row.entry): _session(row) for row in _rows(ListRow, items)}
    return [known[key.owner, key.entry] for key in keys if (key.owner, key.entry) in known]
