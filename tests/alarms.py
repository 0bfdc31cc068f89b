"""Alarms as CloudWatch evaluates them, as packaging makes them of `infra/taxis/alarms.yaml`.

What the registry's alarms use, and no more: statistics of one metric, `SUM(METRICS())` of several,
a query that groups by one dimension; M of N periods; missing data.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ops import apps
from ops.templates import resources

STAGE = "test"
TAXIS = apps.find("taxis")

Samples = Sequence[float]  # what came in one period; empty: nothing came


class Source(NamedTuple):
    """A metric that an alarm reads."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str
    period_s: int
    grouped_by: str | None = None


def alarms() -> dict[str, dict[str, Any]]:
    """The properties of each alarm."""
    return {
        name: resource["Properties"]
        for name, resource in resources(TAXIS).items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }


def text_of(value: object) -> str:
    """A value of the template as text: the stage is `test`, another resource its logical name."""
    said = next(iter(value.values())) if isinstance(value, dict) else str(value)
    if isinstance(said, list):  # a resource's attribute
        return str(said[0])
    return said.replace("${Stage}", STAGE) if said != "Stage" else STAGE


def _dimensions(named: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((one["Name"], text_of(one["Value"])) for one in named))


_QUERY = re.compile(
    r'SELECT SUM\((?P<name>\w+)\) FROM SCHEMA\("(?P<namespace>[\w/]+)", (?P<by>\w+), stage\) '
    r"WHERE stage = '(?P<stage>\w+)' GROUP BY (?P=by) ORDER BY SUM\(\) DESC"
)


def sources(alarm: Mapping[str, Any]) -> list[Source]:
    """The metrics that an alarm reads."""
    if "Metrics" not in alarm:
        statistic = alarm.get("Statistic") or alarm["ExtendedStatistic"]
        return [
            Source(
                alarm["Namespace"],
                alarm["MetricName"],
                _dimensions(alarm["Dimensions"]),
                statistic,
                alarm["Period"],
            )
        ]
    found = []
    for one in alarm["Metrics"]:
        if "MetricStat" in one:
            said = one["MetricStat"]
            metric = said["Metric"]
            where = _dimensions(metric["Dimensions"])
            found.append(
                Source(
                    metric["Namespace"], metric["MetricName"], where, said["Stat"], said["Period"]
                )
            )
        elif one["Expression"] != "SUM(METRICS())":
            query = _QUERY.fullmatch(text_of(one["Expression"]))
            assert query, one["Expression"]
            where = (("stage", query["stage"]),)
            found.append(
                Source(query["namespace"], query["name"], where, "Sum", one["Period"], query["by"])
            )
    return found


def _percentile(values: Samples, rank: float) -> float:
    return sorted(values)[max(0, math.ceil(len(values) * rank / 100) - 1)]


_STATISTICS: Mapping[str, Callable[[Samples], float]] = {
    "Sum": sum,
    "Average": lambda values: sum(values) / len(values),
    "Maximum": max,
    "p99": lambda values: _percentile(values, 99),
}

_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
}


def fires(alarm: Mapping[str, Any], *series: Sequence[Samples]) -> bool:
    """Whether an alarm is in ALARM at the end of series, one for each of its metrics or groups.

    A series has a list of samples for each period, as many as the alarm evaluates. Several metrics
    are added up; of groups, one that breaches is enough.
    """
    statistic = _STATISTICS[sources(alarm)[0].statistic]
    values = [[statistic(period) if period else None for period in one] for one in series]
    if any(source.grouped_by for source in sources(alarm)):
        return any(_breaches(alarm, one) for one in values)
    periods = [
        [value for value in at_once if value is not None] for at_once in zip(*values, strict=True)
    ]
    return _breaches(alarm, [sum(period) if period else None for period in periods])


def _breaches(alarm: Mapping[str, Any], values: Sequence[float | None]) -> bool:
    assert len(values) == alarm["EvaluationPeriods"]
    compare = _COMPARISONS[alarm["ComparisonOperator"]]
    missing = {"breaching": True, "notBreaching": False}[alarm["TreatMissingData"]]
    breaching = [
        missing if value is None else compare(value, float(alarm["Threshold"])) for value in values
    ]
    wanted: int = alarm["DatapointsToAlarm"]
    return sum(breaching) >= wanted
