"""Lists of hails and sessions in DynamoDB: small items in one table, by owner.

| question                 | owner              | entry           | order        | cost              | asked by       |
| ------------------------ | ------------------ | --------------- | ------------ | ----------------- | -------------- |
| a partner's hails        | moteur#id,         | ms#hail_id      | newest first | 1 unit per 4 KB,  | GET /hails     |
|                          | operateur#id       |                 |              | some 12 hails     |                |
| an operator's hails that | operateur#id       | ms#hail_id      | newest first | the same; none    | nightly jobs   |
| should be deleted by now |                    |                 |              | are left, mostly  |                |
| a day's hails            | all#day            | ms#hail_id      | newest first | the same          | GET /hails of  |
|                          |                    |                 |              |                   | admins, jobs,  |
|                          |                    |                 |              |                   | GET /internal/ |
|                          |                    |                 |              |                   | customers      |
| the days there are, how  | days               | day             | newest first | 1 unit per 40     | GET of admins, |
| many hails they had, and |                    |                 |              | days              | jobs, the      |
| what is done with them   |                    |                 |              |                   | statistics     |
| a session                | session#moteur     | session_id      | one item     | 1 unit, strong    | POST /hails    |
| sessions of a moteur, of | sessions#moteur,   | ms#session_id   | newest first | 1 unit per 4 KB,  | GET /sessions  |
| a day                    | all-sessions#day   |                 |              | some 30 sessions  |                |
| which hails are not over | open#first letter  | hail_id         | none         | 16 queries, 1     | sweep          |
|                          |                    |                 |              | unit per 4 KB,    |                |
|                          |                    |                 |              | some 50 hails     |                |
| a request that is sent   | key#account        | digest of the   | one item     | 1 unit, strong    | POST /hails    |
| again                    |                    | Idempotency-Key |              |                   |                |

Lines are written by the transaction that writes their hail, so a list is never behind. All is read
strongly. A request reads `LISTED` lines at most. How many hails a day had is counted by night, when
it is over: nothing is counted while hails come in, which would make all of them wait for one item.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from msgspec import Struct
from pynamodb.expressions.update import Action
from pynamodb.pagination import ResultIterator

from chalicelib.foundation import cache
from chalicelib.foundation.values import milliseconds
from chalicelib.taxis.hails import rows
from chalicelib.taxis.hails.lines import Line, moment_entry
from chalicelib.taxis.hails.rows import ListRow
from chalicelib.taxis.hails.rules import Hail, day_of
from chalicelib.taxis.vocabulary import Role

LISTED = 10_000  # lines that a request reads at most

HAILS, SESSIONS = "all", "all-sessions"  # what each day has a list of

_SHARDS = "0123456789abcdef"  # a hail's id begins with one of them


class Day(Struct, frozen=True):
    """A day on which there were hails; the counts are None until it is over and counted.

    `in_statistics` says whether the statistics have all that they keep of its hails.
    """

    day: str
    hail_count: int | None
    session_count: int | None
    blurred: bool
    in_statistics: bool

    def count_of(self, kind: str) -> int | None:
        """How many lines its list of `HAILS` or of `SESSIONS` has."""
        return self.hail_count if kind == HAILS else self.session_count


# --- where things stand --------------------------------------------------------------------------


def owners(hail: Hail) -> tuple[str, str, str]:
    """The keys of the three lists that a hail is in."""
    return (
        f"moteur#{hail.moteur_id}",
        f"operateur#{hail.operateur_id}",
        f"{HAILS}#{day_of(hail.created_at)}",
    )


def session_owner(moteur_id: int) -> str:
    """The key under which a moteur's sessions are found by id."""
    return f"session#{moteur_id}"


def session_lines(
    moteur_id: int, session_id: str, customer_id: str, begun_at: datetime
) -> list[ListRow]:
    """The lines of a session in the two lists that it stands in."""
    entry = moment_entry(begun_at, session_id)
    return [
        ListRow(
            owner,
            entry,
            session_id=session_id,
            moteur_id=moteur_id,
            customer_id=customer_id,
            created_at=begun_at,
        )
        for owner in (f"sessions#{moteur_id}", f"{SESSIONS}#{day_of(begun_at)}")
    ]


def open_row(hail: Hail) -> ListRow:
    """The line of a hail that is not over."""
    return ListRow(
        f"open#{hail.hail_id[0]}", hail.hail_id, hail_id=hail.hail_id, deadline=hail.deadline
    )


