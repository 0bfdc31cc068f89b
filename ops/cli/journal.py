"""Commands in the journal of activities: who has had what done, and to whom [contract: Journal of commands]."""

import argparse
import getpass
import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LEFT_OUT = frozenset({"doctor", "status"})  # they show nothing of anybody, and may run every minute
SECRET = frozenset({"hail_value"})  # arguments that are never kept
NO_ARGUMENTS = frozenset({"run", "app", "action", "data", "stage", "yes", "journal_after"})


def enter(command: str, arguments: argparse.Namespace) -> str | None:
    """Writes the entry of a command that is about to run, or returns what to say of it where that fails.

    That stops no command; one that cannot reach the registry will say so itself.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from pynamodb.exceptions import PynamoDBException

    from chalicelib.foundation import clock
    from chalicelib.foundation.settings import settings
    from chalicelib.taxis.access import store
    from chalicelib.taxis.activity import service as activity
    from chalicelib.taxis.vocabulary import Action, Activity, Resource

    if command in LEFT_OUT:
        return None
    action, resource, resource_id = Action.COMMAND, Resource.REGISTRY, settings().stage
    if "email" in arguments:
        action, resource, resource_id = Action.COMMAND_USER, Resource.USER, arguments.email
        try:
            record = store.by_email(arguments.email)
        except (BotoCoreError, ClientError, PynamoDBException):
            record = None  # the command will say so itself
        if record is not None:
            resource_id = str(record.account.id)
    elif "hail_id" in arguments:
        action, resource, resource_id = Action.COMMAND_HAIL, Resource.HAIL, arguments.hail_id
    extra = {
        "command": " ".join(filter(None, (command, getattr(arguments, "action", None)))),
        "by": person(is_on_aws=bool(arguments.stage)),
        "arguments": _kept(arguments),
    }
    failures: list[logging.LogRecord] = []
    with _instead_of_the_log(failures.append):
        activity.record(Activity(clock.now(), resource, resource_id, action, extra))
    return "This is not in the journal, which could not be written." if failures else None


@contextmanager
def _instead_of_the_log(tell: Callable[[logging.LogRecord], None]) -> Iterator[None]:
    """Has the journal's failures told to a function; its log is a function's, not a desk's."""

    def keep(record: logging.LogRecord) -> bool:
        tell(record)
        return False

    logger = logging.getLogger("maraude.activity")
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)


def _kept(arguments: argparse.Namespace) -> dict[str, object]:
    """The arguments that were given, as JSON, without secrets."""
    return {
        name: value if isinstance(value, bool | int | float | list) else str(value)
        for name, value in vars(arguments).items()
        if name not in NO_ARGUMENTS | SECRET and value not in (None, "", False, [])
    }


def person(*, is_on_aws: bool) -> str:
    """Who runs this: their name on this machine, and on AWS whose credentials they have."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"uid {os.getuid()}"
    local = f"{name}@{socket.gethostname()}"
    return f"{_arn()} ({local})" if is_on_aws else local


def _arn() -> str:
    from botocore.exceptions import BotoCoreError, ClientError

    from chalicelib.foundation.aws import clients

    try:
        return str(clients.client("sts").get_caller_identity()["Arn"])
    except (BotoCoreError, ClientError):
        return "unknown"
