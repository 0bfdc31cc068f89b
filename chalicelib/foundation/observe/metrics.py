"""Metrics for CloudWatch, written to standard output in its embedded format (EMF).

A line costs no call and no wait, and some microseconds: Lambda sends what a function prints to
CloudWatch Logs, which takes the metrics out of it. Dimensions must stay few, for each set of values
is paid for: a job, a route, an operator, never a taxi or customer.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

from msgspec import Struct, field

from chalicelib.foundation.settings import settings


class _Line(Struct):
    """One line of metrics: its directives as JSON, and its values by name."""

    directives: list[str] = field(default_factory=list)
    values_by_name: dict[str, object] = field(default_factory=dict)

    def takes(
        self, directive: str, beside: Mapping[str, object], values: Mapping[str, float]
    ) -> bool:
        """Adds to the line, unless one of the values is there already, or another text beside them."""
        if self.values_by_name.keys() & values.keys() or any(
            self.values_by_name.get(name, word) != word for name, word in beside.items()
        ):
            return False
        self.directives.append(directive)
        self.values_by_name.update(beside)
        self.values_by_name.update(values)
        return True

    def print(self) -> None:
        """Writes the line, as of now."""
        text = json.dumps(self.values_by_name)
        # Not through `logging`: its prefix would hide the line from CloudWatch.
        sys.stdout.write(
            f'{{"_aws":{{"Timestamp":{int(time.time() * 1000)},'
            f'"CloudWatchMetrics":[{",".join(self.directives)}]}},{text[1:]}\n'
        )
        sys.stdout.flush()


_open: ContextVar[_Line | None] = ContextVar("line", default=None)


@contextmanager
def one_line() -> Iterator[None]:
    """Collects what is emitted within the block into one line, printed at its end.

    A metric that comes twice, as when a request ends two hails, has a line of its own. Threads that are started within print lines of their own too.
    """
    line = _Line()
    token = _open.set(line)
    try:
        yield
    finally:
        _open.reset(token)
        if line.directives:
            line.print()


@lru_cache(maxsize=1024)
def _directive(
    namespace: str,
    sets: tuple[tuple[str, ...], ...],
    counts: tuple[str, ...],
    milliseconds: tuple[str, ...],
    size_bytes: tuple[str, ...],
) -> str:
    units = {
        **dict.fromkeys(counts, "Count"),
        **dict.fromkeys(milliseconds, "Milliseconds"),
        **dict.fromkeys(size_bytes, "Bytes"),
    }
    return json.dumps(
        {
            "Namespace": namespace,
            "Dimensions": sets,
            "Metrics": [{"Name": name, "Unit": unit} for name, unit in units.items()],
        },
        separators=(",", ":"),
    )


_NOTHING: Mapping[str, float] = {}


def emit(
    dimensions: Mapping[str, str],
    *,
    counts: Mapping[str, float] = _NOTHING,
    milliseconds: Mapping[str, float] = _NOTHING,
    size_bytes: Mapping[str, float] = _NOTHING,
    in_total: bool = False,
    about: Mapping[str, object] | None = None,
) -> None:
    """Emits metrics with the present time; the stage is a dimension of all of them.

    `in_total`: they count for the stage as a whole too. `about` is said beside them, for who reads
    the log: it is no metric.
    """
    sets: tuple[tuple[str, ...], ...] = (("stage", *dimensions),)
    if in_total and dimensions:
        sets = (("stage",), *sets)
    known = settings()
    directive = _directive(
        known.namespace, sets, tuple(counts), tuple(milliseconds), tuple(size_bytes)
    )
    beside = {"stage": known.stage, **dimensions, **(about or {})}
    values = {
        **counts,
        **{name: round(value, 1) for name, value in milliseconds.items()},
        **size_bytes,
    }
    line = _open.get()
    if line is None or not line.takes(directive, beside, values):
        _Line([directive], {**beside, **values}).print()
