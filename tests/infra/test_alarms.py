"""Each alarm reads a metric that there is, says what to do, and fires when it should, and only then."""

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest

from ops.apps import ROOT
from ops.cli.main import commands_of, main
from ops.templates import resources, template
from tests import watched
from tests.alarms import STAGE, TAXIS, Samples, alarms, fires, sources
from tests.emitted import metrics_of

RUNBOOK = ROOT / "docs" / "runbook.md"

# AWS's own, with the dimension that each is read by here.
NATIVE = {
    ("AWS/Lambda", "Errors"): "FunctionName",
    ("AWS/Lambda", "Throttles"): "FunctionName",
    ("AWS/Lambda", "IteratorAge"): "FunctionName",
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): "QueueName",
    ("AWS/DynamoDB", "ReadThrottleEvents"): "TableName",
    ("AWS/DynamoDB", "WriteThrottleEvents"): "TableName",
    ("AWS/DynamoDB", "ConsumedWriteCapacityUnits"): "TableName",
}

# Functions that Chalice declares.
CHALICE = {
    *("APIHandler", "CallOperators", "ApplyDeadlines", "SweepHails", "CountActive"),
    *("CountActiveHour", "CountActiveDay", "CountFleets", "CountHails", "FoldSearches"),
    *("RetireCells", "BlurPositions", "BlurHails", "DeleteOldHails", "DeleteOldTaxis"),
    "DeleteOrphans",
}

NONE: Samples = ()


def times(count: int, *samples: float) -> list[Samples]:
    """The same samples in so many periods."""
    return [samples] * count


def of_hundred(failed: int) -> Samples:
    return [1] * failed + [0] * (100 - failed)


Series = Sequence[Sequence[Samples]]

# What fires each alarm, and what does not although something is wrong.
CASES: dict[str, tuple[Series, Series]] = {
    "ApiFailsAlarm": (
        [[of_hundred(0), of_hundred(1), of_hundred(0), of_hundred(2), of_hundred(1)]],
        [[of_hundred(50), of_hundred(0), of_hundred(0), NONE, of_hundred(100)]],
    ),
    "KeyThrottledAlarm": (
        [[(1,) * 100, NONE, (1,) * 400, (1,) * 100, NONE]],
        [[(1,) * 99, (1,) * 4000, NONE, (1,) * 100, (1,) * 99]],
    ),
    "AddressThrottledAlarm": (
        [[(1,) * 100, NONE, (1,) * 400, (1,) * 100, NONE]],
        [[(1,) * 99, (1,) * 4000, NONE, (1,) * 100, (1,) * 99]],
    ),
    "SearchSlowAlarm": (
        [times(5, *[30.0] * 98, 700.0, 800.0)],
        [[*times(4, 700.0), [30.0] * 199 + [700.0]]],
    ),
    "SearchesLostAlarm": ([[(60, 60), NONE, (100,)]], [[(99,), (20_000,), NONE]]),
    "StoreBusyAlarm": ([[(0, 1), NONE, NONE, (1,), NONE]], [[(0, 0, 1), *times(4, 0, 0)]]),
    "PositionsSilentAlarm": ([[NONE]], [[(1,)]]),
    "PositionsDroppedAlarm": (
        [[(50,), (1,), (2,), NONE, NONE]],
        [[(50, 50), (50,), NONE, NONE, NONE]],
    ),
    "IngestLateAlarm": (
        [times(5, 6000.0, 20_000.0)],
        [[(90_000.0,), (90_000.0,), *times(3, 6000.0)]],
    ),
    "LargestCellAlarm": ([times(5, 300, 65_536)], [times(5, 300, 65_535)]),
    "WindowsFailAlarm": ([times(5, 1)], [[(1,), (1,), NONE, NONE, NONE]]),
    "PositionsIteratorAlarm": ([times(5, 10, 30_000)], [times(5, 29_999)]),
    "SearchesIteratorAlarm": ([times(5, 1_800_000)], [times(5, 400_000)]),
    # Operators apart: it takes one of them.
    "WebhookFailsAlarm": (
        [[(0, 0, 0), (0,), (0,)], [(1, 1, 1, 1, 1), NONE, (1, 1, 0, 1, 1, 1)]],
        [[(1, 1, 1, 0), (1, 1, 1), (1,)], [(1, 1, 1), (1, 1), (1, 1, 1, 1)]],
    ),
    "SweepFailsAlarm": ([[(0,), (2,), (0,), (1,), (0,)]], [[(0,), (9,), *times(3, 0)]]),
    "SweepEndsAlarm": ([[(1,) * 10, NONE, (1,) * 20]], [[(1,) * 30, (1,) * 9, NONE]]),
    "IngestDeadAlarm": ([[(0, 1)]], [[(0, 0)]]),
    "SearchDeadAlarm": ([[(3,)]], [[NONE]]),
    "HailDeadAlarm": ([[(1,)]], [[(0,)]]),
    "CountActiveMissingAlarm": ([[NONE]], [[(1,)]]),
    "SweepMissingAlarm": ([[NONE]], [[(1, 1, 1, 1)]]),
    "CountFleetsMissingAlarm": ([times(3)], [[NONE, (1,), NONE]]),
    **{
        f"{name}MissingAlarm": ([times(26)], [[*times(24), (1,), NONE]])
        for name in (
            *("CountHails", "FoldSearches", "BlurHails", "BlurPositions"),
            *("DeleteOldHails", "DeleteOldTaxis", "DeleteOrphans"),
        )
    },
    "FunctionErrorsAlarm": (
        [times(5, 1), times(5, 1), times(5, 1), *[times(5, 0)] * 4],
        [times(5, 1), times(5, 1), *[times(5, 0)] * 4, times(5)],
    ),
    "FunctionThrottlesAlarm": (
        [*[times(5)] * 6, [(1,), NONE, NONE, NONE, (1,)]],
        [*[times(5, 0)] * 6, [(40,), NONE, NONE, NONE, NONE]],
    ),
    "JobErrorsAlarm": ([*[times(1)] * 8, times(1, 0, 1)], [times(1, 0)] * 9),
    "CleaningErrorsAlarm": ([times(1), times(1, 1)], [times(1, 0), times(1)]),
    "TableThrottlesAlarm": ([*[times(5, 5)] * 2, *[times(5)] * 8], [times(5, 0.9)] * 10),
}


