"""What is written into the journal of the admins, and read from it."""

import logging
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException
from pynamodb.transactions import TransactWrite

from chalicelib.foundation.observe import logs
from chalicelib.taxis.activity import store
from chalicelib.taxis.activity.rules import Asked, Entry
from chalicelib.taxis.vocabulary import Activity

log = logging.getLogger("maraude.activity")


def record(activity: Activity) -> None:
    """Writes an entry. What it tells of has happened, and does not fail because this does."""
    try:
        store.put(activity)
    except (BotoCoreError, ClientError, PynamoDBException) as error:
        logs.fault(log, error, "not_in_the_journal", action=activity.action)


def record_within(transaction: TransactWrite, activity: Activity) -> None:
    """Adds an entry to the transaction that it tells of."""
    transaction.save(store.row(activity))


def list_entries(
    asked: Asked, *, page: int, per_page: int, now: datetime
) -> tuple[list[Entry], int]:
    """A page of the entries that are asked for, newest first, and how many there are in all.

    The newest `store.LISTED` entries are read: beyond that the count is a lower bound.
    """
    found = [entry for entry in store.newest(now) if asked.matches(entry.activity)]
    return found[(page - 1) * per_page : page * per_page], len(found)
