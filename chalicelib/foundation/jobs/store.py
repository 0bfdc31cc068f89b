"""How far a job has come, and when it last came to its end (`foundation/store/sheets.py`).

| question                       | series | entry        | cost              | asked by |
| ------------------------------ | ------ | ------------ | ----------------- | -------- |
| where a broken-off job goes on | jobs   | a job's name | 1 unit, strong    | jobs     |
| it has come further            | jobs   | a job's name | 1 write unit      | jobs     |
| it has come to its end         | runs   | a job's name | 1 write unit      | jobs     |
| when each last did             | runs   | all          | 1 unit            | the desk |
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from chalicelib.foundation.store.sheets import Series


class Progress(Struct, frozen=True, array_like=True):
    """A run that is not over: when it began, where it goes on, and what it has done so far."""

    began: datetime
    after: str
    done: Mapping[str, int]


_JOBS = Series("jobs", Progress)
_RUNS = Series("runs", datetime)


def progress(name: str) -> Progress | None:
    """The job's run that is under way or was broken off; None where there is none."""
    return _JOBS.get(name, consistent=True)


def keep(name: str, progress: Progress) -> None:
    """Writes down how far a job has come."""
    _JOBS.put(name, progress)


def finish(name: str) -> None:
    """The job is done: the next run begins from the beginning."""
    _JOBS.remove(name)


def note_run(name: str, *, now: datetime) -> None:
    """The job has come to its end, in a run as of `now`."""
    _RUNS.put(name, now)


def last_runs() -> Mapping[str, datetime]:
    """As of when each job last came to its end, by name."""
    return dict(_RUNS.all())
