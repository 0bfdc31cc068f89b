"""What the template makes: whether it is there, and as it should be."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ops.release.doctor.findings import DEPLOY, Finding, Note, Said, compared

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import GetQueueAttributesResultTypeDef

WAITING = 100  # hails to be sent, or ended: more than a healthy queue ever has

Properties = Mapping[str, Any]


def _of(kind: str, name: str, file: str = "resources.yaml") -> Iterator[tuple[str, Properties]]:
    """The resources of a kind in a file of `infra`: full name, properties."""
    from chalicelib.foundation.settings import settings
    from ops.local.provision import named, resources

    for resource in resources(file).values():
        if resource["Type"] == kind:
            properties = resource["Properties"]
            yield named(properties[name], settings().stage), properties


def _active(kind: str, name: str, status: str) -> Said:
    if status != "ACTIVE":
        yield Finding(f"The {kind} {name} is {status}.", "wait until it is ACTIVE")


# --- tables ---------------------------------------------------------------------------------------


def tables() -> Said:
    """Of their state, keys, stream and time to live."""
    from chalicelib.foundation.aws import clients

    client = clients.dynamodb()
    return compared(
        "table",
        _of("AWS::DynamoDB::Table", "TableName"),
        lambda name: client.describe_table(TableName=name)["Table"],
        client.exceptions.ResourceNotFoundException,
        _table,
    )


def _table(name: str, wanted: Properties, there: Properties) -> Said:
    from chalicelib.foundation.aws import clients

    yield from _active("table", name, there["TableStatus"])
    if _keys(there["KeySchema"]) != _keys(wanted["KeySchema"]):
        yield Finding(
            f"The table {name} has the keys {_keys(there['KeySchema'])}, not {_keys(wanted['KeySchema'])}.",
            "it is of another build: take its data to a table of a new stage",
        )
    if "StreamSpecification" in wanted and not there.get("StreamSpecification", {}).get(
        "StreamEnabled"
    ):
        yield Finding(
            f"The table {name} has no stream: a change may be missing in searches.", DEPLOY
        )
    if "TimeToLiveSpecification" in wanted:
        attribute = wanted["TimeToLiveSpecification"]["AttributeName"]
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


def streams() -> Said:
    """Of their state."""
    from chalicelib.foundation.aws import clients

    client = clients.kinesis()
    return compared(
        "stream",
        _of("AWS::Kinesis::Stream", "Name"),
        lambda name: client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"],
        client.exceptions.ResourceNotFoundException,
        lambda name, _, there: _active("stream", name, there["StreamStatus"]),
    )


def queues() -> Said:
    """Of what waits in them."""
    from chalicelib.foundation.aws import clients

    client = clients.sqs()

    def described(name: str) -> "GetQueueAttributesResultTypeDef":
        return client.get_queue_attributes(
            QueueUrl=client.get_queue_url(QueueName=name)["QueueUrl"],
            AttributeNames=["ApproximateNumberOfMessages"],
        )

    return compared(
        "queue",
        _of("AWS::SQS::Queue", "QueueName"),
        described,
        client.exceptions.QueueDoesNotExist,
        _queue,
    )


def _queue(name: str, wanted: Properties, there: Properties) -> Said:
    waiting = int(there["Attributes"]["ApproximateNumberOfMessages"])
    if "RedrivePolicy" not in wanted and waiting:
        yield Finding(
            f"{waiting} messages were put aside in {name}.", "docs/runbook.md, Dead letters"
        )
    elif waiting > WAITING:
        yield Finding(
            f"{waiting} messages wait in {name}.",
            "look at the errors and throttles of its function",
        )


# --- schedules and alarms ---------------------------------------------------------------------------


def schedules() -> Said:
    """Of the rules that call the scheduled functions: `app.py` says which, and when."""
    from chalicelib.foundation.aws import clients
    from chalicelib.foundation.settings import table
    from ops.cli.jobs import schedules as scheduled

    pages = clients.client("events").get_paginator("list_rules").paginate(NamePrefix=table(""))
    there = {rule["Name"]: rule for page in pages for rule in page["Rules"]}
    return compared(
        "schedule",
        ((table(name), when) for name, (when, _) in scheduled().items()),
        there.__getitem__,
        KeyError,
        _schedule,
    )


def _schedule(name: str, wanted: str, there: Properties) -> Said:
    if there["State"] != "ENABLED":
        yield Finding(
            f"The schedule {name} is {there['State']}: its function is never called.",
            f"aws events enable-rule --name {name}",
        )
    if there.get("ScheduleExpression") != wanted:
        yield Finding(
            f"The schedule {name} is {there.get('ScheduleExpression')}, not {wanted}.", DEPLOY
        )


def alarms() -> Said:
    """Of those that are on, those that would tell nobody, and those that have nothing to go by yet.

    They tell a topic, and it tells its subscribers; one that has not confirmed is none.
    """
    from chalicelib.foundation.aws import clients
    from chalicelib.foundation.settings import table

    pages = clients.client("cloudwatch").get_paginator("describe_alarms")
    there = {
        alarm["AlarmName"]: alarm
        for page in pages.paginate(AlarmNamePrefix=table(""), AlarmTypes=["MetricAlarm"])
        for alarm in page["MetricAlarms"]
    }
    yield from compared(
        "alarm",
        _of("AWS::CloudWatch::Alarm", "AlarmName", "watching.yaml"),
        there.__getitem__,
        KeyError,
        _alarm,
    )
    for topic in sorted({topic for one in there.values() for topic in one["AlarmActions"]}):
        yield from _subscribers(topic)
    dataless = [name for name, one in there.items() if one["StateValue"] == "INSUFFICIENT_DATA"]
    if dataless:
        yield Note(f"Alarms without data so far: {', '.join(sorted(dataless))}.")


def _alarm(name: str, wanted: Properties, there: Properties) -> Said:
    if there["StateValue"] == "ALARM":
        yield Finding(
            f"The alarm {name} is on: {there['StateReason']}",
            wanted["AlarmDescription"].partition("Runbook: ")[2],
        )
    if not there["ActionsEnabled"]:
        yield Finding(
            f"The alarm {name} tells nobody: its actions are off.",
            f"aws cloudwatch enable-alarm-actions --alarm-names {name}",
        )
    if not there["AlarmActions"]:
        yield Finding(f"The alarm {name} tells nobody: it has no topic.", DEPLOY)


def _subscribers(topic: str) -> Said:
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
