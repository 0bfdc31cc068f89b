"""Transactions and conditional writes of hails and their customers (`store.py` has what they cost).

Every write of a hail has the version that it was computed from as its condition, and takes along
whatever changes with it: the taxi, the customer, lines of lists, entries of logs.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from msgspec import Struct
from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from chalicelib.foundation.store.writes import Moved, connection, run_write, setting
from chalicelib.foundation.values import replace
from chalicelib.taxis.activity import service as activity
from chalicelib.taxis.hails import lists, request_log, rows, store
from chalicelib.taxis.hails.lines import line_of
from chalicelib.taxis.hails.request_log import Exchange
from chalicelib.taxis.hails.rows import CustomerRow, HailRow, ListRow
from chalicelib.taxis.hails.rules import Customer, Hail, day_of
from chalicelib.taxis.hails.store import Replay
from chalicelib.taxis.registry import service as registry
from chalicelib.taxis.registry.rules import Description
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import Activity

KEY_KEPT = timedelta(hours=24)  # of an Idempotency-Key
CUSTOMER_KEPT = timedelta(days=366)  # after the last hail, and no shorter than that is kept

# Reasons of a cancelled transaction after which it is computed anew
_OVERTAKEN = {
    "ConditionalCheckFailed",
    "TransactionConflict",
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
}


class TaxiStep(Struct, frozen=True):
    """A step's change of the taxi's description."""

    before: Description
    after: Description


@contextmanager
def _transaction() -> Iterator[TransactWrite]:
    """A transaction. Raises Moved where a condition failed or another transaction was in the way."""
    try:
        with TransactWrite(connection=connection()) as transaction:
            yield transaction
    except TransactWriteError as error:
        codes = {reason.code for reason in error.cancellation_reasons if reason is not None}
        if codes & _OVERTAKEN:
            raise Moved from error
        raise


def create(
    hail: Hail,
    taxis: Sequence[TaxiStep],
    *,
    new_session: bool,
    replay: Replay | None,
    exchange: Exchange,
    activities: Sequence[Activity],
) -> None:
    """Stores a new hail and takes its taxi, in every description of its vehicle.

    Raises Moved where the taxi has changed, the customer is banned, the session or the key of the
    request is another's by now, or the hail's id is taken.
    """
    now = hail.created_at
    kept = max(CUSTOMER_KEPT, timedelta(days=settings().hail_kept_days + 1))
    lists.know(day_of(now))
    with _transaction() as transaction:
        transaction.save(rows.hail_row(hail), condition=HailRow.hail_id.does_not_exist())
        for taxi in taxis:
            registry.add_hail_step(transaction, taxi.before, taxi.after)
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
        transaction.save(request_log.row(hail.hail_id, exchange))
        for entry in activities:
            activity.record_within(transaction, entry)


def swap(
    before: Hail,
    after: Hail,
    *,
    taxis: Sequence[TaxiStep] = (),
    customers: tuple[Customer, Customer] | None = None,
    exchange: Exchange | None = None,
    entries: Sequence[Activity] = (),
) -> Hail:
    """Stores a changed hail with all that changes with it; returns it as stored.

    `customers` is the customer before and after a report. Raises Moved where any of it has changed.
    """
    stored = replace(after, version=before.version + 1)
    with _transaction() as transaction:
        transaction.save(rows.hail_row(stored), condition=HailRow.version == before.version)
        if after.status is not before.status:
            _put_lines(transaction, stored)
        for taxi in taxis:
            registry.add_hail_step(transaction, taxi.before, taxi.after)
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
            transaction.save(request_log.row(before.hail_id, exchange))
        for entry in entries:
            activity.record_within(transaction, entry)
    return stored


def _put_lines(transaction: TransactWrite, hail: Hail) -> None:
    line = line_of(hail)
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
    """Adds the customer's part to the transaction: its latest session, and the given attributes."""
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
    run_write(partial(row.update, _ban(after), condition))


def blur(before: Hail, after: Hail, *, created_before: datetime) -> None:
    """Stores a blurred hail with its lines, and takes from its session and its customer what tells whose it was.

    The session keeps its customer for as long as it has a hail that was not `created_before`: which
    customer's the older ones are, that hail tells anyway. Raises Moved.
    """
    session, customer = store.session_and_customer(before)
    others = session.hail_ids - {before.hail_id} if session is not None else frozenset()
    is_old = all(hail.created_at < created_before for hail in store.hails(others).values())
    stored = replace(after, version=before.version + 1)
    with _transaction() as transaction:
        transaction.save(rows.hail_row(stored), condition=HailRow.version == before.version)
        _put_lines(transaction, stored)
        if session is not None and is_old:
            transaction.update(
                ListRow(lists.session_owner(stored.moteur_id), stored.session_id),
                actions=[ListRow.customer_id.set(stored.customer_id)],
                condition=ListRow.hails == set(session.hail_ids),
            )
            for line in lists.session_lines(
                stored.moteur_id, stored.session_id, stored.customer_id, session.begun_at
            ):
                transaction.save(line)
        if is_old and customer is not None and customer.session_id == before.session_id:
            transaction.update(
                CustomerRow(rows.customer_key(customer.moteur_id, customer.customer_id)),
                actions=[CustomerRow.session_id.remove(), CustomerRow.session_moved_at.remove()],
                condition=CustomerRow.session_id == before.session_id,
            )


def delete(hail: Hail) -> None:
    """Deletes a hail, its lines, and its session with the last hail in it. Raises Moved."""
    session = store.session(hail.moteur_id, hail.session_id)
    with _transaction() as transaction:
        transaction.delete(HailRow(hail.hail_id), condition=HailRow.version == hail.version)
        for owner in lists.owners(hail):
            transaction.delete(ListRow(owner, line_of(hail).entry))
        transaction.delete(lists.open_row(hail))
        if session is None:
            return
        row = ListRow(lists.session_owner(hail.moteur_id), hail.session_id)
        if session.hail_ids - {hail.hail_id}:
            transaction.update(row, actions=[ListRow.hails.delete({hail.hail_id})])
        else:
            transaction.delete(row, condition=ListRow.hails == set(session.hail_ids))
            for line in lists.session_lines(
                hail.moteur_id, hail.session_id, hail.customer_id, session.begun_at
            ):
                transaction.delete(line)
