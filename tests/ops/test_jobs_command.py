"""`maraude job`: which jobs there are, and one of them run by hand."""

import json
from datetime import datetime

import pytest
from chalice.app import ScheduledEventConfig

from app import app
from chalicelib.foundation.jobs.rules import Page
from chalicelib.taxis.jobs import service
from ops.cli.main import main

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands' registry is the one of the tests."""
    monkeypatch.setattr("ops.cli.target.connect", lambda _: None)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """The job `counting` of three pages; whether each of them was dry."""
    pages: list[bool] = []

    def count(*, now: datetime, after: str | None, dry_run: bool) -> Page:  # noqa: ARG001  # a job's
        """Counts to three."""
        pages.append(dry_run)
        number = int(after or 0) + 1
        return Page({"counted": 1}, str(number) if number < 3 else None)

    monkeypatch.setattr(service, "JOBS", {"counting": count, "another": count})
    return pages


def test_every_job_is_listed_with_its_time_and_what_it_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["job", "list"]) == 0

    titles, *listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == sorted(service.JOBS)
    [line] = [line for line in listed if line.startswith("blur-hails ")]
    assert "cron(2 4 * * ? *)" in line
    assert line.endswith("what tells who and where.")
    assert all(line[titles.index("WHAT") :].strip() not in {"", "-"} for line in listed)


def test_every_job_has_a_schedule_of_its_name() -> None:
    scheduled = {
        source.name.replace("_", "-")
        for source in app.event_sources
        if isinstance(source, ScheduledEventConfig)
    }

    assert set(service.JOBS) <= scheduled


def test_a_job_is_run_to_its_end_and_its_counts_are_all_that_is_printed(
    counting: list[bool], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["job", "run", "counting"]) == 0

    assert counting == [False] * 3
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "job": "counting",
        "counted": 3,
        "pages": 3,
        "resumed": False,
        "dry_run": False,
    }


def test_a_dry_run_is_one(counting: list[bool], capsys: pytest.CaptureFixture[str]) -> None:
    main(["job", "run", "counting", "--dry-run"])

    assert counting == [True] * 3
    assert json.loads(capsys.readouterr().out)["dry_run"]


def test_a_job_that_there_is_not_is_told_with_those_that_there_are(
    counting: list[bool], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["job", "run", "counting-sheep"]) == 1

    said = capsys.readouterr().err
    assert said == "There is no job 'counting-sheep'; there are another, counting.\n"
    assert counting == []
