"""Event-source runner: feeds streams, queues and schedules to the functions that take them on AWS.

MiniStack's own Kinesis mapping knows neither partial failures, bisection, retries nor a failure
queue (a poison batch ran 22 times in 25 s), so this part of Lambda is ours. Checkpoints are kept in
a table of the same store as the data: what a killed process had not finished comes again, and the
data and the checkpoint are never of two different ages.
"""

import json
import logging
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from chalice.local import LambdaContext

from ops.local.delivery import Delivery, Failure, Handler, Interrupted, Record, failed_items
from ops.local.mapping import EventSourceMapping
from ops.local.place import REGION
from ops.local.streams import DynamoStream, KinesisStream, Stream, failure, timestamp
from ops.local.times import Times

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_sqs import SQSClient

CHECKPOINTS = "maraude-local-checkpoints"
POLL_S = 0.5  # between two looks into a shard; twice as long where it is still empty, as Lambda's
WATCH_S = 0.5  # until it is seen that a shard has ended
RESHARD_S = 30.0  # between two looks for new shards, where none has ended
PAYLOAD_BYTES = 6_000_000  # of one invocation, as Lambda limits it
DRAIN_S = 5.0  # how long a stop waits for what is still in the streams
TROUBLE_S = 0.5  # before a failed call to the store is made again

log = logging.getLogger("maraude.runner")

Trouble = (BotoCoreError, ClientError)


@dataclass(frozen=True)
class Clients:
    """The AWS clients of a runner, safe to share between its threads."""

    dynamodb: "DynamoDBClient"
    kinesis: "KinesisClient"
    sqs: "SQSClient"
    streams: Any  # DynamoDB streams, whose stubs are not installed

    @classmethod
    def at(cls, endpoint: str | None) -> "Clients":
        """Clients of the services at `endpoint`; of AWS itself when it is None."""
        limits = Config(
            connect_timeout=2,
            read_timeout=25,
            retries={"mode": "standard", "max_attempts": 2},
            max_pool_connections=32,
            parameter_validation=False,
            user_agent="maraude-local",  # as chalicelib/foundation/aws/clients.py
        )
        session = boto3.Session(region_name=REGION)
        return cls(
            session.client("dynamodb", endpoint_url=endpoint, config=limits),
            session.client("kinesis", endpoint_url=endpoint, config=limits),
            session.client("sqs", endpoint_url=endpoint, config=limits),
            session.client("dynamodbstreams", endpoint_url=endpoint, config=limits),
        )

    def close(self) -> None:
        """Closes their connections."""
        for client in (self.dynamodb, self.kinesis, self.sqs, self.streams):
            client.close()


class Checkpoints:
    """How far each shard has been handled, by function: one item a shard."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str = CHECKPOINTS) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def make_table(self) -> None:
        """Makes the table when it is missing."""
        try:
            self._dynamodb.create_table(
                TableName=self._table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": "shard", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "shard", "KeyType": "HASH"}],
            )
            self._dynamodb.get_waiter("table_exists").wait(TableName=self._table)
        except self._dynamodb.exceptions.ResourceInUseException:
            pass

    def read(self, shard: str) -> str | None:
        """The sequence number of the last record that is done with."""
        found = self._dynamodb.get_item(
            TableName=self._table, Key={"shard": {"S": shard}}, ConsistentRead=True
        )
        return found["Item"]["sequence_number"]["S"] if "Item" in found else None

    def write(self, shard: str, sequence_number: str) -> None:
        """Keeps it."""
        self._dynamodb.put_item(
            TableName=self._table,
            Item={
                "shard": {"S": shard},
                "sequence_number": {"S": sequence_number},
                "written_at": {"S": datetime.now(UTC).isoformat()},
            },
        )


def _context(function: str) -> LambdaContext:
    return LambdaContext(function_name=function, memory_size=1024, max_runtime_ms=60_000)


class _Part:
    """One thread of the runner. Its `_run` may raise trouble of the store, and is then run again."""

    def __init__(self, name: str, stopping: threading.Event) -> None:
        self._name = name
        self._stopping = stopping
        self._thread = threading.Thread(target=self._guard, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Whether it has ended within `timeout_s`."""
        self._thread.join(max(0, timeout_s))
        return not self._thread.is_alive()

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def _guard(self) -> None:
        while True:
            try:
                self._run()
            except Interrupted:
                pass
            except Trouble as trouble:
                log.warning("%s: %s", self._name, trouble)
            except Exception:  # a part never dies of a fault while the runner runs
                log.exception("%s failed", self._name)
            else:
                return
            if self._stopping.wait(TROUBLE_S):
                return

    def _run(self) -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class _Feed:
    """A stream, the function that takes it, and how."""

    stream: Stream
    function: str
    handler: Handler
    mapping: EventSourceMapping
    clients: Clients
    checkpoints: Checkpoints


class _ShardWorker(_Part):
    """Reads one shard into batches and delivers them, until the shard or the runner ends."""

    def __init__(self, feed: _Feed, shard: str, stopping: threading.Event) -> None:
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
            {"Records": [record.event for record in records]}, _context(self._feed.function)
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


class _StreamFeeder(_Part):
    """Keeps one worker a shard; a child shard begins when its parents are exhausted."""

    def __init__(self, feed: _Feed, stopping: threading.Event) -> None:
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


