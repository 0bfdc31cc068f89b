"""Alarms and dashboard of a service, as CloudFormation's resources of the rows of its two tables.

`infra/NAME/alarms.yaml` has a row an alarm (`Row`), `infra/NAME/dashboard.yaml` one a widget (`Widget`).
All alarms tell one topic; who is to hear of them subscribes to it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from ops.apps import App, in_words
from ops.errors import CannotGoOn

Resources = dict[str, dict[str, Any]]

TOPIC = "AlarmsTopic"

# Where alarms say that the runbook is: an address to open, or the file in the repository.
RUNBOOK = {
    "RunbookUrl": {
        "Type": "String",
        "Default": "docs/runbook.md",
        "AllowedPattern": r"docs/runbook\.md|https?://[^\s#]{1,500}",
        "ConstraintDescription": "the address of the runbook (http:// or https://) without a section (#)",
    }
}

# The dimension that AWS's own metrics have here, and the attribute of a resource that is its value.
_AWS = {"AWS/Lambda": "FunctionName", "AWS/SQS": "QueueName", "AWS/DynamoDB": "TableName"}
Metric = Annotated[str, Meta(pattern=rf"^(({'|'.join(_AWS)}) )?\w+$")]
_ATTRIBUTES = {"AWS/SQS": ".QueueName"}  # `Ref` of a queue is its address

_WIDTH, _HEIGHT, _COLUMNS = 12, 6, 2  # of a widget, on a grid of 24


class RowBroken(CannotGoOn):
    """A row does not say what it should."""


class Row(Struct, frozen=True, forbid_unknown_fields=True):
    """An alarm: when it fires, why somebody should care, and the section of the runbook to read.

    `metric` is one of the registry's own, or AWS's with its namespace (`AWS/SQS Name`). Of AWS's, `of` names
    the functions, queues or tables; the figures of several are added up. Of the registry's own, `dimensions`
    are those beside the stage; `by` compares each value of one dimension apart. It fires when `periods`
    (`3 of 5`) are `at_least` so much, or `below`: then a period without data counts as such a one.
    """

    why: str
    runbook: str
    metric: Metric | Sequence[Metric]
    periods: Annotated[str, Meta(pattern=r"^\d+ of \d+$")]
    period_s: int = 60
    at_least: int | float | None = None
    below: int | float | None = None
    statistic: str = "Sum"
    unit: str = "Count"
    dimensions: Mapping[str, str] = {}
    by: str = ""
    of: str | Sequence[str] = ()
    name: str = ""  # of the alarm; else its key in words

    def __post_init__(self) -> None:
        if (self.at_least is None) == (self.below is None):
            raise ValueError("one of at_least and below")


class Widget(Struct, frozen=True, forbid_unknown_fields=True):
    """A diagram: its curves are all that the values of each plot can be put together to.

    In the order in which a plot has its keys, the last one changing first. `metric`, `stat`, `of` are as in
    `Row`; `id`, `visible`, `yAxis`, `label`, `expression` are CloudWatch's; each other key is a dimension.
    """

    title: str
    plots: Sequence[Mapping[str, Any]]
    period: int = 60


def alarms(app: App) -> dict[str, Resources]:
    """The topic, an alarm for each row of `alarms.yaml`, and the parameter that these name. Raises RowBroken."""
    rows = _read(app.templates / "alarms.yaml", dict[str, Row])
    if not rows:
        return {}
    topic = {
        "Type": "AWS::SNS::Topic",
        "Properties": {"TopicName": {"Fn::Sub": f"{app.prefix}-alarms"}},
    }
    made = {f"{key}Alarm": _alarm(app, key, row) for key, row in rows.items()}
    return {"Parameters": RUNBOOK, "Resources": {TOPIC: topic, **made}}


def _alarm(app: App, key: str, row: Row) -> dict[str, Any]:
    enough, _, periods = row.periods.partition(" of ")
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": {"Fn::Sub": f"{app.prefix}-{row.name or in_words(key)}"},
            "AlarmDescription": {"Fn::Sub": f"{row.why} Runbook: ${{RunbookUrl}}#{row.runbook}"},
            **_watched(app, row),
            "ComparisonOperator": "LessThanThreshold"
            if row.at_least is None
            else "GreaterThanOrEqualToThreshold",
            "Threshold": row.below if row.at_least is None else row.at_least,
            "EvaluationPeriods": int(periods),
            "DatapointsToAlarm": int(enough),
            "TreatMissingData": "breaching" if row.at_least is None else "notBreaching",
            "AlarmActions": [{"Ref": TOPIC}],
            "OKActions": [{"Ref": TOPIC}],
        },
    }


def _watched(app: App, row: Row) -> dict[str, Any]:
    """The properties of what an alarm watches: one metric, several added up, or a query of one by groups."""
    if row.by:
        query = (
            f'SELECT {row.statistic.upper()}({row.metric}) FROM SCHEMA("{app.namespace}", {row.by}, stage) '  # noqa: S608  # CloudWatch's, of our own rows
            f"WHERE stage = '${{Stage}}' GROUP BY {row.by} ORDER BY {row.statistic.upper()}() DESC"
        )
        one = {"Id": "failures", "Period": row.period_s, "ReturnData": True}
        return {"Metrics": [{**one, "Expression": {"Fn::Sub": query}}]}
    metrics = [
        _metric(app, name, of, row) for of in _each(row.of) or [""] for name in _each(row.metric)
    ]
    if len(metrics) > 1:
        stat = {"Stat": row.statistic, "Period": row.period_s}
        parts = [
            {"Id": f"m{place}", "ReturnData": False, "MetricStat": {**stat, "Metric": metric}}
            for place, metric in enumerate(metrics)
        ]
        total = {"Id": "all", "Expression": "SUM(METRICS())", "ReturnData": True}
        return {"Metrics": [total, *parts]}
    [metric] = metrics
    statistic = "ExtendedStatistic" if row.statistic.startswith("p") else "Statistic"
    unit = {} if row.of else {"Unit": row.unit}
    return {**metric, **unit, statistic: row.statistic, "Period": row.period_s}


def _metric(app: App, name: str, of: str, row: Row) -> dict[str, Any]:
    namespace, metric = _split(name)
    if not namespace:
        about: dict[str, Any] = {"stage": {"Ref": "Stage"}, **row.dimensions}
    else:
        attribute = _ATTRIBUTES.get(namespace, "")
        value = {"Fn::GetAtt": [of, attribute[1:]]} if attribute else {"Ref": of}
        about = {_AWS[namespace]: value}
    dimensions = [{"Name": name, "Value": value} for name, value in about.items()]
    return {"Namespace": namespace or app.namespace, "MetricName": metric, "Dimensions": dimensions}


def dashboard(app: App) -> Resources:
    """The dashboard, two widgets a line, of the rows of `dashboard.yaml`. Raises RowBroken."""
    widgets = _read(app.templates / "dashboard.yaml", list[Widget])
    if not widgets:
        return {}
    body = {"widgets": [_widget(app, place, widget) for place, widget in enumerate(widgets)]}
    properties = {
        "DashboardName": {"Fn::Sub": app.prefix},
        "DashboardBody": {"Fn::Sub": json.dumps(body)},
    }
    return {"Dashboard": {"Type": "AWS::CloudWatch::Dashboard", "Properties": properties}}


def _widget(app: App, place: int, widget: Widget) -> dict[str, Any]:
    return {
        "type": "metric",
        "x": _WIDTH * (place % _COLUMNS),
        "y": _HEIGHT * (place // _COLUMNS),
        "width": _WIDTH,
        "height": _HEIGHT,
        "properties": {
            "title": widget.title,
            "region": "${AWS::Region}",
            "view": "timeSeries",
            "period": widget.period,
            "metrics": [curve for plot in widget.plots for curve in _curves(app, plot)],
        },
    }


_OF_A_CURVE = ("stat", "id", "visible", "yAxis", "label")


def _curves(app: App, plot: Mapping[str, Any]) -> Iterator[list[Any]]:
    if "expression" in plot:
        yield [plot]
        return
    for values in product(*(_each(value) for value in plot.values())):
        one = dict(zip(plot, values, strict=True))
        drawn = {key: one.pop(key) for key in _OF_A_CURVE if key in one}
        namespace, metric = _split(one.pop("metric"))
        if not namespace:
            about = {"stage": "${Stage}", **one}
        else:
            about = {_AWS[namespace]: f"${{{one['of']}{_ATTRIBUTES.get(namespace, '')}}}"}
        yield [
            namespace or app.namespace,
            metric,
            *(part for pair in about.items() for part in pair),
            drawn,
        ]


def _split(metric: str) -> tuple[str, str]:
    """AWS's namespace, which the service's own metrics do not say, and the name."""
    namespace, _, name = metric.rpartition(" ")
    return namespace, name


def _each(value: Any) -> Sequence[Any]:  # noqa: ANN401  # YAML's, one or a list of them
    return value if isinstance(value, list) else [value] if value or value is False else []


def _read(file: Path, kind: Any) -> Any:  # noqa: ANN401  # what msgspec makes of the kind
    if not file.exists():
        return kind()
    try:
        return msgspec.yaml.decode(file.read_bytes(), type=kind)
    except msgspec.DecodeError as error:
        raise RowBroken(f"{file.name}: {error}") from None
