"""Feeder of a function from an SQS queue."""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

from ops.local.clients import Clients
from ops.local.delivery import Handler, failed_items
from ops.local.mapping import EventSourceMapping
from ops.local.part import Part, Trouble, context
from ops.local.place import REGION

log = logging.getLogger("maraude.runner")


class QueueFeeder(Part):
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
                context(self._function),
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
