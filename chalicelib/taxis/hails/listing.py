"""What partners see of many hails: lists, and sessions with their hails.

A line whose deadline has passed is shown as it is once that is applied.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from chalicelib.foundation.settings import settings
from chalicelib.taxis.access.rules import Account, Role
from chalicelib.taxis.hails import lists, presentation, rows, rules, service, store
from chalicelib.taxis.hails.rows import Line
from chalicelib.taxis.hails.rules import Hail, Status
from chalicelib.taxis.hails.store import Session

# Customer support has nothing to do with what may still be on the way (letaxi-api 20.2).
SUPPORTED_AFTER = timedelta(hours=12)


class Filter(Struct, frozen=True):
    """What GET /hails may ask for: of each filter any value, of all filters each (letaxi-api 15.3).

    Texts match what begins with them, whatever the case; `dates` are days in UTC.
    """

    ids: Collection[str] = ()
    moteurs: Collection[str] = ()
    operateurs: Collection[str] = ()
    taxi_ids: Collection[str] = ()
    customer_ids: Collection[str] = ()
    statuses: Collection[Status] = ()
    dates: Collection[str] = ()

    def accepts(self, line: Line, viewer: Account) -> bool:
        """Whether the list shows the hail. A taxi is asked for by the id that the viewer is shown."""
        operateurs = self.operateurs if viewer.has(Role.ADMIN) else ()
        return (
            _begins(line.hail_id, self.ids)
            and _begins(line.moteur, self.moteurs)
            and _begins(line.operateur, operateurs)
            and _begins(taxi_id_for(line, viewer), self.taxi_ids)
            and _begins(line.customer_id, self.customer_ids)
            and (not self.statuses or line.status in self.statuses)
            and (not self.dates or rules.day_of(line.created_at) in self.dates)
        )


def _begins(text: str, prefixes: Collection[str]) -> bool:
    return not prefixes or text.casefold().startswith(tuple(map(str.casefold, prefixes)))


def taxi_id_for(line: Line, viewer: Account) -> str:
    """The taxi's id as this account knows it."""
    real = presentation.knows_taxi(viewer, line.operateur_id)
    return line.taxi_id if real else line.shown_taxi_id


def list_hails(
    viewer: Account, asked: Filter, *, page: int, per_page: int, now: datetime
) -> tuple[list[Line], int]:
    """A page of the hails that the account may see, newest first, and how many there are.

    Beyond `lists.LISTED` hails none is looked at, and the count is a lower bound.
    """
    first = (page - 1) * per_page
    if viewer.has(Role.ADMIN) and asked == Filter():
        found_rows, total = lists.page_of_days(lists.HAILS, first=first, size=per_page)
        page_of = [rows.line(row) for row in found_rows]
    else:
        found = [line for line in _lines(viewer, asked, now=now) if asked.accepts(line, viewer)]
        page_of, total = found[first : first + per_page], len(found)
    current = [_line(line, now=now) for line in page_of]
    return [line for line in current if asked.accepts(line, viewer)], total


def _lines(viewer: Account, asked: Filter, *, now: datetime) -> Collection[Line]:
    if viewer.has(Role.ADMIN):
        days = [day.day for day in lists.days() if not asked.dates or day.day in asked.dates]
        return list(lists.lines_of_days(days))
    since = now - timedelta(days=settings().hail_visible_days)
    return lists.union(
        *(
            lists.lines(f"{role}#{viewer.id}", since=since)
            for role in (Role.MOTEUR, Role.OPERATEUR)
            if viewer.has(role)
        )
    )


def _line(line: Line, *, now: datetime) -> Line:
    """The line as it is once the hail's deadline is applied."""
    if line.deadline is None or line.deadline > now:
        return line
    hail = service.current(line.hail_id, now=now)
    return line if hail is None else rows.line_of(hail)


def list_for_support(
    viewer: Account, asked: Filter, *, page: int, per_page: int, now: datetime
) -> tuple[list[Hail], int]:
    """A page of everybody's hails older than `SUPPORTED_AFTER`, newest first, and how many there are.

    Counted like `list_hails`; the hails of the page are read whole, 1 unit each.
    """
    first, before = (page - 1) * per_page, now - SUPPORTED_AFTER
    if asked == Filter():
        found_rows, total = lists.page_of_days(
            lists.HAILS, first=first, size=per_page, before=before
        )
        page_of = [rows.line(row) for row in found_rows]
    else:
        days = [day.day for day in lists.days() if day.day <= rules.day_of(before)]
        found = [
            line for line in lists.lines_of_days(days, before=before) if asked.accepts(line, viewer)
        ]
        page_of, total = found[first : first + per_page], len(found)
    current = [_line(line, now=now) for line in page_of]
    hails = store.hails([line.hail_id for line in current if asked.accepts(line, viewer)])
    return [hails[line.hail_id] for line in current if line.hail_id in hails], total


class Group(Struct, frozen=True):
    """A session with its hails, oldest first."""

    session: Session
    hails: Sequence[Hail]


def list_sessions(
    viewer: Account, *, page: int, per_page: int, now: datetime
) -> tuple[list[Group], int]:
    """A page of the sessions that the account may see, newest first, and how many there are."""
    first = (page - 1) * per_page
    if viewer.has(Role.ADMIN):
        found, total = lists.page_of_days(lists.SESSIONS, first=first, size=per_page)
    else:
        own = lists.sessions(viewer.id)
        found, total = own[first : first + per_page], len(own)
    sessions = store.sessions(found)
    hails = store.hails([hail_id for session in sessions for hail_id in session.hails])
    return [_group(session, hails, now=now) for session in sessions], total


def _group(session: Session, hails: Mapping[str, Hail], *, now: datetime) -> Group:
    its_hails = [hails[hail_id] for hail_id in session.hails if hail_id in hails]
    current = [
        (service.expire(hail.hail_id, now=now, way="read") or hail) if hail.is_late(now) else hail
        for hail in its_hails
    ]
    return Group(session, sorted(current, key=lambda hail: (hail.created_at, hail.hail_id)))
