"""How far a job has come: one sheet a job that is under way (`stats/sheets.py`).

| question                       | series | entry        | cost              | asked by |
| ------------------------------ | ------ | ------------ | ----------------- | -------- |
| where a broken-off job goes on | jobs   | a job's name | 1 unit, strong    | jobs     |
| it has come further            | jobs   | a job's name | 1 write unit      | jobs     |
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from chalicelib.stats import sheets

_SERIES = "jobs"


class Progress(NamedTuple):
    """A run that is not over: when it began, where it goes on, and what it has done so far."""

    began: datetime
    after: str
    done: Mapping[str, int]


def progress(name: str) -> Progress | None:
    """The job's run that is under way or was broken off; None where there is none."""
    sheet = sheets.get(_SERIES, name, consistent=True)
    if sheet is None:
        return None
    began_s, after, done = sheet.content
    return Progress(datetime.fromtimestamp(began_s, UTC), after, done)


def keep(name: str, progress: Progress) -> None:
    """Writes down how far a job has come."""
    sheets.put(_SERIES, name, [progress.began.timestamp(), progress.after, dict(progress.done)])


def finish(name: str) -> None:
    """The job is done: the next run begins from the beginning."""
    sheets.remove(_SERIES, name)
