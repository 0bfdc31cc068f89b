"""Event-source runner: feeds streams, queues and schedules to the functions that take them on AWS.

MiniStack's own Kinesis mapping knows neither partial failures, bisection, retries nor a failure
queue (a poison batch ran 22 times in 25 s), so this part of Lambda is ours.
"""

import threading
import time
from dataclasses import dataclass, field

from ops.local.checkpoints import CHECKPOINTS, Checkpoints
from ops.local.clients import Clients
from ops.local.delivery import Handler
from ops.local.mapping import EventSourceMapping
from ops.local.part import Part
from ops.local.queues import QueueFeeder
from ops.local.schedules import Alarm, Clockwork
from ops.local.shards import Feed, StreamFeeder
from ops.local.streams import DynamoStream, KinesisStream, Stream
from ops.local.times import Times


@dataclass
class Runner:
    """Feeds functions from streams, queues and the clock, each in threads of its own."""

    clients: Clients
    checkpoint_table: str = CHECKPOINTS
    _stopping: threading.Event = field(default_factory=threading.Event, init=False)
    _parts: list[Part] = field(default_factory=list, init=False)

    def feed_kinesis(
        self, stream: str, function: str, handler: Handler, mapping: EventSourceMapping
    ) -> None:
        """From a Kinesis stream, from its oldest record or the checkpoint on."""
        self._feed(KinesisStream(self.clients.kinesis, stream), function, handler, mapping)

    def feed_table_stream(
        self, table: str, function: str, handler: Handler, mapping: EventSourceMapping
    ) -> None:
        """From the stream of a DynamoDB table."""
        stream = DynamoStream(self.clients.dynamodb, self.clients.streams, table)
        self._feed(stream, function, handler, mapping)

    def _feed(
        self, stream: Stream, function: str, handler: Handler, mapping: EventSourceMapping
    ) -> None:
        checkpoints = Checkpoints(self.clients.dynamodb, self.checkpoint_table)
        feed = Feed(stream, function, handler, mapping, self.clients, checkpoints)
        self._parts.append(StreamFeeder(feed, self._stopping))

    def feed_queue(
        self, queue: str, function: str, handler: Handler, mapping: EventSourceMapping
    ) -> None:
        """From an SQS queue: batches of at most 10, without a window."""
        self._parts.append(
            QueueFeeder(self.clients, queue, function, handler, mapping, self._stopping)
        )

    def feed_schedule(self, function: str, handler: Handler, *, rate_s: float) -> None:
        """From the clock, first after `rate_s` seconds."""
        self._parts.append(Clockwork(function, handler, rate_s, self._stopping))

    def feed_times(self, function: str, handler: Handler, times: Times) -> None:
        """From the clock, at times of the day."""
        self._parts.append(Alarm(function, handler, times, self._stopping))

    def start(self) -> None:
        """Makes the table of checkpoints and starts all parts. Raises what the store raises."""
        Checkpoints(self.clients.dynamodb, self.checkpoint_table).make_table()
        for part in self._parts:
            part.start()

    def stop(self, *, timeout_s: float = 30) -> bool:
        """Finishes what is under way, what is in the streams (5 s at most), and its checkpoints.

        Whether all of it ended within `timeout_s`.
        """
        self._stopping.set()
        deadline_s = time.monotonic() + timeout_s
        ended = [part.join(deadline_s - time.monotonic()) for part in self._parts]
        return all(ended)
