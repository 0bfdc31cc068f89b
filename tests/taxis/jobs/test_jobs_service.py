"""Jobs are run in pages, go on where they were broken off, and tell what they did."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from chalicelib.foundation.jobs import store
from chalicelib.foundation.jobs.rules import Page
from chalicelib.foundation.settings import table
from chalicelib.taxis.jobs import service

pytestmark = pytest.mark.usefixtures("store")

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Broken(Exception):
    """What a page raises."""


class Counting:
    """A job of some pages that notes how it was called, and can be made to break."""

    def __init__(self, pages: int) -> None:
        self.calls: list[tuple[datetime, str | None, bool]] = []
        self.breaks_at: str | None = "never"
        self._pages = pages

    def __call__(self, *, now: datetime, after: str | None, dry_run: bool) -> Page:
        self.calls.append((now, after, dry_run))
        if after == self.breaks_at:
            raise Broken
        number = int(after or 0) + 1
        return Page({"counted": 1}, str(number) if number < self._pages else None)

    @property
    def places(self) -> list[str | None]:
        """Where each page began."""
        return [after for _, after, _ in self.calls]


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Counting]:
    """Makes the job `counting` of so many pages."""

    def make(pages: int) -> Counting:
        job = Counting(pages)
        monkeypatch.setattr(service, "JOBS", {"counting": job})
        return job

    return make


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_job_goes_from_page_to_page_as_of_one_moment(job: Callable[[int], Counting]) -> None:
    counting = job(3)
    heard: list[Mapping[str, int]] = []

    outcome = service.run("counting", now=NOON, report=lambda done: heard.append(dict(done)))

    assert counting.places == [None, "1", "2"]
    assert {now for now, _, _ in counting.calls} == {NOON}
    assert (outcome.done, outcome.pages, outcome.resumed) == ({"counted": 3}, 3, False)
    assert heard == [{"counted": 1}, {"counted": 2}, {"counted": 3}]


def test_a_job_that_broke_off_goes_on_there(job: Callable[[int], Counting]) -> None:
    counting = job(3)
    counting.breaks_at = "2"
    with pytest.raises(Broken):
        service.run("counting", now=NOON)
    counting.breaks_at = "never"

    outcome = service.run("counting", now=NOON + timedelta(minutes=1))

    assert counting.places == [None, "1", "2", "2"]
    assert (outcome.done, outcome.pages, outcome.resumed) == ({"counted": 3}, 1, True)
    service.run("counting", now=NOON + timedelta(days=1))
    assert counting.places[4:] == [None, "1", "2"]


def test_a_job_that_broke_off_yesterday_begins_anew(job: Callable[[int], Counting]) -> None:
    counting = job(3)
    counting.breaks_at = "2"
    with pytest.raises(Broken):
        service.run("counting", now=NOON)
    counting.breaks_at = "never"

    outcome = service.run("counting", now=NOON + timedelta(hours=20, seconds=1))

    assert counting.places[3:] == [None, "1", "2"]
    assert outcome.done == {"counted": 3}


def test_a_dry_run_leaves_the_place_of_the_real_one_alone(job: Callable[[int], Counting]) -> None:
    counting = job(3)
    counting.breaks_at = "2"
    with pytest.raises(Broken):
        service.run("counting", now=NOON)
    counting.breaks_at = "never"

    outcome = service.run("counting", now=NOON, dry_run=True)
    resumed = service.run("counting", now=NOON)

    assert [dry for _, _, dry in counting.calls] == [False] * 3 + [True] * 3 + [False]
    assert outcome.done == {"counted": 3}
    assert counting.places[-1] == "2"
    assert resumed.resumed


def test_a_run_is_a_metric_and_a_dry_one_is_not(
    job: Callable[[int], Counting], capsys: pytest.CaptureFixture[str]
) -> None:
    job(2)

    service.run("counting", now=NOON, dry_run=True)
    assert printed(capsys) == []
    service.run("counting", now=NOON)

    [line] = printed(capsys)
    assert (line["job"], line["stage"], line["counted"], line["pages"]) == (
        *("counting", "test", 2, 2),
    )
    [about] = line["_aws"]["CloudWatchMetrics"]
    assert about["Namespace"] == "Maraude"
    assert about["Dimensions"] == [["stage", "job"]]
    assert {"Name": "counted", "Unit": "Count"} in about["Metrics"]
    assert {"Name": "job_ms", "Unit": "Milliseconds"} in about["Metrics"]
    assert {metric["Name"] for metric in about["Metrics"]} <= line.keys()


def test_an_unknown_job_is_told(job: Callable[[int], Counting]) -> None:
    job(1)

    with pytest.raises(service.JobUnknown):
        service.run("counting-sheep", now=NOON)


def test_a_failure_is_noted_by_its_kind_and_of_two_errors_the_job_s_own_is_told(
    job: Callable[[int], Counting],
) -> None:
    counting = job(3)
    counting.breaks_at = "1"
    with pytest.raises(Broken):
        service.run("counting", now=NOON)
    assert store.last_failures() == {"counting": store.Failure(NOON, "Broken")}

    boto3.client("dynamodb").delete_table(TableName=table("statistics"))
    with pytest.raises(ClientError) as raised:
        service.run("counting", now=NOON)
    assert raised.value.operation_name == "GetItem"
