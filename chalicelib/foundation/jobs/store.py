"""Progress and last runs of jobs in DynamoDB (`foundation/store/sheets.py`).

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
    """An unfinished run: when it began, where it goes on, and its counts so far."""

    began: datetime
    after: str
    done: Mapping[str, int]


def progress(name: str) -> Progress | None:
    """The job's unfinished run; None where there is none."""
    sheet = sheets.get(_SERIES, name, consistent=True)
    if sheet is None:
        return None
    began_s, after, done = sheet.content
    return Progress(datetime.fromtimestamp(began_s, UTC), after, done)


def keep(name: str, progress: Progress) -> None:
    """Stores how far a job has come."""
    sheets.put(_SERIES, name, [progress.began.timestamp(), progress.after, dict(progress.done)])


def finish(name: str) -> None:
    """Deletes a job's progress: the next run begins anew."""
    sheets.remove(_SERIES, name)


def note_run(name: str, *, now: datetime) -> None:
    """Stores that a run of `now` has finished."""
    sheets.put(_RUNS, name, now.timestamp())


def last_runs() -> Mapping[str, datetime]:
    """When each job last finished, by name."""
    return {
        sheet.entry: datetime.fromtimestamp(sheet.content, UTC) for sheet in sheets.every(_RUNS)
    }
