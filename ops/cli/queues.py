"""`maraude queue`: replay of dead letters (docs/runbook.md, Look into the failure queues).

Only hails' messages can be: they say where to look, and one that comes late changes nothing. What
`ingest-failures` and `search-failures` hold is the place of records in a stream. Those positions are too
old to be shown when somebody comes to mend what failed; and which searches of a batch were counted
before it failed nobody knows, so that some would be counted twice. A change of a description that was given
up is shown by the job `retire-cells`, which looks for itself.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops.cli import target
from ops.cli.territory.progress import Progress
from ops.errors import CannotGoOn

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from mypy_boto3_sqs.type_defs import MessageTypeDef

REPLAYED = "hail-dead-letters"
HELD_S = 600  # a message is hidden from others while a replay runs


@dataclass(slots=True)
class Replayed:
    """How many messages were sent again, by the queue that they belong to, and how many were not ours."""

    dispatch: int = 0
    deadlines: int = 0
    strange: int = 0


def add_parser(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command and its action."""
    queue = commands.add_parser("queue", help="what was put aside in a failure queue")
    actions = queue.add_subparsers(dest="action", required=True, metavar="ACTION")
    again = actions.add_parser("replay", help="send hails' messages again; what is sent is deleted")
    again.add_argument("name", metavar="NAME", choices=(REPLAYED,), help=REPLAYED)
    again.add_argument("--dry-run", action="store_true", help="change nothing, count only")
    again.set_defaults(run=_replay)
    target.add_arguments(again)


def _replay(arguments: argparse.Namespace) -> None:
    found = replay(dry_run=arguments.dry_run)
    would = "would be" if arguments.dry_run else "were"
    print(
        f"{found.dispatch} messages {would} sent to hail-dispatch again, {found.deadlines} to "
        f"hail-deadlines; {found.strange} are none of ours."
    )
    if found.strange:
        raise CannotGoOn(f"What is none of ours is still in {REPLAYED}.")


def replay(*, dry_run: bool, quiet: bool = False) -> Replayed:
    """Sends each message of `hail-dead-letters` to its queue once more, and deletes it after that.

    Broken off between the two, a message is there twice, which does no harm. What comes while it runs may
    be left for the next time. A message costs three requests of SQS.
    """
    from chalicelib.foundation.aws import clients
    from chalicelib.foundation.settings import table

    sqs = clients.sqs()
    url = sqs.get_queue_url(QueueName=table(REPLAYED))["QueueUrl"]
    progress = Progress(quiet=quiet)
    found = Replayed()
    left = []
    try:
        for number, message in enumerate(_messages(url), start=1):
            name = _queue_of(message)
            if name is None:
                found.strange += 1
            elif name == "hail-dispatch":
                found.dispatch += 1
            else:
                found.deadlines += 1
            if name is None or dry_run:
                left.append(message["ReceiptHandle"])
            else:
                to = sqs.get_queue_url(QueueName=table(name))["QueueUrl"]
                sqs.send_message(QueueUrl=to, MessageBody=message["Body"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            progress.step("messages looked at", number)
    finally:
        for handle in left:
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    return found


def _messages(url: str) -> "Iterator[MessageTypeDef]":
    """Each message of a queue once, where all of them take less than `HELD_S`."""
    from chalicelib.foundation.aws import clients

    seen: set[str] = set()
    while True:
        page = clients.sqs().receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=HELD_S, WaitTimeSeconds=1
        )
        fresh = [one for one in page.get("Messages", []) if one["MessageId"] not in seen]
        if not fresh:
            return
        seen |= {one["MessageId"] for one in fresh}
        yield from fresh


def _queue_of(message: "MessageTypeDef") -> str | None:
    """The queue that a message belongs to; of the two, only a deadline says a status (`hails/queue.py`)."""
    try:
        body: Mapping[str, Any] = json.loads(message["Body"])
        if isinstance(body["hail_id"], str):
            return "hail-deadlines" if "status" in body else "hail-dispatch"
    except (ValueError, KeyError, TypeError):
        pass  # what it is, the line below says
    print(f"none of ours: message {message['MessageId']}", file=sys.stderr)
    return None
