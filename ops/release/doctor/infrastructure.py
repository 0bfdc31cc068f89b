"""Checks of the infrastructure: whether the template's resources exist and are as they should be."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ops import apps
from ops.apps import App
from ops.release import permissions
from ops.release.doctor.findings import DEPLOY, Finding, Findings, Note, compared

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import GetQueueAttributesResultTypeDef

    from chalicelib.foundation.sealing import Ring

WAITING = 100  # hails to be sent, or ended: more than a healthy queue ever has

Properties = Mapping[str, Any]


def declared(app: App, kind: str, name: str) -> Iterator[tuple[str, Properties]]:
    """The resources of a kind in a service's templates: full name, properties."""
    from chalicelib.foundation.settings import settings
    from ops.templates import resources, text_of

    for resource in resources(app).values():
        if resource["Type"] == kind:
            properties = resource["Properties"]
            yield text_of(properties[name], settings().stage), properties


def _active(kind: str, name: str, status: str) -> Findings:
    if status != "ACTIVE":
        yield Finding(f"The {kind} {name} is {status}.", "wait until it is ACTIVE")


# --- tables ---------------------------------------------------------------------------------------


def tables(app: App) -> Findings:
    """Checks tables: state, keys, stream, time to live."""
    from chalicelib.foundation.aws import clients

    client = clients.dynamodb()
    return compared(
        "table",
        declared(app, "AWS::DynamoDB::Table", "TableName"),
        lambda name: client.describe_table(TableName=name)["Table"],
        client.exceptions.ResourceNotFoundException,
        _table,
    )


def _table(name: str, expected: Properties, there: Properties) -> Findings:
    from chalicelib.foundation.aws import clients

    yield from _active("table", name, there["TableStatus"])
    if _keys(there["KeySchema"]) != _keys(expected["KeySchema"]):
        yield Finding(
            f"The table {name} has the keys {_keys(there['KeySchema'])}, not {_keys(expected['KeySchema'])}.",
            "it is of another build: take its data to a table of a new stage",
        )
    if "StreamSpecification" in expected and not there.get("StreamSpecification", {}).get(
        "StreamEnabled"
    ):
        yield Finding(
            f"The table {name} has no stream: a change may be missing in searches.", DEPLOY
        )
    if "TimeToLiveSpecification" in expected:
        attribute = expected["TimeToLiveSpecification"]["AttributeName"]
        ttl = clients.dynamodb().describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        if (ttl["TimeToLiveStatus"], ttl.get("AttributeName")) != ("ENABLED", attribute):
            yield Finding(
                f"The table {name} has no time to live: what is old stays, against the terms of use.",
                f"aws dynamodb update-time-to-live --table-name {name} "
                f"--time-to-live-specification Enabled=true,AttributeName={attribute}",
            )


def _keys(schema: Any) -> str:  # noqa: ANN401  # DynamoDB's own list
    return ", ".join(f"{key['AttributeName']} ({key['KeyType']})" for key in schema)


# --- streams and queues ---------------------------------------------------------------------------


def streams(app: App) -> Findings:
    """Checks the state of streams."""
    from chalicelib.foundation.aws import clients

    client = clients.kinesis()
    return compared(
        "stream",
        declared(app, "AWS::Kinesis::Stream", "Name"),
        lambda name: client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"],
        client.exceptions.ResourceNotFoundException,
        lambda name, _, there: _active("stream", name, there["StreamStatus"]),
    )


def queues(app: App) -> Findings:
    """Checks for messages that wait in queues."""
    from chalicelib.foundation.aws import clients

    client = clients.sqs()

    def described(name: str) -> "GetQueueAttributesResultTypeDef":
        return client.get_queue_attributes(
            QueueUrl=client.get_queue_url(QueueName=name)["QueueUrl"],
            AttributeNames=["ApproximateNumberOfMessages"],
        )

    return compared(
        "queue",
        declared(app, "AWS::SQS::Queue", "QueueName"),
        described,
        client.exceptions.QueueDoesNotExist,
        _queue,
    )


def _queue(name: str, expected: Properties, there: Properties) -> Findings:
    waiting = int(there["Attributes"]["ApproximateNumberOfMessages"])
    if "RedrivePolicy" not in expected and waiting:
        yield Finding(
            f"{waiting} messages were put aside in {name}.", "docs/runbook.md, Dead letters"
        )
    elif waiting > WAITING:
        yield Finding(
            f"{waiting} messages wait in {name}.",
            "look at the errors and throttles of its function",
        )


# --- schedules and alarms ---------------------------------------------------------------------------


