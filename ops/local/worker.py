"""The worker process of a service: what feeds its functions. `python -m ops.local.worker --app NAME`.

It feeds the functions that its templates declare from their streams, and the application's own queue handlers
and schedules.
"""

import argparse
import importlib
import os
import re
from collections.abc import Collection
from dataclasses import replace

from chalice import Chalice
from chalice.app import ScheduledEventConfig, SQSEventConfig

from chalicelib.foundation.settings import settings
from ops import apps
from ops.apps import App
from ops.errors import CannotGoOn
from ops.local.clients import Clients
from ops.local.delivery import Handler
from ops.local.mapping import EventSourceMapping, sources
from ops.local.process import told_to_stop
from ops.local.runner import Runner
from ops.local.times import times
from ops.templates import resources, text_of

AT_ONCE = 16  # invocations from one queue at a desk
_UNITS_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


class NoRate(CannotGoOn):
    """A schedule that is no rate."""


def rate_s(expression: str) -> float:
    """The seconds of `rate(5 minutes)`. Raises NoRate."""
    found = re.fullmatch(r"rate\((\d+) (second|minute|hour|day)s?\)", expression)
    if found is None:
        raise NoRate(
            f"The local runner knows schedules of the form rate(N unit), not {expression}."
        )
    return int(found[1]) * _UNITS_S[found[2]]


def feed_functions(runner: Runner, app: App, *, window_s: float) -> None:
    """Feeds each function that a service's templates declare, as they say, under its name in the service."""
    stage = settings().stage
    for logical, resource in resources(app).items():
        if resource["Type"] == "AWS::Serverless::Function":
            properties = resource["Properties"]
            module, _, function = properties["Handler"].rpartition(".")
            handler = getattr(importlib.import_module(module), function)
            name = text_of(properties["FunctionName"], stage).removeprefix(app.named("", stage))
            feed_function(runner, app, logical, name[1:], handler, window_s=window_s)


def feed_function(
    runner: Runner, app: App, function: str, name: str, handler: Handler, *, window_s: float
) -> None:
    """Feeds a function of a service's templates, where it has this logical name.

    From Kinesis it is fed each `window_s`, for at a desk nobody waits for minutes.
    """
    for source in sources(app, function, settings().stage):
        if source.kind == "Kinesis":
            mapping = replace(source.mapping, maximum_batching_window_in_seconds=window_s)
            runner.feed_kinesis(source.name, name, handler, mapping)
        else:
            runner.feed_table_stream(source.name, name, handler, source.mapping)


def feed_application(
    runner: Runner, app: Chalice, *, without: Collection[str] = (), minute_s: float = 60
) -> None:
    """Feeds the application's `@app.schedule` and `@app.on_sqs_message` handlers.

    A time of a `cron(...)` schedule that passes while nothing runs is not made up for. Trials may
    leave handlers out by their names, and shorten the minute of a `rate(...)`. Raises NoRate, NoTimes.
    """
    for source in app.event_sources:
        if source.name in without:
            continue
        handler = app.handler_map[source.name]
        if isinstance(source, ScheduledEventConfig):
            schedule = source.schedule_expression
            text = schedule if isinstance(schedule, str) else schedule.to_string()
            if text.startswith("cron("):
                runner.feed_times(source.name, handler, times(text))
            else:
                runner.feed_schedule(source.name, handler, rate_s=rate_s(text) * minute_s / 60)
        elif isinstance(source, SQSEventConfig):
            queue = source.queue or str(source.queue_arn).rpartition(":")[2]
            mapping = EventSourceMapping(
                batch_size=source.batch_size,
                report_batch_item_failures=True,
                maximum_concurrency=min(source.maximum_concurrency or 1, AT_ONCE),
            )
            runner.feed_queue(queue, source.name, handler, mapping)


def main() -> None:
    """Feeds until SIGTERM, then finishes what is under way."""
    parser = argparse.ArgumentParser(prog="python -m ops.local.worker", description=__doc__)
    parser.add_argument("--app", type=apps.find, required=True, help="a service, or its folder")
    parser.add_argument("--ingest-window", type=float, default=5.0, metavar="SECONDS")
    args = parser.parse_args()
    stopped = told_to_stop()  # before the application is loaded, which takes a while

    runner = Runner(Clients.at(settings().endpoint or None))
    feed_functions(runner, args.app, window_s=args.ingest_window)
    feed_application(
        runner,
        apps.application(args.app),
        without=os.environ.get("MARAUDE_LOCAL_WITHOUT", "").split(","),
        minute_s=float(os.environ.get("MARAUDE_LOCAL_MINUTE_S", "60")),
    )
    runner.start()
    stopped.wait()
    runner.stop()


if __name__ == "__main__":
    main()
