"""Rows of alarms and widgets become CloudWatch's resources, and a row that says nonsense is refused."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ops import apps, monitoring
from ops.apps import App
from ops.monitoring import RowBroken

TOY = apps.at(apps.ROOT / "tests" / "toy")
ROW = "Slow: {why: It is slow., runbook: slow, metric: latency_ms, periods: 2 of 3, %s}"


def with_file(folder: Path, name: str, text: str) -> App:
    """The toy with one table of its own."""
    (folder / name).write_text(text)
    return msgspec.structs.replace(TOY, templates=folder)


def alarm(folder: Path, more: str) -> dict[str, Any]:
    found = monitoring.alarms(with_file(folder, "alarms.yaml", ROW % more))
    properties: dict[str, Any] = found["Resources"]["SlowAlarm"]["Properties"]
    return properties


def curves(folder: Path, plot: str) -> list[list[Any]]:
    app = with_file(folder, "dashboard.yaml", f"[{{title: One, plots: [{plot}]}}]")
    body = monitoring.dashboard(app)["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    [widget] = json.loads(body)["widgets"]
    found: list[list[Any]] = widget["properties"]["metrics"]
    return found


def test_an_alarm_its_topic_and_the_dashboard_bear_the_names_of_their_service() -> None:
    found = monitoring.alarms(TOY)["Resources"] | monitoring.dashboard(TOY)

    assert found["AlarmsTopic"]["Properties"]["TopicName"] == {
        "Fn::Sub": "maraude-${Stage}-toy-alarms"
    }
    assert found["ApiFailsAlarm"]["Properties"]["AlarmName"] == {
        "Fn::Sub": "maraude-${Stage}-toy-api-fails"
    }
    assert found["Dashboard"]["Properties"]["DashboardName"] == {"Fn::Sub": "maraude-${Stage}-toy"}


def test_a_service_without_rows_has_neither_topic_nor_dashboard(tmp_path: Path) -> None:
    app = msgspec.structs.replace(TOY, templates=tmp_path)

    assert monitoring.alarms(app) == monitoring.dashboard(app) == {}


def test_too_much_takes_data_and_too_little_takes_none(tmp_path: Path) -> None:
    much, little = alarm(tmp_path, "at_least: 5"), alarm(tmp_path, "below: 5")

    assert (much["ComparisonOperator"], much["TreatMissingData"]) == (
        "GreaterThanOrEqualToThreshold",
        "notBreaching",
    )
    assert (little["ComparisonOperator"], little["TreatMissingData"]) == (
        "LessThanThreshold",
        "breaching",
    )
    assert much["Threshold"] == little["Threshold"] == 5
    assert (much["DatapointsToAlarm"], much["EvaluationPeriods"]) == (2, 3)


def test_a_percentile_is_an_extended_statistic(tmp_path: Path) -> None:
    found = alarm(tmp_path, "at_least: 5, statistic: p99")

    assert found["ExtendedStatistic"] == "p99"
    assert "Statistic" not in found


@pytest.mark.parametrize(
    "more",
    [
        "at_least: 5, below: 6",
        "unit: Count",  # and no threshold
        "at_least: much",
        "at_least: 5, treshold: 6",
        "at_least: 5, dimensions: [route]",
        "at_least: 5, metric: AWS/Nothing Errors",
        "at_least: 5, periods: some",
    ],
)
def test_a_row_that_says_nonsense_is_refused(tmp_path: Path, more: str) -> None:
    with pytest.raises(RowBroken, match=r"alarms\.yaml"):
        alarm(tmp_path, more)


def test_a_plot_has_a_curve_for_each_combination_the_last_key_changing_first(
    tmp_path: Path,
) -> None:
    assert curves(tmp_path, "{metric: ms, route: [a, b], stat: [p50, p99]}") == [
        ["Maraude/toy", "ms", "stage", "${Stage}", "route", route, {"stat": stat}]
        for route in "ab"
        for stat in ("p50", "p99")
    ]
    assert curves(tmp_path, "{metric: AWS/SQS Age, of: [A, B], stat: Sum, visible: false}") == [
        [
            "AWS/SQS",
            "Age",
            "QueueName",
            f"${{{queue}.QueueName}}",
            {"stat": "Sum", "visible": False},
        ]
        for queue in "AB"
    ]
