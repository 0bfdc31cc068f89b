"""Hails, their customers and their request log in DynamoDB (`lists.py` has the lists).

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
| a hail's request log       | hail-log     | hail_id, time#  | 1 unit per 4 KB     | `hail show`       |
| one more entry of it       | hail-log     | hail_id, time#  | 1 write unit        | webhook           |
| a hail less                | hails, hail-lists              | 12 write units      | night             |

Every write of a hail has the version that it was computed from as its condition, and takes along
whatever changes with it: the taxi, the customer, lines of lists, entries of logs.
"""

import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from msgspec import Struct
from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chalicelib.foundation.settings import settings
from chalicelib.foundation.store import reads
from chalicelib.foundation.store.reads import Item, Want
from chalicelib.foundation.store.writes import Moved, connection, setting, written
from chalicelib.foundation.values import replace
from chalicelib.taxis.activity import store as activity
from chalicelib.taxis.activity.rules import Activity
from chalicelib.taxis.hails import lists, rows
from chalicelib.taxis.hails.rows import CustomerRow, HailRow, ListRow, LogRow
from chalicelib.taxis.hails.rules import Customer, Hail, day_of
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.positions.service import Trail
from chalicelib.taxis.registry import service as registry
from chalicelib.taxis.registry import store as registry_store
from chalicelib.taxis.registry.rules import Description, Taxi

R = TypeVar("R", bound=Model)

KEY_KEPT = timedelta(hours=24)  # of an Idempotency-Key
CUSTOMER_KEPT = timedelta(days=366)  # after the last hail, and no shorter than that is kept

# Of an item of a transaction: what it was computed from may be different by now
_OVERTAKEN = {
    "ConditionalCheckFailed",
    "TransactionConflict",
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
}


class Replay(Struct, frozen=True):
    """An `Idempotency-Key`: the account's, and the digest of the body that came with it."""

    account_id: int
    key: str
    digest: str


class Exchange(Struct, frozen=True):
    """An entry of a hail's request log. `payload` and `answer` are texts with phones masked."""

    at: datetime
    method: str
    payload: str
    user: str | None = None
    code: int | None = None
    answer: str | None = None
    initial_status: str | None = None
    final_status: str | None = None


class Session(Struct, frozen=True):
    """A session, and the hails in it. `begun` is when its first hail was created."""

    session_id: str
    moteur_id: int
    customer_id: str
    begun: datetime
    hails: frozenset[str]


class Before(Struct, frozen=True):
    """What a new hail goes by; each None where there is none such."""

    taxi: Taxi | None
    trail: Trail  # of the taxi
    customer: Customer | None
    session: Session | None
    replayed: tuple[str, str] | None  # the hail of the same Idempotency-Key, and its body's digest


class TaxiStep(Struct, frozen=True):
    """What a step does to the taxi's description."""

    before: Description
    after: Description


@contextmanager
def _transaction() -> Iterator[TransactWrite]:
    """All or nothing. Raises Moved where a condition failed or another transaction was in the way."""
    try:
        with TransactWrite(connection=connection()) as transaction:
            yield transaction
    except TransactWriteError as error:
        codes = {reason.code for reason in error.cancellation_reasons if reason is not None}
        if codes & _OVERTAKEN:
            raise Moved from error
        raise


def _want(model: type[Model], keys: Iterable[Item]) -> Want:
    return Want(model.Meta.table_name, list(keys))


def _rows(model: type[R], items: Iterable[Item]) -> list[R]:
    return [model.from_raw_data(dict(item)) for item in items]


def _line_key(row: ListRow) -> Item:
    return {"owner": {"S": row.owner}, "entry": {"S": row.entry}}


# --- reading -------------------------------------------------------------------------------------


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


def sessions(found: Collection[ListRow]) -> list[Session]:
    """The sessions of lines of a list, in their order."""
    keys = [ListRow(lists.session_owner(int(line.moteur_id)), line.session_id) for line in found]
    items = reads.fetch(_want(ListRow, map(_line_key, keys)))[0]
    known = {(row.owner, row.entry): _session(row) for row in _rows(ListRow, items)}
    return [known[key.owner, key.entry] for key in keys if (key.owner, key.entry) in known]


