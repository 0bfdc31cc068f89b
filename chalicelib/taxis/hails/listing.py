"""Pages of hails and of sessions with their hails.

A line whose deadline has passed is listed as it is once that is applied.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from chalicelib.taxis.hails import expiry, lists, lookup, rows, rules, store
from chalicelib.taxis.hails.lines import Filter, Line, Session, SessionHails, line_of
from chalicelib.taxis.hails.rules import Hail
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import Account, Role

# Customer support has nothing to do with what may still be on the way [contract: Customer support].
SUPPORTED_AFTER = timedelta(hours=12)


def list_hails(
    viewer: Account, matching: Filter, *, page: int, per_page: int, now: datetime
) -> tuple[list[Line], int]:
    """A page of the hails that the account may see, newest first, and how many there are.

    Beyond `lists.LISTED` hails none is looked at, and the count is a lower bound.
    """
    first = (page - 1) * per_page
    if viewer.has(Role.ADMIN) and matching == Filter():
        found_rows, total = lists.page_of_days(lists.HAILS, first=first, size=per_page)
        page_of = [rows.line(row) for row in found_rows]
    else:
        found = [
            line for line in _lines(viewer, matching, now=now) if matching.accepts(line, viewer)
        ]
        page_of, total = found[first : first + per_page], len(found)
    current = [_line(line, now=now) for line in page_of]
    return [line for line in current if matching.accepts(line, viewer)], total


def _lines(viewer: Account, matching: Filter, *, now: datetime) -> Collection[Line]:
    if viewer.has(Role.ADMIN):
        days = [day.day for day in lists.days() if not matching.dates or day.day in matching.dates]
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
    hail = lookup.current(line.hail_id, now=now)
    return line if hail is None else line_of(hail)


def list_for_support(
    viewer: Account, matching: Filter, *, page: int, per_page: int, now: datetime
) -> tuple[list[Hail], int]:
    """A page of everybody's hails older than `SUPPORTED_AFTER`, newest first, and how many there are.

    Counted like `list_hails`; the hails of the page are read whole, 1 unit each.
    """
    first, before = (page - 1) * per_page, now - SUPPORTED_AFTER
    if matching == Filter():
        found_rows, total = lists.page_of_days(
            lists.HAILS, first=first, size=per_page, before=before
        )
        page_of = [rows.line(row) for row in found_rows]
    else:
        days = [day.day for day in lists.days() if day.day <= rules.day_of(before)]
        found = [
            line
            for line in lists.lines_of_days(days, before=before)
            if matching.accepts(line, viewer)
        ]
        page_of, total = found[first : first + per_page], len(found)
    current = [_line(line, now=now) for line in page_of]
    hails = store.hails([line.hail_id for line in current if matching.accepts(line, viewer)])
    return [hails[line.hail_id] for line in current if line.hail_id in hails], total


def list_sessions(
    viewer: Account, *, page: int, per_page: int, now: datetime
) -> tuple[list[SessionHails], int]:
    """A page of the sessions that the account may see, newest first, and how many there are."""
    first = (page - 1) * per_page
    if viewer.has(Role.ADMIN):
        found, total = lists.page_of_days(lists.SESSIONS, first=first, size=per_page)
    else:
        own = lists.sessions(viewer.id)
        found, total = own[first : first + per_page], len(own)
    sessions = store.sessions(found)
    hails = store.hails([hail_id for session in sessions for hail_id in session.hail_ids])
    return [_group(session, hails, now=now) for session in sessions], total


def _group(session: Session, hails: Mapping[str, Hail], *, now: datetime) -> SessionHails:
    its_hails = [hails[hail_id] for hail_id in session.hail_ids if hail_id in hails]
    current = [
        (expiry.expire(hail.hail_id, now=now, way="read") or hail) if hail.is_late(now) else hail
        for hail in its_hails
    ]
    return SessionHails(session, sorted(current, key=lambda hail: (hail.created_at, hail.hail_id)))
