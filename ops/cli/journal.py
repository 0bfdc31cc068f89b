"""Commands in the journal of activities: who has had what done, and to whom [contract: Journal of commands]."""

import argparse
import getpass
import os
import socket

LEFT_OUT = frozenset({"doctor"})  # it shows nothing of anybody, and may run every minute
SECRET = frozenset({"hail_value"})  # arguments that are never kept
NO_ARGUMENTS = frozenset({"run", "app", "action", "data", "stage", "yes"})


def enter(command: str, arguments: argparse.Namespace) -> None:
    """Writes the entry of a command that is about to run. A failure is logged and stops no command."""
    from botocore.exceptions import BotoCoreError, ClientError
    from pynamodb.exceptions import PynamoDBException

    from chalicelib.foundation import clock
    from chalicelib.foundation.settings import settings
    from chalicelib.taxis.access import store
    from chalicelib.taxis.activity import service as activity
    from chalicelib.taxis.vocabulary import Action, Activity, Resource

    if command in LEFT_OUT:
        return
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
    activity.record(Activity(clock.now(), resource, resource_id, action, extra))


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
