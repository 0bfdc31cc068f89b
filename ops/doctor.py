"""`maraude doctor`: what is wrong with a registry, and what to do about each.

It changes nothing. It reads descriptions of tables, streams and queues, small documents, the list of
accounts and the hails that are overdue: some hundred units.
"""

import argparse
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ops import target
from ops.errors import CannotGoOn

if TYPE_CHECKING:
    from argparse import _SubParsersAction

SWEPT_WITHIN = timedelta(minutes=3)  # of a hail's deadline, with the sweep running each minute
WAITING = 100  # hails to be sent, or ended: more than a healthy queue ever has

# How old the last run of a job may be: two and a bit of its schedule's steps.
MINUTES, HOURS, DAYS = timedelta(minutes=5), timedelta(hours=3), timedelta(hours=26)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, and what to do."""

    what: str
    do: str


def add_parser(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    doctor = commands.add_parser("doctor", help="say what is wrong, and what to do; change nothing")
    target.add_arguments(doctor)
    doctor.set_defaults(run=_run)


def _run(_: argparse.Namespace) -> None:
    from chalicelib import clock

    found = list(findings(now=clock.now()))
    for finding in found:
        print(f"{finding.what}\n  -> {finding.do}")
    if found:
        raise CannotGoOn(f"{len(found)} things are wrong." if len(found) > 1 else "That is wrong.")
    print("Nothing is wrong.")


def findings(*, now: datetime) -> Iterator[Finding]:
    """All that is wrong with the registry that this process is turned to."""
    from botocore.exceptions import BotoCoreError, ClientError
    from pynamodb.exceptions import PynamoDBException

    checks = {
        "tables": _tables(),
        "streams": _streams(),
        "queues": _queues(),
        "jobs": _jobs(now),
        "hails": _hails(now),
        "documents": _documents(),
        "accounts": _accounts(now),
    }
    for name, check in checks.items():
        try:
            yield from check
        except (BotoCoreError, ClientError, PynamoDBException) as error:
            yield Finding(
                f"The {name} could not be looked at: {error}",
                "mend what is said above; else look at the credentials, and at AWS's status",
            )


# --- what the template makes ------------------------------------------------------------------------


def _of(kind: str, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The resources of a kind: full name, properties."""
    from chalicelib.settings import settings
    from ops.local.provision import named, resources

    for resource in resources().values():
        if resource["Type"] == kind:
            properties = resource["Properties"]
            yield named(properties[name], settings().stage), properties


_DEPLOY = "deploy the template (locally: stop and start `maraude up`)"


def _tables() -> Iterator[Finding]:
    from chalicelib import aws

    client = aws.dynamodb()
    for name, wanted in _of("AWS::DynamoDB::Table", "TableName"):
        try:
            there = client.describe_table(TableName=name)["Table"]
        except client.exceptions.ResourceNotFoundException:
            yield Finding(f"The table {name} is not there.", _DEPLOY)
            continue
        if there["TableStatus"] != "ACTIVE":
            yield Finding(f"The table {name} is {there['TableStatus']}.", "wait until it is ACTIVE")
        if _keys(there["KeySchema"]) != _keys(wanted["KeySchema"]):
            yield Finding(
                f"The table {name} has the keys {_keys(there['KeySchema'])}, not {_keys(wanted['KeySchema'])}.",
                "it is of another build: take its data to a table of a new stage",
            )
        if "StreamSpecification" in wanted and not there.get("StreamSpecification", {}).get(
            "StreamEnabled"
        ):
            yield Finding(
                f"The table {name} has no stream: a change may be missing in searches.", _DEPLOY
            )
        if "TimeToLiveSpecification" in wanted:
            attribute = wanted["TimeToLiveSpecification"]["AttributeName"]
            ttl = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
            if (ttl["TimeToLiveStatus"], ttl.get("AttributeName")) != ("ENABLED", attribute):
                yield Finding(
                    f"The table {name} has no time to live: what is old stays, against the terms of use.",
                    f"aws dynamodb update-time-to-live --table-name {name} "
                    f"--time-to-live-specification Enabled=true,AttributeName={attribute}",
                )


def _keys(schema: Any) -> str:  # noqa: ANN401  # DynamoDB's own list
    return ", ".join(f"{key['AttributeName']} ({key['KeyType']})" for key in schema)


def _streams() -> Iterator[Finding]:
    from chalicelib import aws

    client = aws.kinesis()
    for name, _ in _of("AWS::Kinesis::Stream", "Name"):
        try:
            there = client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        except client.exceptions.ResourceNotFoundException:
            yield Finding(f"The stream {name} is not there.", _DEPLOY)
            continue
        if there["StreamStatus"] != "ACTIVE":
            yield Finding(
                f"The stream {name} is {there['StreamStatus']}.", "wait until it is ACTIVE"
            )