@pytest.mark.parametrize("name", alarms())
def test_an_alarm_fires_when_its_metric_says_so(name: str) -> None:
    assert fires(alarms()[name], *CASES[name][0])


@pytest.mark.parametrize("name", alarms())
def test_an_alarm_is_quiet_below_its_threshold_and_for_what_passes(name: str) -> None:
    assert not fires(alarms()[name], *CASES[name][1])


def emitted() -> set[tuple[str, tuple[tuple[str, str], ...], str]]:
    return {
        (metric.name, metric.dimensions, metric.unit)
        for metric in metrics_of(watched.day().printed)
    }


def there_is(namespace: str, name: str, dimensions: tuple[tuple[str, str], ...]) -> bool:
    """Whether the code emits such a metric, or AWS does for a resource that there is."""
    if namespace == "Maraude":
        return any((name, dimensions) == (one, where) for one, where, _ in emitted())
    [(dimension, resource)] = dimensions
    known = {*resources(TAXIS), *CHALICE}
    return NATIVE.get((namespace, name)) == dimension and resource.partition(".")[0] in known


@pytest.mark.parametrize("name", alarms())
def test_an_alarm_s_metric_is_one_that_there_is_in_its_own_unit(name: str) -> None:
    alarm = alarms()[name]

    for source in sources(alarm):
        if source.grouped_by:
            found = [
                where
                for one, where, _ in emitted()
                if one == source.name and {key for key, _ in where} == {source.grouped_by, "stage"}
            ]
            assert found
        else:
            assert there_is(source.namespace, source.name, source.dimensions), source
    if alarm.get("Namespace") == "Maraude":
        [source] = sources(alarm)
        assert (source.name, source.dimensions, alarm["Unit"]) in emitted()


