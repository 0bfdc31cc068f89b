"""Feeders of functions from the shards of a stream: Kinesis's, or a DynamoDB table's."""

import json
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from ops.local.checkpoints import Checkpoints
from ops.local.clients import Clients
from ops.local.delivery import Delivery, Failure, Handler, Record
from ops.local.mapping import EventSourceMapping
from ops.local.part import Part, context
from ops.local.streams import Stream, failure

POLL_S = 0.5  # between two looks into a shard; twice as long where it is still empty, as Lambda's
WATCH_S = 0.5  # until it is seen that a shard has ended
RESHARD_S = 30.0  # between two looks for new shards, where none has ended
PAYLOAD_BYTES = 6_000_000  # of one invocation, as Lambda limits it
DRAIN_S = 5.0  # how long a stop waits for what is still in the streams


@dataclass(frozen=True)
class Feed:
    """A stream, the function that takes it, and how."""

    stream: Stream
    function: str
    handler: Handler
    mapping: EventSourceMapping
    clients: Clients
    checkpoints: Checkpoints


class _ShardWorker(Part):
    """Reads one shard into batches and delivers them, until the shard or the runner ends."""

    def __init__(self, feed: Feed, shard: str, stopping: threading.Event) -> None:
        super().__init__(f"{feed.function} {shard}", stopping)
        self.shard = shard
        self.exhausted = False
        self._closed = False
        self._feed = feed
        self._key = f"{feed.function}#{feed.stream.arn}#{shard}"
        self._stop_by = 0.0
        self._delivery = Delivery(
            feed.mapping,
            invoke=self._invoke,
            commit=lambda number: feed.checkpoints.write(self._key, number),
            announce=self._announce,
            pause=stopping.wait,
            now=time.time,
        )

    def _run(self) -> None:
        after = self._feed.checkpoints.read(self._key)
        self._closed = False
        while not self.exhausted:
            batch = self._gather(after)
            if batch:
                self._delivery.deliver(batch)
                after = batch[-1].sequence_number
            self.exhausted = self._closed  # not before: then its children begin
            if self._stopping.is_set() and (not batch or self._late()):
                return

    def _late(self) -> bool:
        """Whether the runner has been stopping for as long as it may."""
        self._stop_by = self._stop_by or time.monotonic() + DRAIN_S
        return time.monotonic() > self._stop_by

    def _gather(self, after: str | None) -> list[Record]:
        """The next batch: full, or as old as the window, or all there is when the runner stops."""
        mapping = self._feed.mapping
        batch: list[Record] = []
        size = 0
        due = 0.0
        pause_s = POLL_S
        while True:
            room = mapping.batch_size - len(batch)
            page = self._feed.stream.read(self.shard, after, room)
            for record in page.records:
                if batch and size + record.size > PAYLOAD_BYTES:
                    return batch
                batch.append(record)
                size += record.size
                after = record.sequence_number
            if batch and not due:
                due = time.monotonic() + mapping.maximum_batching_window_in_seconds
            if page.closed and not page.records:
                self._closed = True
                return batch
            if len(batch) >= mapping.batch_size or self._stopping.is_set():
                return batch
            if batch and time.monotonic() >= due:
                return batch
            wait_s = min(POLL_S, due - time.monotonic()) if batch else pause_s
            pause_s = 2 * POLL_S
            self._stopping.wait(max(0, wait_s))

    def _invoke(self, records: Sequence[Record]) -> object:
        return self._feed.handler(
            {"Records": [record.event for record in records]}, context(self._feed.function)
        )

    def _announce(self, given_up: Failure) -> None:
        feed = self._feed
        if feed.mapping.on_failure is None:
            return
        message = failure(
            feed.stream,
            self.shard,
            given_up.records,
            function=feed.function,
            condition=given_up.condition,
            invocations=given_up.invocations,
            request_id=str(uuid.uuid4()),
        )
        sqs = feed.clients.sqs
        url = sqs.get_queue_url(QueueName=feed.mapping.on_failure)["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(message))


class StreamFeeder(Part):
    """Keeps one worker a shard; a child shard begins when its parents are exhausted."""

    def __init__(self, feed: Feed, stopping: threading.Event) -> None:
        super().__init__(feed.function, stopping)
        self._feed = feed
        self._workers: dict[str, _ShardWorker] = {}

    def _run(self) -> None:
        while not self._stopping.is_set():
            ended = self._ended()
            shards = self._feed.stream.shards()
            present = {shard.id for shard in shards}
            for shard in shards:
                waits = any(self._under_way(parent, present) for parent in shard.parents)
                if shard.id not in self._workers and not waits:
                    worker = _ShardWorker(self._feed, shard.id, self._stopping)
                    self._workers[shard.id] = worker
                    worker.start()
            again_s = time.monotonic() + RESHARD_S
            # A shard's children are there when it ends
            while time.monotonic() < again_s and self._ended() == ended:
                if self._stopping.wait(min(WATCH_S, RESHARD_S)):
                    return

    def _ended(self) -> int:
        return sum(worker.exhausted for worker in self._workers.values())

    def _under_way(self, shard: str, present: set[str]) -> bool:
        """Whether a parent still has records to give; one that is gone and unknown has none."""
        worker = self._workers.get(shard)
        return shard in present if worker is None else not worker.exhausted

    def join(self, timeout_s: float) -> bool:
        deadline_s = time.monotonic() + timeout_s
        ended = [super().join(timeout_s)]
        ended += [worker.join(deadline_s - time.monotonic()) for worker in self._workers.values()]
        return all(ended)
