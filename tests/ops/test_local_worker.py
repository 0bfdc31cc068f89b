"""What the ingest process feeds, and from where."""

from typing import Any

import pytest
from chalice import Chalice
from chalice.app import Cron, Rate

from app import app
from ingest_lambda import searches
from ops import apps
from ops.local import worker
from ops.local.mapping import EventSourceMapping, sources
from ops.local.times import Times, times

TAXIS = apps.find("taxis")


class Feeds:
    """Stands in for the runner: it only takes note."""

    def __init__(self) -> None:
        self.noted: list[tuple[Any, ...]] = []

    def feed_schedule(self, function: str, handler: object, *, rate_s: float) -> None:
        self.noted.append((function, callable(handler), rate_s))

    def feed_times(self, function: str, handler: object, times: Times) -> None:
        self.noted.append((function, callable(handler), times))

    def feed_queue(
        self, queue: str, function: str, handler: object, mapping: EventSourceMapping
    ) -> None:
        self.noted.append(
            (queue, function, callable(handler), mapping.batch_size, mapping.maximum_concurrency)
        )


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("rate(1 minute)", 60),
        ("rate(5 minutes)", 300),
        ("rate(1 hour)", 3600),
        ("rate(2 days)", 172_800),
    ],
)
def test_a_rate_is_read_in_seconds(expression: str, seconds: float) -> None:
    assert worker.rate_s(expression) == seconds


def test_what_is_no_rate_is_refused() -> None:
    with pytest.raises(worker.NoRate, match="every full moon"):
        worker.rate_s("every full moon")


def test_all_times_of_the_application_can_be_run_at_a_desk() -> None:
    feeds = Feeds()

    worker.feed_application(feeds, app)  # type: ignore[arg-type]  # it only takes note

    noted = {noted[0]: noted[2] for noted in feeds.noted if isinstance(noted[2], Times)}
    assert noted["blur_hails"] == times("cron(2 4 * * ? *)") == Times(minute=2, hour=4)


def test_the_applications_schedules_and_queues_are_fed() -> None:
    small = Chalice("small", configure_logs=False)
    small.schedule(Rate(5, Rate.MINUTES), name="sweep")(lambda event: event)
    small.schedule("rate(1 hour)", name="count")(lambda event: event)
    small.schedule(Cron(0, 3, "*", "*", "?", "*"), name="nightly")(lambda event: event)
    small.on_sqs_message(queue="hails", batch_size=3, name="dispatch")(lambda event: event)
    feeds = Feeds()

    worker.feed_application(feeds, small)  # type: ignore[arg-type]  # it only takes note

    assert feeds.noted == [
        ("sweep", True, 300),
        ("count", True, 3600),
        ("nightly", True, Times(minute=0, hour=3)),
        ("hails", "dispatch", True, 3, 1),
    ]


def test_a_queue_has_as_many_invocations_at_once_as_it_asks_for_and_a_desk_can_bear() -> None:
    small = Chalice("small", configure_logs=False)
    small.on_sqs_message(queue="few", maximum_concurrency=3, name="few")(lambda event: event)
    small.on_sqs_message(queue="many", maximum_concurrency=500, name="many")(lambda event: event)
    feeds = Feeds()

    worker.feed_application(feeds, small)  # type: ignore[arg-type]  # it only takes note

    assert [(noted[0], noted[4]) for noted in feeds.noted] == [("few", 3), ("many", worker.AT_ONCE)]


def test_a_trial_may_leave_handlers_out_and_shorten_the_minute() -> None:
    small = Chalice("small", configure_logs=False)
    small.schedule(Rate(5, Rate.MINUTES), name="sweep")(lambda event: event)
    small.on_sqs_message(queue="hails", name="dispatch")(lambda event: event)
    feeds = Feeds()

    worker.feed_application(feeds, small, without=["dispatch"], minute_s=2)  # type: ignore[arg-type]

    assert feeds.noted == [("sweep", True, 10)]


def test_the_ingest_function_is_fed_as_the_template_says() -> None:
    by_kind = {source.kind: source for source in sources(TAXIS, "IngestFunction", "local")}

    assert by_kind["Kinesis"].name == "maraude-local-positions"
    assert by_kind["DynamoDB"].name == "maraude-local-descriptions"
    for source in by_kind.values():
        assert source.mapping.on_failure == "maraude-local-ingest-failures"
        assert source.mapping.bisect_batch_on_function_error
        assert source.mapping.report_batch_item_failures
        assert source.mapping.maximum_retry_attempts >= 0


def test_the_function_that_counts_searches_is_fed_as_the_template_says_but_sooner() -> None:
    class Streams:
        """Stands in for the runner: it only takes note."""

        def __init__(self) -> None:
            self.noted: list[tuple[str, str, object, EventSourceMapping]] = []

        def feed_kinesis(
            self, stream: str, function: str, handler: object, mapping: EventSourceMapping
        ) -> None:
            self.noted.append((stream, function, handler, mapping))

    streams = Streams()

    worker.feed_function(
        streams,  # type: ignore[arg-type]  # it only takes note
        TAXIS,
        "CountSearchesFunction",
        "count-searches",
        searches.handle,
        window_s=5,
    )

    [(stream, function, handler, mapping)] = streams.noted
    assert stream.endswith("-searches")
    assert (function, handler) == ("count-searches", searches.handle)
    assert mapping.maximum_batching_window_in_seconds == 5
    assert mapping.bisect_batch_on_function_error
    assert mapping.report_batch_item_failures
    assert mapping.maximum_retry_attempts > 0
    assert (mapping.on_failure or "").endswith("-search-failures")
    [as_deployed] = sources(TAXIS, "CountSearchesFunction", "local")
    assert 0 < as_deployed.mapping.maximum_batching_window_in_seconds <= 300