@pytest.mark.parametrize("name", alarms())
def test_an_alarm_tells_somebody_why_and_where_to_read_on(name: str) -> None:
    alarm = alarms()[name]
    why, _, anchor = alarm["AlarmDescription"]["Fn::Sub"].partition(" Runbook: ${RunbookUrl}#")
    titles = re.findall(r"^## (.+)$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}

    assert len(why) > 30
    assert anchor in anchors
    assert alarm["AlarmActions"] == [{"Ref": "AlarmsTopic"}]


def test_an_alarm_s_runbook_is_the_repository_s_unless_the_stage_has_an_address() -> None:
    runbook = template(TAXIS)["Parameters"]["RunbookUrl"]

    assert (ROOT / runbook["Default"]).samefile(RUNBOOK)
    for said, is_taken in (
        (runbook["Default"], True),
        ("https://wiki.example/ops/runbook?a=1", True),
        ("", False),
        ("https://wiki.example/runbook#a-section", False),
        ("wiki.example", False),
        ("https://wiki.example/\nmore", False),
    ):
        assert bool(re.fullmatch(runbook["AllowedPattern"], said)) is is_taken, said


def test_every_command_of_the_runbook_is_one_that_there_is() -> None:
    commands = re.findall(r"`maraude ([a-z -]+?)(?: [A-Z]| --|`)", RUNBOOK.read_text("utf-8"))

    assert {command.split()[0] for command in commands} <= commands_of(TAXIS).keys()
    for command in set(commands):
        with pytest.raises(SystemExit) as ended:
            main([*command.split(), "--help"])
        assert ended.value.code == 0


def test_an_alarm_evaluates_no_more_than_cloudwatch_takes() -> None:
    """A day, or a week of periods of an hour or more; an expression has ten metrics at most."""
    for alarm in alarms().values():
        found = sources(alarm)
        period_s = found[0].period_s
        assert len(found) <= 10
        assert alarm["EvaluationPeriods"] * period_s <= (604_800 if period_s >= 3600 else 86_400)
        assert alarm["DatapointsToAlarm"] <= alarm["EvaluationPeriods"]


def test_every_queue_of_what_could_not_be_done_has_an_alarm() -> None:
    watched_queues = {
        source.dimensions[0][1].partition(".")[0]
        for alarm in alarms().values()
        for source in sources(alarm)
        if source.namespace == "AWS/SQS"
    }
    kept_long = {
        name
        for name, resource in resources(TAXIS).items()
        if resource["Type"] == "AWS::SQS::Queue"
        and resource["Properties"]["MessageRetentionPeriod"] == 1_209_600
    }

    assert watched_queues == kept_long


# --- the dashboard --------------------------------------------------------------------------------


def plots() -> list[list[Any]]:
    body = resources(TAXIS)["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    filled = re.sub(r"\$\{(\w+)(?:\.\w+)?\}", lambda it: it[1], body.replace("${Stage}", STAGE))
    widgets = json.loads(filled.replace("${AWS::Region}", "eu-west-3"))["widgets"]
    return [metric for widget in widgets for metric in widget["properties"]["metrics"]]


def test_what_the_dashboard_shows_is_emitted() -> None:
    known = {(name, where) for name, where, _ in emitted()}
    # A day sees few ends of hails, and not every route.
    names = {(name, tuple(key for key, _ in where)) for name, where in known}
    strangers = []
    for plot in plots():
        if not isinstance(plot[0], str):
            continue
        namespace, name, *rest = [part for part in plot if isinstance(part, str)]
        where = tuple(sorted(zip(rest[::2], rest[1::2], strict=True)))
        if namespace == "Maraude":
            is_known = (name, tuple(key for key, _ in where)) in names
        else:
            is_known = there_is(namespace, name, where)
        if not is_known:
            strangers.append(plot)

    assert strangers == []


@pytest.mark.parametrize(
    ("name", "dimension"), [("searches_empty", "reason"), ("deadlines", "way")]
)
def test_the_dashboard_shows_every_reason_and_way_that_there_is(name: str, dimension: str) -> None:
    shown = {
        plot[plot.index(dimension) + 1] for plot in plots() if name in plot and dimension in plot
    }
    there = {
        dict(where)[dimension]
        for one, where, _ in emitted()
        if one == name and dimension in dict(where)
    }

    assert shown == there
