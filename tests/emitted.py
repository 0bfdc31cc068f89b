"""The metrics that code has printed, as CloudWatch would take them out of its log."""

import json
from collections.abc import Iterator
from typing import NamedTuple


class Metric(NamedTuple):
    """One value of one metric."""

    name: str
    unit: str
    dimensions: tuple[tuple[str, str], ...]  # by name
    value: float


def lines_of(printed: str) -> list[dict[str, object]]:
    """The lines of a log that are JSON objects."""
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def metrics_of(printed: str) -> Iterator[Metric]:
    """Every metric of a log, once for each of its sets of dimensions."""
    for line in printed.splitlines():
        if not line.startswith('{"_aws"'):
            continue
        said = json.loads(line)
        for directive in said["_aws"]["CloudWatchMetrics"]:
            assert directive["Namespace"] == "Maraude"
            for names in directive["Dimensions"]:
                dimensions = tuple(sorted((name, said[name]) for name in names))
                for metric in directive["Metrics"]:
                    yield Metric(metric["Name"], metric["Unit"], dimensions, said[metric["Name"]])


def without_metric(line: str) -> str | None:
    """A line of a failure's explanation; what is before a metric, and None where that is nothing."""
    before, found, _ = line.partition('{"_aws"')
    return line if not found else before.rstrip() if before.strip(" E") else None


def without_metrics(printed: str) -> str:
    """What was printed beside metrics."""
    lines = printed.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith('{"_aws"'))