# --- writing -------------------------------------------------------------------------------------


def create(
    hail: Hail,
    taxi: TaxiStep,
    *,
    new_session: bool,
    replay: Replay | None,
    exchange: Exchange,
    done: Sequence[Activity],
) -> None:
    """Stores a new hail and takes its taxi.

    Raises Moved where the taxi has changed, the customer is banned, the session or the key of the
    request is another's by now, or the hail's id is taken.
    """
    now = hail.created_at
    kept = max(CUSTOMER_KEPT, timedelta(days=settings().hail_kept_days + 1))
    lists.know(day_of(now))
    with _transaction() as transaction:
        transaction.save(rows.hail_row(hail), condition=HailRow.hail_id.does_not_exist())
        registry_store.hail_step(transaction, taxi.before, taxi.after)
        _put_lines(transaction, hail)
        if new_session:
            for line in lists.session_lines(hail.moteur_id, hail.session_id, hail.customer_id, now):
                transaction.save(line)
        _join_session(transaction, hail, new=new_session)
        not_banned = (
            CustomerRow.ban_end.does_not_exist()
            | (CustomerRow.ban_end < now)
            | (CustomerRow.ban_begin > now)
        )
        _touch_customer(
            transaction,
            hail,
            also=[CustomerRow.ttl.set(int((now + kept).timestamp()))],
            condition=not_banned,
        )
        if replay is not None:
            row = lists.key_row(replay.account_id, replay.key)
            row.hail_id, row.digest = hail.hail_id, replay.digest
            row.ttl = int((now + KEY_KEPT).timestamp())
            unused = ListRow.ttl.does_not_exist() | (ListRow.ttl <= now.timestamp())
            transaction.save(row, condition=unused)
        transaction.save(_log_row(hail.hail_id, exchange))
        for one in done:
            transaction.save(activity.row(one))


def swap(
    before: Hail,
    after: Hail,
    *,
    taxi: TaxiStep | None = None,
    customers: tuple[Customer, Customer] | None = None,
    exchange: Exchange | None = None,
    done: Activity | None = None,
) -> Hail:
    """Stores what became of a hail, with all that changes with it, and returns it as it is stored.

    `customers` is the customer before and after a report. Raises Moved where any of it has changed.
    """
    stored = replace(after, version=before.version + 1)
    with _transaction() as transaction:
        transaction.save(rows.hail_row(stored), condition=HailRow.version == before.version)
        if after.status is not before.status:
            _put_lines(transaction, stored)
        if taxi is not None:
            registry_store.hail_step(transaction, taxi.before, taxi.after)
        also: list[Action] = []
        condition: Condition | None = None
        if customers is not None:
            also = _ban(customers[1])
            condition = _unchanged(customers[0])
        if after.status is not before.status or also:
            _touch_customer(
                transaction,
                stored,
                moved=after.status is not before.status,
                also=also,
                condition=condition,
            )
        if exchange is not None:
            transaction.save(_log_row(before.hail_id, exchange))
        if done is not None:
            transaction.save(activity.row(done))
    return stored


def _put_lines(transaction: TransactWrite, hail: Hail) -> None:
    line = rows.line_of(hail)
    for owner in lists.owners(hail):
        transaction.save(rows.line_row(owner, line))
    if hail.status.is_over:
        transaction.delete(lists.open_row(hail))
    else:
        transaction.save(lists.open_row(hail))


def _join_session(transaction: TransactWrite, hail: Hail, *, new: bool) -> None:
    row = ListRow(lists.session_owner(hail.moteur_id), hail.session_id)
    about = {
        "session_id": hail.session_id,
        "moteur_id": hail.moteur_id,
        "customer_id": hail.customer_id,
        "created_at": hail.created_at,
    }
    transaction.update(
        row,
        actions=[ListRow.hails.add({hail.hail_id}), *(setting(ListRow, about) if new else [])],
        condition=(
            ListRow.session_id.does_not_exist() if new else ListRow.customer_id == hail.customer_id
        ),
    )