class _QueueFeeder(_Part):
    """Long polls a queue and hands the messages to as many invocations at once as its mapping allows.

    Deletes what was handled, leaves the rest to become visible again.
    """

    WAIT_S = 2

    def __init__(
        self,
        clients: Clients,
        queue: str,
        function: str,
        handler: Handler,
        mapping: EventSourceMapping,
        stopping: threading.Event,
    ) -> None:
        super().__init__(f"{function} {queue}", stopping)
        self._sqs = clients.sqs
        self._queue = queue
        self._function = function
        self._handler = handler
        self._mapping = mapping
        self._free = threading.Semaphore(mapping.maximum_concurrency)

    def _run(self) -> None:
        url = self._sqs.get_queue_url(QueueName=self._queue)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])[
            "Attributes"
        ]["QueueArn"]
        while not self._stopping.is_set():
            self._free.acquire()  # what is received before somebody can take it only grows old
            messages: Sequence[Any] = ()
            try:
                messages = self._sqs.receive_message(
                    QueueUrl=url,
                    MaxNumberOfMessages=min(self._mapping.batch_size, 10),
                    WaitTimeSeconds=self.WAIT_S,
                    MessageSystemAttributeNames=["All"],
                    MessageAttributeNames=["All"],
                ).get("Messages", ())
            finally:
                if not messages:
                    self._free.release()
            if messages:
                threading.Thread(
                    target=self._deliver, args=(messages, url, arn), name=self._name, daemon=True
                ).start()

    def _deliver(self, messages: Sequence[Any], url: str, arn: str) -> None:
        try:
            failed = self._failed(messages, arn)
            done = [message for message in messages if message["MessageId"] not in failed]
            if done:
                self._sqs.delete_message_batch(
                    QueueUrl=url,
                    Entries=[
                        {"Id": str(place), "ReceiptHandle": message["ReceiptHandle"]}
                        for place, message in enumerate(done)
                    ],
                )
        except Trouble as trouble:  # the messages come again
            log.warning("%s: %s", self._name, trouble)
        finally:
            self._free.release()

    def join(self, timeout_s: float) -> bool:
        deadline_s = time.monotonic() + timeout_s
        ended = [super().join(timeout_s)]
        ended += [
            self._free.acquire(timeout=max(0, deadline_s - time.monotonic()))
            for _ in range(self._mapping.maximum_concurrency)
        ]
        return all(ended)

    def _failed(self, messages: Sequence[Any], arn: str) -> set[str]:
        """The ids of the messages that were not handled."""
        everything = {message["MessageId"] for message in messages}
        try:
            answer = self._handler(
                {"Records": [_queue_record(message, arn) for message in messages]},
                _context(self._function),
            )
        except Exception:  # whatever a handler raises is a failed batch, as on AWS
            log.exception("%s: a batch of %d failed", self._name, len(messages))
            return everything
        if not self._mapping.report_batch_item_failures:
            return set()
        return failed_items(answer, everything)


def _queue_record(message: Any, arn: str) -> dict[str, Any]:  # noqa: ANN401  # botocore's
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: {
                "stringValue": value.get("StringValue"),
                "dataType": value["DataType"],
                "stringListValues": [],
                "binaryListValues": [],
            }
            for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": REGION,
    }


class _Clockwork(_Part):
    """Calls a function at a steady rate with EventBridge's scheduled event."""

    def __init__(
        self, function: str, handler: Handler, rate_s: float, stopping: threading.Event
    ) -> None:
        super().__init__(function, stopping)
        self._handler = handler
        self._rate_s = rate_s

    def _run(self) -> None:
        due_s = time.monotonic() + self._rate_s
        while not self._stopping.wait(max(0, due_s - time.monotonic())):
            # A run that takes longer than the rate delays the next one; none is made up for.
            due_s = max(due_s + self._rate_s, time.monotonic())
            self._handler(_scheduled(self._name), _context(self._name))


class Alarm(_Part):
    """Calls a function at times of the day with EventBridge's scheduled event.

    A time that passed while nobody looked (the machine slept, or the last run still went on) is not
    made up for.
    """

    LOOK_S = 20.0  # between two looks at the clock, which may have been set, or have slept
    LATE = timedelta(minutes=1)

    def __init__(
        self, function: str, handler: Handler, times: Times, stopping: threading.Event
    ) -> None:
        super().__init__(function, stopping)
        self._handler = handler
        self._times = times
        self._due: datetime | None = None

    def look(self, now: datetime) -> float:
        """Calls the function if its time has come; how long to wait until the next look."""
        due, self._due = self._due, self._times.next_after(now)
        if due is not None and due > now:
            self._due = due
        elif due is not None and now - due < self.LATE:
            self._handler(_scheduled(self._name), _context(self._name))
        return max(0.0, min(self.LOOK_S, (self._due - now).total_seconds()))

    def _run(self) -> None:
        while not self._stopping.wait(self.look(datetime.now(UTC))):
            pass


def _scheduled(rule: str) -> dict[str, Any]:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": timestamp(datetime.now(UTC)).split(".", maxsplit=1)[0] + "Z",
        "region": REGION,
        "resources": [f"arn:aws:events:{REGION}:000000000000:rule/{rule}"],
        "detail": {},
    }


@dataclass
class Runner:
    """Feeds functions from streams, queues and the clock, each in threads of its own."""

    clients: Clients
    checkpoint_table: str = CHECKPOINTS
    _stopping: threading.Event = field(default_factory=threading.Event, init=False)
    _parts: list[_Part] = field(default_factory=list, init=False)

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
        feed = _Feed(stream, function, handler, mapping, self.clients, checkpoints)
        self._parts.append(_StreamFeeder(feed, self._stopping))

    def feed_queue(
        self, queue: str, function: str, handler: Handler, mapping: EventSourceMapping
    ) -> None:
        """From an SQS queue: batches of at most 10, without a window."""
        self._parts.append(
            _QueueFeeder(self.clients, queue, function, handler, mapping, self._stopping)
        )

    def feed_schedule(self, function: str, handler: Handler, *, rate_s: float) -> None:
        """From the clock, first after `rate_s` seconds."""
        self._parts.append(_Clockwork(function, handler, rate_s, self._stopping))

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