def key_row(account_id: int, key: str) -> ListRow:
    """The line of an account's `Idempotency-Key`, still empty."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return ListRow(f"key#{account_id}", digest)


# --- reading -------------------------------------------------------------------------------------


def _query(
    owner: str,
    *,
    since: datetime | None = None,
    before: datetime | None = None,
    limit: int | None = None,
) -> ResultIterator[ListRow]:
    """The lines of one list, newest first, of times from `since` on or else earlier than `before`."""
    bounds = None
    if since is not None:
        bounds = ListRow.entry >= f"{milliseconds(since):015}"
    elif before is not None:
        bounds = ListRow.entry < f"{milliseconds(before):015}"
    return ListRow.query(owner, bounds, consistent_read=True, scan_index_forward=False, limit=limit)


def lines(owner: str, *, since: datetime | None = None, limit: int = LISTED) -> Iterator[Line]:
    """The hails of one list, newest first, those created before `since` left out."""
    return map(rows.line, _query(owner, since=since, limit=limit))


def taxis_hailed(operateur_id: int, *, before: datetime) -> frozenset[str]:
    """An operator's taxis that some hail created `before` is left of, for nightly jobs."""
    owner = f"{Role.OPERATEUR}#{operateur_id}"
    return frozenset(line.taxi_id for line in map(rows.line, _query(owner, before=before)))


def union(*lists: Iterable[Line], limit: int = LISTED) -> list[Line]:
    """The hails of several lists, newest first, each once."""
    found = {line.entry: line for lines in lists for line in lines}
    return [found[entry] for entry in sorted(found, reverse=True)[:limit]]


def lines_of_days(
    days: Iterable[str], *, before: datetime | None = None, limit: int = LISTED
) -> Iterator[Line]:
    """The hails of these days in their order, newest first in each; only those created `before`."""
    left = limit
    for day in days:
        for row in _query(f"{HAILS}#{day}", before=before, limit=left):
            left -= 1
            yield rows.line(row)
        if left <= 0:
            return


def sessions(moteur_id: int, *, limit: int = LISTED) -> list[ListRow]:
    """A moteur's sessions, newest first."""
    return list(_query(f"sessions#{moteur_id}", limit=limit))


def page_of_days(
    kind: str, *, first: int, size: int, before: datetime | None = None
) -> tuple[list[ListRow], int]:
    """`size` lines of all days' lists from the `first` on (0 is the newest), and how many there are.

    Only those created `before`. A counted day that the page does not touch is not read. Beyond
    `LISTED` lines read, the count is a lower bound.
    """
    found: list[ListRow] = []
    total, left = 0, LISTED
    last = None if before is None else day_of(before)
    for day in days():
        if last is not None and day.day > last:
            continue
        count = None if day.day == last else day.count_of(kind)
        if count is not None and (total + count <= first or len(found) == size):
            total += count
            continue
        if not left:
            break
        its_lines = list(_query(f"{kind}#{day.day}", before=before, limit=left))
        begin = max(0, first - total)
        found += its_lines[begin : begin + size - len(found)]
        total += len(its_lines)
        left -= len(its_lines)
    return found, total


def overdue(now: datetime) -> Iterator[str]:
    """The ids of the hails whose deadline has passed."""
    for shard in _SHARDS:
        late = ListRow.query(
            f"open#{shard}", filter_condition=ListRow.deadline <= now, consistent_read=True
        )
        for row in late:
            yield row.entry


# --- days ----------------------------------------------------------------------------------------

_known: cache.Memory[str, str] = cache.Memory(lambda: 4, lambda: 86_400.0)


def days() -> list[Day]:
    """The days on which there were hails, newest first."""
    return [
        Day(
            row.entry,
            None if row.hail_count is None else int(row.hail_count),
            None if row.session_count is None else int(row.session_count),
            bool(row.blurred),
            bool(row.in_statistics),
        )
        for row in _query("days")
    ]


def know(day: str) -> None:
    """Adds the day to the list of days; one write a day and process."""
    if _known.get(day) is None:
        # What nightly jobs wrote is taken away: this hail may come after the day was counted
        ListRow("days", day).update(
            [
                ListRow.blurred.set(False),  # a value
                ListRow.in_statistics.set(False),
                ListRow.hail_count.remove(),
                ListRow.session_count.remove(),
            ]
        )
        _known.put(day, day)


def count(day: str, *, blurred: bool | None = None) -> None:
    """Stores how many hails and sessions a past day has."""
    values: list[Action] = [
        ListRow.hail_count.set(ListRow.count(f"{HAILS}#{day}", consistent_read=True)),
        ListRow.session_count.set(ListRow.count(f"{SESSIONS}#{day}", consistent_read=True)),
    ]
    if blurred is not None:
        values.append(ListRow.blurred.set(blurred))
    ListRow("days", day).update(values)


def enter_in_statistics(day: str) -> None:
    """Stores that the statistics have counted a day."""
    ListRow("days", day).update([ListRow.in_statistics.set(True)])


def forget(day: str) -> None:
    """Deletes a day that has no hails left."""
    ListRow("days", day).delete()


def first_lines(day: str, *, after: str | None, limit: int) -> Sequence[Line]:
    """A day's hails, oldest first, from behind the entry `after` on."""
    begin = None if after is None else ListRow.entry > after
    found = ListRow.query(f"{HAILS}#{day}", begin, consistent_read=True, limit=limit)
    return [rows.line(row) for row in found]
