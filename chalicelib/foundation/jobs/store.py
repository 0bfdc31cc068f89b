"""Progress and last runs of jobs in DynamoDB (`foundation/store/sheets.py`).

| question                       | series   | entry        | cost              | asked by |
| ------------------------------ | -------- | ------------ | ----------------- | -------- |
| where a broken-off job goes on | jobs     | a job's name | 1 unit, strong    | jobs     |
| which have not come to an end  | jobs     | all          | 1 unit            | the desk |
| it has come further            | jobs     | a job's name | 1 write unit      | jobs     |
| it has come to its end         | runs     | a job's name | 1 write unit      | jobs     |
| when each last did             | runs     | all          | 1 unit            | the desk |
| it has failed                  | failures | a job's name | 1 write unit      | jobs     |
| when and how each last did     | failures | all          | 1 unit            | the desk |
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from chalicelib.foundation.store.sheets import Series


class Progress(Struct, frozen=True, array_like=True):
    """An unfinished run: when it began, where it goes on, and its counts so far."""

    began: datetime
    after: str
    done: Mapping[str, int]


class Failure(Struct, frozen=True, array_like=True):
    """A run of this time that ended in an error, and the error's kind; its text may name a person."""

    at: datetime
    error: str


_JOBS = Series("jobs", Progress)
_RUNS = Series("runs", datetime)
_FAILURES = Series("failures", Failure)


def progress(name: str) -> Progress | None:
    """The job's unfinished run; None where there is none."""
    return _JOBS.get(name, consistent=True)


def unfinished() -> Mapping[str, Progress]:
    """The unfinished runs of all jobs, by name: under way, or broken off."""
    return dict(_JOBS.all())


def keep(name: str, progress: Progress) -> None:
    """Stores how far a job has come."""
    _JOBS.put(name, progress)


def finish(name: str) -> None:
    """Deletes a job's progress: the next run begins anew."""
    _JOBS.remove(name)


def note_run(name: str, *, now: datetime) -> None:
    """Stores that a run of `now` has finished."""
    _RUNS.put(name, now)


def last_runs() -> Mapping[str, datetime]:
    """When each job last finished, by name."""
    return dict(_RUNS.all())


def note_failure(name: str, failure: Failure) -> None:
    """Stores that a run has failed, in place of a failure before it."""
    _FAILURES.put(name, failure)


def last_failures() -> Mapping[str, Failure]:
    """How each job last failed, by name; it may have finished since."""
    return dict(_FAILURES.all())