def schedules(app: App) -> Findings:
    """Checks the rules that call the scheduled functions: `app.py` says which, and when."""
    from chalicelib.foundation.aws import clients
    from chalicelib.foundation.settings import settings

    stage = settings().stage
    prefix = f"{app.named('', stage)}-"
    pages = clients.client("events").get_paginator("list_rules").paginate(NamePrefix=prefix)
    there = {rule["Name"]: rule for page in pages for rule in page["Rules"]}
    return compared(
        "schedule",
        ((app.named(name, stage), when) for name, (when, _) in apps.schedules(app).items()),
        there.__getitem__,
        KeyError,
        _schedule,
    )


def _schedule(name: str, expected: str, there: Properties) -> Findings:
    if there["State"] != "ENABLED":
        yield Finding(
            f"The schedule {name} is {there['State']}: its function is never called.",
            f"aws events enable-rule --name {name}",
        )
    if there.get("ScheduleExpression") != expected:
        yield Finding(
            f"The schedule {name} is {there.get('ScheduleExpression')}, not {expected}.", DEPLOY
        )


def alarms(app: App) -> Findings:
    """Checks alarms: those that are on, without a listener, or without data.

    They tell a topic, and it tells its subscribers; one that has not confirmed is none.
    """
    from chalicelib.foundation.aws import clients
    from chalicelib.foundation.settings import settings

    prefix = f"{app.named('', settings().stage)}-"
    pages = clients.client("cloudwatch").get_paginator("describe_alarms")
    expected = dict(declared(app, "AWS::CloudWatch::Alarm", "AlarmName"))
    there = {
        alarm["AlarmName"]: alarm
        for page in pages.paginate(AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm"])
        for alarm in page["MetricAlarms"]
        if alarm["AlarmName"] in expected  # not another service's
    }
    yield from compared(
        "alarm",
        expected.items(),
        there.__getitem__,
        KeyError,
        lambda name, _, there: _alarm(name, there),
    )
    for topic in sorted({topic for one in there.values() for topic in one["AlarmActions"]}):
        yield from _subscribers(topic)
    dataless = [name for name, one in there.items() if one["StateValue"] == "INSUFFICIENT_DATA"]
    if dataless:
        yield Note(f"Alarms without data so far: {', '.join(sorted(dataless))}.")


def _alarm(name: str, there: Properties) -> Findings:
    if there["StateValue"] == "ALARM":
        yield Finding(
            f"The alarm {name} is on: {there['StateReason']}",
            there.get("AlarmDescription", "").partition("Runbook: ")[2] or "docs/runbook.md",
        )
    if not there["ActionsEnabled"]:
        yield Finding(
            f"The alarm {name} tells nobody: its actions are off.",
            f"aws cloudwatch enable-alarm-actions --alarm-names {name}",
        )
    if not there["AlarmActions"]:
        yield Finding(f"The alarm {name} tells nobody: it has no topic.", DEPLOY)


def _subscribers(topic: str) -> Findings:
    from chalicelib.foundation.aws import clients

    pages = (
        clients.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    )
    # Before it is confirmed, a subscription has `PendingConfirmation` for its name.
    confirmed = (
        one["SubscriptionArn"].startswith("arn:") for page in pages for one in page["Subscriptions"]
    )
    if not any(confirmed):
        yield Finding(
            f"Nobody subscribes to {topic.rpartition(':')[2]}: alarms wake nobody.",
            f"aws sns subscribe --topic-arn {topic} --protocol email --notification-endpoint "
            "ADDRESS, then confirm by the letter that comes",
        )


# --- the secret keys ---------------------------------------------------------------------------------


def rings(app: App) -> "Mapping[str, Ring]":
    """The secrets that a service's functions read, by what they are called."""
    from chalicelib.foundation.sealing import Ring

    of = {"Secret": ("secret", Ring.ACCOUNTS), "HookSecret": ("secret of webhooks", Ring.HOOKS)}
    return dict(of[name] for name in sorted(permissions.secrets(app), reverse=True))


def secret(ring: "Ring", now: datetime) -> Findings:
    """Checks the age of a secret's keys."""
    from chalicelib.foundation.aws import clients
    from chalicelib.foundation.settings import settings

    secret_id = ring.secret_id
    if not secret_id:
        yield Note(
            f"The secret keys are those of {ring.keys_variable}, of unknown age; the functions' own are in "
            f"Secrets Manager, which {ring.id_variable} names."
        )
        return
    # The date of the value itself: the secret's own changes with a tag, too.
    since = clients.client("secretsmanager").get_secret_value(SecretId=secret_id)["CreatedDate"]
    if now - since > timedelta(days=settings().secret_days):
        yield Finding(
            f"The secret keys in {secret_id} are of {since:%Y-%m-%d}.",
            "docs/runbook.md, Rotate the secret keys",
        )
