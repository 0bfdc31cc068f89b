"""Metrics for CloudWatch, written to standard output in its embedded format (EMF).

A line costs no call and no wait: Lambda sends what a function prints to CloudWatch Logs, which takes
the metrics out of it. Dimensions must stay few: a job, a route, an operator, never a taxi or customer.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import sys
import time
from collections.abc import Mapping

from chalicelib.settings import settings

NAMESPACE = "Maraude"


def emit(
    dimensions: Mapping[str, str],
    *,
    counts: Mapping[str, float] | None = None,
    milliseconds: Mapping[str, float] | None = None,
) -> None:
    """Writes values of this moment as one line; the stage is a dimension of all of them."""
    units = {
        **dict.fromkeys(counts or {}, "Count"),
        **dict.fromkeys(milliseconds or {}, "Milliseconds"),
    }
    where = {"stage": settings().stage, **dimensions}
    line = {
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [list(where)],
                    "Metrics": [{"Name": name, "Unit": unit} for name, unit in units.items()],
                }
            ],
        },
        **where,
        **(counts or {}),
        **{name: round(value, 1) for name, value in (milliseconds or {}).items()},
    }
    # Not through `logging`: its prefix would hide the line from CloudWatch.
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
