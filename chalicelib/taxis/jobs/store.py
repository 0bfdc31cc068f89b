"""How far a job has come, and when it last came to its end (`stats/sheets.py`).

| question                       | series | entry        | cost              | asked by |
| ------------------------------ | ------ | ------------ | ----------------- | -------- |
| where a broken-off job goes on | jobs   | a job's name | 1 unit, strong    | jobs     |
| it has come further            | jobs   | a job's name | 1 write unit      | jobs     |
| it has come to its end         | runs   | a job's name | 1 write unit      | jobs     |
| when each last did             | runs   | all          | 1 unit            | the desk |
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from chalicelib.foundation.store import sheets

_SERIES, _RUNS = "jobs", "runs"


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


def note_run(name: str, *, now: datetime) -> None:
    """The job has come to its end, in a run as of `now`."""
    sheets.put(_RUNS, name, now.timestamp())


def last_runs() -> Mapping[str, datetime]:
    """As of when each job last came to its end, by name."""
    return {
        sheet.entry: datetime.fromtimestamp(sheet.content, UTC) for sheet in sheets.every(_RUNS)
    }
