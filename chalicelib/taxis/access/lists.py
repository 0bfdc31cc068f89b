"""Lists of accounts in DynamoDB.

| question                 | table         | key              | order | cost             | asked by    |
| ------------------------ | ------------- | ---------------- | ----- | ---------------- | ----------- |
| a line on every account  | account-lists | all, id          | by id | 1 unit per 4 KB, | GET /users  |
|                          |               |                  |       | some 30 accounts | of admins   |
| lines on the accounts    | account-lists | manager#<id>, id | by id | the same         | GET /users, |
| that one manages         |               |                  |       |                  | /users/{id} |

An account's lines are written with it, in one transaction (`store.put`).
"""

from pynamodb.attributes import NumberAttribute, UnicodeAttribute, UnicodeSetAttribute
from pynamodb.models import Model

from chalicelib.foundation.settings import table
from chalicelib.foundation.store.models import Place
from chalicelib.taxis.access.rules import Line
from chalicelib.taxis.vocabulary import Role

LISTED = 10_000  # lines that a request reads at most
_ALL = "all"


class LineRow(Model):
    """The item of an account in the list of all accounts, or of those that one manages."""

    class Meta(Place):
        table_name = table("account-lists")

    owner = UnicodeAttribute(hash_key=True)
    account_id = NumberAttribute(range_key=True)
    email = UnicodeAttribute()
    name = UnicodeAttribute()
    roles = UnicodeSetAttribute(null=True)
    manager_id = NumberAttribute(null=True)


def of(line: Line) -> tuple[str, ...]:
    """The keys of the lists that an account is in."""
    return (_ALL,) if line.manager_id is None else (_ALL, _managed(line.manager_id))


def row(line: Line, owner: str) -> LineRow:
    """The item of an account in one of its lists."""
    return LineRow(
        owner,
        line.id,
        email=line.email,
        name=line.name,
        roles={str(role) for role in line.roles} or None,
        manager_id=line.manager_id,
    )


def every() -> list[Line]:
    """A line on each account there is, by id."""
    return _list(_ALL)


def managed_by(manager_id: int) -> list[Line]:
    """A line on each account that one manages, by id."""
    return _list(_managed(manager_id))


def _managed(manager_id: int) -> str:
    return f"manager#{manager_id}"


def _list(owner: str) -> list[Line]:
    return [_line(row) for row in LineRow.query(owner, consistent_read=True, limit=LISTED)]


def _line(row: LineRow) -> Line:
    return Line(
        id=int(row.account_id),
        email=row.email,
        name=row.name,
        roles=frozenset(Role(role) for role in row.roles or ()),
        manager_id=None if row.manager_id is None else int(row.manager_id),
    )
