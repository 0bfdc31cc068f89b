"""The registry's metrics as they were counted: at CloudWatch, or in the logs of a data folder."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from ops.cli.status.figures import NAMES, Metric, Samples

A_CALL = 500  # metrics that GetMetricData takes at once
LOG_BYTES = 50_000_000  # of each log that are read, from its end


class Metrics(Protocol):
    """Where metrics are read."""

    def values_of(self, name: str, dimension: str) -> Sequence[str]:
        """The values that a metric's dimension has."""
        ...

    def sums(
        self, asked: Sequence[Metric], *, since: datetime, until: datetime, period: timedelta
    ) -> Samples:
        """The sums of metrics by period, each of which begins at a multiple of its length."""
        ...

    @property
    def since(self) -> datetime | None:
        """When what is left of the metrics begins; None where that is long ago."""
        ...


class CloudWatch:
    """A stage's. A call for each 500 metrics that are asked for, of which a thousand cost 0.01 USD."""

    since = None

    def __init__(self) -> None:
        from chalicelib.foundation.aws import clients
        from chalicelib.foundation.settings import settings

        self._client = clients.client("cloudwatch")
        self._namespace, self._stage = settings().namespace, settings().stage

    def values_of(self, name: str, dimension: str) -> Sequence[str]:
        """Of the last two weeks; a call for each 500."""
        pages = self._client.get_paginator("list_metrics").paginate(
            Namespace=self._namespace,
            MetricName=name,
            Dimensions=[{"Name": "stage", "Value": self._stage}, {"Name": dimension}],
        )
        return sorted(
            {
                one["Value"]
                for page in pages
                for metric in page["Metrics"]
                for one in metric["Dimensions"]
                if one["Name"] == dimension
            }
        )

    def sums(
        self, asked: Sequence[Metric], *, since: datetime, until: datetime, period: timedelta
    ) -> Samples:
        """The sums by period."""
        found: dict[Metric, dict[datetime, float]] = {}
        for begin in range(0, len(asked), A_CALL):
            some = asked[begin : begin + A_CALL]
            pages = self._client.get_paginator("get_metric_data").paginate(
                MetricDataQueries=[
                    self._query(f"m{place}", metric, period) for place, metric in enumerate(some)
                ],
                StartTime=since,
                EndTime=until,
            )
            for result in (one for page in pages for one in page["MetricDataResults"]):
                times = (at.astimezone(UTC) for at in result["Timestamps"])
                of_metric = found.setdefault(some[int(result["Id"][1:])], {})
                of_metric.update(zip(times, result["Values"], strict=True))
        return found

    def _query(self, name: str, metric: Metric, period: timedelta) -> dict[str, Any]:
        dimensions = sorted(
            [("stage", self._stage), *metric.dimensions]
        )  # moto compares them in order
        return {
            "Id": name,
            "MetricStat": {
                "Metric": {
                    "Namespace": self._namespace,
                    "MetricName": metric.name,
                    "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions],
                },
                "Period": int(period.total_seconds()),
                "Stat": "Sum",
            },
        }


class Logs:
    """A local system's: the lines of metrics in its logs, at most 50 MB of each, read once."""

    def __init__(self, folder: Path, *, stage: str) -> None:
        self._folder, self._stage = folder, stage

    @cached_property
    def _values(self) -> list[tuple[datetime, Metric, float]]:
        return [one for line in self._lines() for one in _values_of(line, stage=self._stage)]

    def _lines(self) -> Iterator[bytes]:
        for path in sorted(self._folder.glob("*.log*")):
            with path.open("rb") as file:
                if path.stat().st_size > LOG_BYTES:
                    file.seek(-LOG_BYTES, 2)
                for line in file:
                    if line.startswith(b'{"_aws"'):
                        yield line

    @property
    def since(self) -> datetime | None:
        """The time of the oldest line."""
        return min((at for at, _, _ in self._values), default=None)

    def values_of(self, name: str, dimension: str) -> Sequence[str]:
        """Of what is left in the logs."""
        return sorted(
            {
                value
                for _, metric, _ in self._values
                for key, value in metric.dimensions
                if (metric.name, key) == (name, dimension)
            }
        )

    def sums(
        self, asked: Sequence[Metric], *, since: datetime, until: datetime, period: timedelta
    ) -> Samples:
        """The sums by period."""
        wanted = frozenset(asked)
        found: dict[Metric, dict[datetime, float]] = defaultdict(lambda: defaultdict(float))
        length_s = period.total_seconds()
        for at, metric, value in self._values:
            if metric in wanted and since <= at < until:
                began = datetime.fromtimestamp(at.timestamp() // length_s * length_s, UTC)
                found[metric][began] += value
        return found


def _values_of(line: bytes, *, stage: str) -> Iterable[tuple[datetime, Metric, float]]:
    """What a line counts of the metrics that are asked for; nothing of a line that was cut short."""
    try:
        said = json.loads(line)
        about = said["_aws"]
        at = datetime.fromtimestamp(about["Timestamp"] / 1000, UTC)
    except (ValueError, KeyError):
        return []
    if said.get("stage") != stage:
        return []
    return [
        (
            at,
            Metric(one["Name"], tuple((name, said[name]) for name in names if name != "stage")),
            said[one["Name"]],
        )
        for directive in about["CloudWatchMetrics"]
        for one in directive["Metrics"]
        if one["Name"] in NAMES
        for names in directive["Dimensions"]
    ]
