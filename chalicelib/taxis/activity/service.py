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


def record(*activities: Activity) -> None:
    """Writes entries, in one call. A failure is logged and fails no request."""
    try:
        store.put(*activities)
    except (BotoCoreError, ClientError, PynamoDBException) as error:
        actions = ", ".join(activity.action for activity in activities)
        logs.fault(log, error, "not_in_the_journal", action=actions)


def record_within(transaction: TransactWrite, activity: Activity) -> None:
    """Adds an entry to the transaction that it tells of."""
    for row in store.rows(activity):
        transaction.save(row)


def list_entries(
    filters: ActivityFilter, *, page: int, per_page: int, now: datetime
) -> tuple[list[Entry], int]:
    """A page of the entries that match a filter, newest first, and how many match in all.

    Beyond the newest `store.LISTED` there is none, and the count is a lower bound.
    """
    first = (page - 1) * per_page
    return store.page_of(filters.series(), first=first, size=per_page, now=now)