def _queues() -> Iterator[Finding]:
    from chalicelib import aws

    client = aws.sqs()
    for name, wanted in _of("AWS::SQS::Queue", "QueueName"):
        try:
            url = client.get_queue_url(QueueName=name)["QueueUrl"]
        except client.exceptions.QueueDoesNotExist:
            yield Finding(f"The queue {name} is not there.", _DEPLOY)
            continue
        said = client.get_queue_attributes(
            QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
        )
        waiting = int(said["Attributes"]["ApproximateNumberOfMessages"])
        if "RedrivePolicy" not in wanted and waiting:
            yield Finding(
                f"{waiting} messages were put aside in {name}.", "docs/runbook.md, Dead letters"
            )
        elif waiting > WAITING:
            yield Finding(
                f"{waiting} messages wait in {name}.",
                "look at the errors and throttles of its function",
            )


# --- what runs --------------------------------------------------------------------------------------


def _longest(schedule: str) -> timedelta:
    """How long ago a job on this schedule may have run."""
    if schedule.startswith("rate("):
        return MINUTES if "minute" in schedule else DAYS
    return HOURS if schedule.split()[1] == "*" else DAYS


def _jobs(now: datetime) -> Iterator[Finding]:
    from chalicelib import aws
    from chalicelib.jobs import service
    from chalicelib.settings import table
    from ops.jobs import schedules

    known = schedules()
    statistics = aws.dynamodb().describe_table(TableName=table("statistics"))["Table"]
    runs = service.last_runs()
    for name in sorted(service.JOBS.keys() & known.keys()):
        last = runs.get(name)
        if now - (last or statistics["CreationDateTime"]) <= _longest(known[name][0]):
            continue
        when = "never" if last is None else f"last at {last:%Y-%m-%d %H:%M} UTC"
        yield Finding(
            f"The job {name} ran {when}; it is due by {known[name][0]}.",
            f"look at its function's log, then `maraude job run {name}`",
        )


def _hails(now: datetime) -> Iterator[Finding]:
    from chalicelib.hails import lists

    overdue = list(lists.late(now - SWEPT_WITHIN))
    if overdue:
        yield Finding(
            f"{len(overdue)} hails should have ended, {overdue[0]} among them.",
            "docs/runbook.md, Hails are not ended",
        )


# --- what it knows ----------------------------------------------------------------------------------


def _documents() -> Iterator[Finding]:
    """Of the leaf map and of the territory: whoever reads one document reads all of them."""
    from chalicelib.positions import store as positions
    from chalicelib.territory import store as territory

    try:
        positions.leaf_maps()
        has_borders = bool(territory.edition.current().tiles)
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        yield Finding(
            f"The leaf map, or another document of the table config, cannot be read ({error!r}).",
            "nothing is answered: compare its items with those of yesterday, and put back the one that differs",
        )
        return
    if not has_borders:
        yield Finding(
            "No town has borders: every search is empty.",
            "maraude territory load-towns FILE, then load-zones",
        )


def _accounts(now: datetime) -> Iterator[Finding]:
    from cryptography.fernet import InvalidToken

    from chalicelib import vault
    from chalicelib.access import store
    from chalicelib.access.rules import Role
    from chalicelib.settings import BadSetting, settings

    records = sorted(store.every(), key=lambda record: record.account.id)
    if not records:
        yield Finding("There is no account.", "maraude account add EMAIL --role ROLE")
    try:
        vault.derived_keys("doctor")
        for record in records:
            vault.unseal(record.sealed_key)
    except BadSetting as error:
        yield Finding(f"{error}.", "set it as the functions have it")
    except InvalidToken:
        yield Finding(
            "The secret keys are not those that the accounts' keys are sealed with.",
            "put the key that is missing behind the others in MARAUDE_SECRET_KEYS or its secret",
        )
    oldest = now - timedelta(days=settings().key_days)
    for record in records:
        account = record.account
        # A key of before this was noted has no date; it gets one when it is rotated.
        if account.active and record.key_since is not None and record.key_since < oldest:
            yield Finding(
                f"The key of {account.email} is of {record.key_since:%Y-%m-%d}.",
                "docs/runbook.md, Rotate a partner's key",
            )
        if not account.active or account.has(Role.ADMIN) or record.hail_endpoint_production:
            continue
        if account.has(Role.OPERATEUR):
            yield Finding(
                f"The operator {account.email} has no address for hails: they fail.",
                f"maraude account add {account.email} --hail-url URL",
            )
