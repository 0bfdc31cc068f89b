"""The activity log: writing entries and listing them."""

import logging
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException
from pynamodb.transactions import TransactWrite

from chalicelib.foundation.observe import logs
from chalicelib.taxis.activity import store
from chalicelib.taxis.activity.rules import ActivityFilter, Entry
from chalicelib.taxis.vocabulary import Activity

log = logging.getLogger("maraude.activity")


def record(activity: Activity) -> None:
    """Writes an entry. A failure is logged and fails no request."""
    try:
        store.put(activity)
    except (BotoCoreError, ClientError, PynamoDBException) as error:
        logs.fault(log, error, "not_in_the_journal", action=activity.action)


def record_within(transaction: TransactWrite, activity: Activity) -> None:
    """Adds an entry to the transaction that it tells of."""
    transaction.save(store.row(activity))


def list_entries(
    filters: ActivityFilter, *, page: int, per_page: int, now: datetime
) -> tuple[list[Entry], int]:
    """A page of the entries that match a filter, newest first, and how many match in all.

    The newest `store.LISTED` entries are read: beyond that the count is a lower bound.
    """
    found = [entry for entry in store.newest(now) if filters.matches(entry.activity)]
    return found[(page - 1) * per_page : page * per_page], len(found)
