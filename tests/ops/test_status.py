"""`maraude status`: its figures, from CloudWatch and from a local system's logs, and its table."""

import json
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from chalicelib.foundation import clock
from chalicelib.foundation.aws import clients
from chalicelib.foundation.jobs import store as jobs
from chalicelib.foundation.jobs.rules import Page
from chalicelib.foundation.jobs.store import Progress
from chalicelib.foundation.observe import metrics
from chalicelib.foundation.store.reads import StoreBusy
from chalicelib.taxis.jobs import service
from chalicelib.taxis.vocabulary import Role, TaxiStatus
from ops.cli import administration
from ops.cli.main import main
from ops.cli.status import figures, sources
from ops.cli.status.command import read
from ops.cli.status.figures import DAY, HOUR, POSITIONS, SEARCHES, Counted, Metric, Operator, Status
from ops.cli.status.sources import CloudWatch, Logs
from tests.emitted import metrics_of
from tests.ops.conftest import calls_of
from tests.taxis.stats.roads import Road

NOW = datetime(2026, 3, 2, 12, 0, 30, tzinfo=UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


# --- figures ----------------------------------------------------------------------------------------


def test_the_hour_and_the_day_are_added_up_and_nothing_heard_is_not_zero() -> None:
    samples = {SEARCHES: {NOW - MINUTE: 2.0, NOW - 2 * HOUR: 5.0, NOW - 2 * DAY: 9.0}}

    assert figures.counted(samples, SEARCHES, NOW) == Counted(2, 7)
    assert figures.counted({SEARCHES: {NOW - MINUTE: 0.0}}, SEARCHES, NOW) == Counted(0, 0)
    assert figures.counted({SEARCHES: {NOW - 2 * HOUR: 5.0}}, SEARCHES, NOW) == Counted(None, 5)
    assert figures.counted({}, SEARCHES, NOW) == Counted(None, None)


def test_positions_a_second_are_those_of_five_whole_minutes_less_the_last() -> None:
    noon = NOW.replace(second=0)
    each = {noon - count * MINUTE: 60.0 for count in range(30)}

    assert figures.rate(each, NOW) == pytest.approx(1.0)
    assert figures.rate(each | {noon: 9e9, noon - MINUTE: 9e9}, NOW) == pytest.approx(1.0)
    silent = {at: value for at, value in each.items() if at != noon - 3 * MINUTE}
    assert figures.rate(silent, NOW) == pytest.approx(0.8)


def test_positions_a_second_of_a_registry_of_two_minutes_are_those_of_two_minutes() -> None:
    noon = NOW.replace(second=0)

    assert figures.rate({noon - 3 * MINUTE: 60.0, noon - 2 * MINUTE: 60.0}, NOW) == pytest.approx(1)
    begun = noon - 90 * SECOND
    assert figures.rate({noon - 2 * MINUTE: 60.0}, NOW, begun=begun) == pytest.approx(2)
    assert figures.rate({noon - 2 * MINUTE: 60.0}, NOW, begun=noon) is None
    assert figures.rate({noon - 8 * MINUTE: 60.0}, NOW) is None
    assert figures.rate({}, NOW) is None


# --- the table --------------------------------------------------------------------------------------

NOTHING = Status(NOW, {}, None, None, None, Counted(None, None), {}, [], [])


def table(status: Status) -> str:
    return "\n".join(figures.lines(status))


def test_a_line_that_has_no_data_says_so_and_no_zero() -> None:
    told = table(NOTHING)

    assert told.count("no data") == 9
    assert "none has reported within a minute" in told
    assert "0" not in told


def test_the_table_says_what_was_counted() -> None:
    status = Status(
        at=NOW,
        taxis={"free": 1280, "occupied": 15, "off": 0},
        positions_a_second=31.23,
        newest_window_at=NOW - 75 * SECOND,
        newest_sweep_at=NOW - 3 * MINUTE,
        searches=Counted(0, 12_400),
        hails={"finished": Counted(None, 3)},
        webhooks=[
            Operator("taxis-du-port", Counted(40, 900), Counted(3, 10)),
            Operator("calm", Counted(None, 8), Counted(None, 0)),
        ],
        jobs=[
            figures.JobRun("blur-hails", NOW - 3 * DAY, is_late=True, unfinished_since=NOW - HOUR),
            figures.JobRun("count-active", NOW - MINUTE, is_late=False, unfinished_since=None),
            figures.JobRun("count-hails", None, is_late=False, unfinished_since=None),
            figures.JobRun(
                "fold-searches",
                NOW - DAY,
                is_late=False,
                unfinished_since=None,
                failed_at=NOW - HOUR,
                error="StoreBusy",
            ),
        ],
        metrics_since=NOW - 2 * HOUR,
    )

    assert (
        table(status)
        == """\
taxis on the road           1,295: 1,280 free, 15 occupied
positions                   31.2 a second
newest window of positions  at most 75 s ago
newest sweep of hails       at most 3 min ago

COUNTED                          LAST HOUR  LAST DAY
searches                         0          12,400
hails finished                   no data    3
webhook failures, taxis-du-port  3 of 40    10 of 900
webhook failures, calm           no data    0 of 8

JOB            LAST FINISHED                     HOW
blur-hails     2026-02-27 12:00 UTC, 3 days ago  a run of 60 min ago has not finished, LATE
count-active   2026-03-02 11:59 UTC, 60 s ago    as it should
count-hails    never                             not due yet
fold-searches  2026-03-01 12:00 UTC, 24 h ago    FAILED 60 min ago (StoreBusy)

Counted from logs that begin at 2026-03-02 10:00 UTC."""
    )


# --- the two sources --------------------------------------------------------------------------------


def emit_a_day() -> None:
    """What functions print of a window, searches, hails, calls of two operators' servers, and a sweep."""
    with metrics.one_line():
        metrics.emit({"function": "ingest"}, counts={"positions": 40})
    metrics.emit({"function": "ingest"}, counts={"positions": 2, "late": 1})
    with metrics.one_line():
        metrics.emit({}, counts={"searches": 1})
        metrics.emit({"route": "GET /taxis"}, counts={"requests": 1}, in_total=True)
    metrics.emit({"outcome": "received"}, counts={"hails": 1}, about={"hail": "abc"})
    metrics.emit({"outcome": "failure"}, counts={"hails": 1})
    for operator, failures in (("1", 1), ("1", 0), ("2", 0), ("77", 1)):
        metrics.emit(
            {"operator": operator},
            counts={"webhook_calls": 1, "webhook_failures": failures},
            in_total=True,
        )
    metrics.emit({"job": "sweep-hails"}, counts={"runs": 1, "swept": 0})


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """The logs of a local system on which that happened; others' lines and half a line among them."""
    (tmp_path / "logs").mkdir()
    with (tmp_path / "logs" / "worker.log").open("w") as log, redirect_stdout(log):
        log.write("2026-03-02 12:00:00 INFO maraude: started\n")
        emit_a_day()
        log.write('{"_aws":{"Timestamp":17')
    return tmp_path


def at_cloudwatch(printed: str, at: datetime) -> None:
    """Puts what a log counts there, as CloudWatch takes it out of Lambda's log."""
    boto3.client("cloudwatch").put_metric_data(
        Namespace="Maraude",
        MetricData=[
            {
                "MetricName": metric.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
                "Timestamp": at,
                "Value": metric.value,
            }
            for metric in metrics_of(printed)
        ],
    )


@pytest.fixture(params=["logs", "CloudWatch"])
def source(request: pytest.FixtureRequest, logs: Path, store: None) -> Iterator[Any]:  # noqa: ARG001  # it is there
    """Each of the two, with the same metrics."""
    if request.param == "logs":
        yield Logs(logs / "logs", stage="test")
    else:
        at_cloudwatch((logs / "logs" / "worker.log").read_text().rpartition("\n")[0], clock.now())
        yield CloudWatch()


def test_both_sources_say_the_same(source: sources.Metrics) -> None:
    administration.add("calm", roles=[Role.OPERATEUR])
    administration.add("calmer", roles=[Role.OPERATEUR])

    status = read(source, now=clock.now() + SECOND)

    assert status.searches == Counted(1, 1)
    assert status.hails == {"received": Counted(1, 1), "failure": Counted(1, 1)}
    assert status.webhooks == [
        Operator("account 77", Counted(1, 1), Counted(1, 1)),
        Operator("calm", Counted(2, 2), Counted(1, 1)),
        Operator("calmer", Counted(1, 1), Counted(0, 0)),
    ]
    for newest in (status.newest_window_at, status.newest_sweep_at):
        assert newest is not None
        assert timedelta(0) <= status.at - newest <= 2 * MINUTE


def test_both_sources_add_up_by_period(source: sources.Metrics) -> None:
    now = clock.now().replace(second=0, microsecond=0)

    found = source.sums([POSITIONS], since=now - HOUR, until=now + MINUTE, period=MINUTE)

    assert sum(found[POSITIONS].values()) == 42
    assert {at.second for at in found[POSITIONS]} == {0}
    assert (
        source.sums([POSITIONS], since=now - 3 * HOUR, until=now - HOUR, period=MINUTE).get(
            POSITIONS, {}
        )
        == {}
    )


def test_another_stage_s_metrics_are_not_counted(logs: Path) -> None:
    found = Logs(logs / "logs", stage="other")

    assert found.values_of("webhook_calls", "operator") == []
    assert found.since is None


def test_of_a_long_log_the_end_is_read_and_its_beginning_is_told(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = logs / "logs" / "worker.log"
    old = '{"_aws":{"Timestamp":1000,"CloudWatchMetrics":[{"Namespace":"Maraude","Dimensions":[["stage"]],"Metrics":[{"Name":"searches"}]}]},"stage":"test","searches":1}\n'
    new = path.read_text()
    path.write_text(old * 50 + new)
    assert Logs(logs / "logs", stage="test").since == datetime.fromtimestamp(1, UTC)

    monkeypatch.setattr(sources, "LOG_BYTES", len(new) + 50)
    since = Logs(logs / "logs", stage="test").since

    assert since is not None
    assert clock.now() - since < MINUTE


@pytest.mark.usefixtures("store")
def test_a_stage_s_status_takes_three_calls_of_cloudwatch(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_cloudwatch((logs / "logs" / "worker.log").read_text().rpartition("\n")[0], clock.now())
    client = clients.client("cloudwatch")
    monkeypatch.setattr(clients, "client", lambda _: client)
    calls = calls_of(client, clients.dynamodb())

    read(CloudWatch(), now=clock.now())

    assert {name: calls[name] for name in ("ListMetrics", "GetMetricData")} == {
        "ListMetrics": 1,
        "GetMetricData": 2,
    }
    assert calls.total() <= 12


def test_no_more_metrics_are_asked_for_at_once_than_cloudwatch_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    class Client:
        """Counts the queries of each call."""

        def get_paginator(self, _: str) -> "Client":
            return self

        def paginate(self, *, MetricDataQueries: Sequence[Any], **_: Any) -> list[Any]:  # noqa: N803  # AWS's
            asked.append(len(MetricDataQueries))
            return []

    monkeypatch.setattr(clients, "client", lambda _: Client())

    metrics_asked = [Metric("hails", (("outcome", str(number)),)) for number in range(1100)]
    CloudWatch().sums(metrics_asked, since=NOW - DAY, until=NOW, period=MINUTE)

    assert asked == [500, 500, 100]


# --- tables and the command -------------------------------------------------------------------------


@pytest.mark.usefixtures("store")
def test_taxis_are_counted_by_status_and_jobs_by_their_last_ends(tmp_path: Path) -> None:
    now = clock.now()
    road = Road()
    road.license(1, 2, 3)
    road.report(1, 2, at=now)
    road.report(3, at=now, status=TaxiStatus.OCCUPIED)
    jobs.note_run("count-active", now=now - 10 * MINUTE)
    jobs.note_run("blur-hails", now=now - HOUR)
    jobs.keep("blur-hails", Progress(now - MINUTE, "there", {}))

    status = read(Logs(tmp_path, stage="test"), now=now)

    assert {name: count for name, count in status.taxis.items() if count} == {
        "free": 2,
        "occupied": 1,
    }
    by_name = {job.job: job for job in status.jobs}
    assert (by_name["count-active"].finished_at, by_name["count-active"].is_late) == (
        now - 10 * MINUTE,
        True,
    )
    assert by_name["count-active"].unfinished_since is None
    assert (by_name["blur-hails"].is_late, by_name["blur-hails"].unfinished_since) == (
        False,
        now - MINUTE,
    )
    assert by_name["count-hails"].finished_at is None


@pytest.mark.usefixtures("store")
def test_the_command_reads_the_logs_at_home_and_cloudwatch_on_a_stage(
    logs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ops.cli.target.connect", lambda _: None)

    assert main(["status", "--data", str(logs), "--json"]) == 0
    home = json.loads(capsys.readouterr().out)
    assert main(["status", "--stage", "test", "--json"]) == 0
    stage = json.loads(capsys.readouterr().out)
    assert main(["status", "--stage", "test"]) == 0
    shown = capsys.readouterr().out

    assert home["searches"] == {"hour": 1, "day": 1}
    assert stage["searches"] == {"hour": None, "day": None}
    assert home["metrics_since"] is not None
    assert home.keys() == stage.keys()
    assert "searches          no data    no data" in shown


@pytest.mark.usefixtures("store")
def test_a_job_that_has_failed_since_its_last_end_says_with_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()

    def broken(*, now: datetime, after: str | None, dry_run: bool) -> Page:  # noqa: ARG001  # a job's
        """Fails."""
        raise StoreBusy("of somebody")

    def works(*, now: datetime, after: str | None, dry_run: bool) -> Page:  # noqa: ARG001  # a job's
        """Ends at once."""
        return Page()

    def last() -> tuple[datetime | None, datetime | None, str]:
        status = read(Logs(tmp_path, stage="test"), now=now)
        [one] = [job for job in status.jobs if job.job == "blur-hails"]
        return one.finished_at, one.failed_at, one.error

    monkeypatch.setattr(service, "JOBS", {"blur-hails": broken})
    with pytest.raises(StoreBusy):
        service.run("blur-hails", now=now - HOUR, dry_run=True)
    assert last() == (None, None, "")
    with pytest.raises(StoreBusy):
        service.run("blur-hails", now=now - HOUR)
    assert last() == (None, now - HOUR, "StoreBusy")
    monkeypatch.setattr(service, "JOBS", {"blur-hails": works})
    service.run("blur-hails", now=now - MINUTE)
    assert last() == (now - MINUTE, None, "")