def _touch_customer(
    transaction: TransactWrite,
    hail: Hail,
    *,
    moved: bool = True,
    also: Collection[Action] = (),
    condition: Condition | None = None,
) -> None:
    """The customer's part: the session that moved last, and what else is given."""
    actions = [
        CustomerRow.moteur_id.set(hail.moteur_id),
        CustomerRow.customer_id.set(hail.customer_id),
        *also,
    ]
    if moved:
        actions += [
            CustomerRow.session_id.set(hail.session_id),
            CustomerRow.session_moved_at.set(hail.last_status_change),
        ]
    row = CustomerRow(rows.customer_key(hail.moteur_id, hail.customer_id))
    transaction.update(row, actions=actions, condition=condition)


def _ban(customer: Customer) -> list[Action]:
    names = ("ban_begin", "ban_end", "reprieve_begin", "reprieve_end")
    values: dict[str, Any] = {name: getattr(customer, name) for name in names}
    return setting(CustomerRow, {**values, "changes": customer.changes + 1})


def _unchanged(customer: Customer) -> Condition:
    as_read: Condition = CustomerRow.changes == customer.changes
    return as_read if customer.changes else as_read | CustomerRow.changes.does_not_exist()


def change_customer(before: Customer, after: Customer) -> None:
    """Stores a customer's bans. Raises Moved where they have changed or the customer is gone."""
    row = CustomerRow(rows.customer_key(before.moteur_id, before.customer_id))
    condition = CustomerRow.customer.exists() & _unchanged(before)
    written(partial(row.update, _ban(after), condition))


# --- the request log -----------------------------------------------------------------------------


def _log_row(hail_id: str, exchange: Exchange) -> LogRow:
    return LogRow(
        hail_id,
        f"{exchange.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}#{secrets.token_hex(3)}",
        at=exchange.at,
        method=exchange.method,
        payload=exchange.payload,
        user=exchange.user,
        code=exchange.code,
        answer=exchange.answer,
        initial_status=exchange.initial_status,
        final_status=exchange.final_status,
        ttl=int((exchange.at + timedelta(days=settings().hail_log_days)).timestamp()),
    )


def append_log(hail_id: str, exchange: Exchange) -> None:
    """Adds to a hail's request log."""
    _log_row(hail_id, exchange).save()


def log(hail_id: str) -> list[Exchange]:
    """A hail's request log, oldest first."""
    return [
        Exchange(
            row.at.astimezone(UTC),
            row.method,
            row.payload,
            row.user,
            None if row.code is None else int(row.code),
            row.answer,
            row.initial_status,
            row.final_status,
        )
        for row in LogRow.query(hail_id, consistent_read=True)
    ]


# --- the night -----------------------------------------------------------------------------------


def blur(before: Hail, after: Hail) -> None:
    """Stores a hail without what tells who and where. Raises Moved."""
    row = rows.hail_row(replace(after, version=before.version + 1))
    written(partial(row.save, HailRow.version == before.version))


def delete(hail: Hail) -> None:
    """Takes away a hail, its lines, and its session with the last hail in it. Raises Moved."""
    owner = lists.session_owner(hail.moteur_id)
    items = reads.fetch(_want(ListRow, [_line_key(ListRow(owner, hail.session_id))]))[0]
    session = next((_session(row) for row in _rows(ListRow, items)), None)
    with _transaction() as transaction:
        transaction.delete(HailRow(hail.hail_id), condition=HailRow.version == hail.version)
        for owner_of_list in lists.owners(hail):
            transaction.delete(ListRow(owner_of_list, rows.line_of(hail).entry))
        transaction.delete(lists.open_row(hail))
        if session is None:
            return
        row = ListRow(owner, hail.session_id)
        if session.hails - {hail.hail_id}:
            transaction.update(row, actions=[ListRow.hails.delete({hail.hail_id})])
        else:
            transaction.delete(row, condition=ListRow.hails == set(session.hails))
            for line in lists.session_lines(
                hail.moteur_id, hail.session_id, hail.customer_id, session.begun
            ):
                transaction.delete(line)
