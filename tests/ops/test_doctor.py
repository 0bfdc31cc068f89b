"""`maraude doctor` says what is wrong, one thing broken at a time."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Literal

import boto3
import pytest
from cryptography.fernet import Fernet
from moto.sns.models import sns_backends

from chalicelib.foundation import clock
from chalicelib.foundation.aws import clients
from chalicelib.foundation.jobs import store as jobs_store
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import documents
from chalicelib.foundation.values import replace
from chalicelib.taxis.access import store
from chalicelib.taxis.jobs import service as jobs
from chalicelib.taxis.vocabulary import Role
from ops import apps
from ops.cli import administration
from ops.cli.main import main
from ops.cli.territory import loads
from ops.local.provision import provision
from ops.release.doctor import infrastructure
from ops.release.doctor.command import findings
from ops.release.doctor.findings import Finding, Note
from ops.templates import resources
from tests import factories
from tests.conftest import empty_registry
from tests.provisioned import tables
from tests.taxis.hails.hail_factories import Scene

TAXIS = apps.find("taxis")

pytestmark = pytest.mark.usefixtures("healthy")


Change = Callable[..., None]


def deployed() -> None:
    """What is on AWS after a deployment, with a town and accounts."""
    tables()
    for name, variable in (("keys", "SECRET"), ("hook-keys", "HOOK_SECRET")):
        boto3.client("secretsmanager").create_secret(
            Name=f"maraude-test-{name}", SecretString=os.environ[f"MARAUDE_{variable}_KEYS"]
        )
    for name, (when, _) in apps.schedules(TAXIS).items():
        boto3.client("events").put_rule(Name=table(name), ScheduleExpression=when)
    for name, _ in infrastructure.declared(TAXIS, "AWS::CloudWatch::Alarm", "AlarmName"):
        put_alarm(name)
    subscribe()
    ring = [[2.3, 48.85], [2.36, 48.85], [2.36, 48.88], [2.3, 48.88], [2.3, 48.85]]
    feature = {
        "type": "Feature",
        "properties": {"insee": "75056", "nom": "Paris"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "towns.geojson")
        file.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
        loads.load_towns(file, quiet=True)
    now = clock.now()
    administration.add(
        "operator", roles=[Role.OPERATEUR], hook=("https://operator.example/", "", ""), now=now
    )
    administration.add("app", roles=[Role.MOTEUR], now=now)
    administration.add("admin", roles=[Role.ADMIN], now=now)


@pytest.fixture
def healthy(monkeypatch: pytest.MonkeyPatch, environment: Change) -> Iterator[None]:
    """A registry on AWS in which nothing is wrong."""
    monkeypatch.setattr("ops.cli.target.connect", lambda _: None)
    with empty_registry(deployed):
        environment(
            MARAUDE_SECRET_KEYS="",
            MARAUDE_SECRET_ID="maraude-test-keys",
            MARAUDE_HOOK_SECRET_KEYS="",
            MARAUDE_HOOK_SECRET_ID="maraude-test-hook-keys",
        )
        for name in jobs.JOBS:
            jobs_store.note_run(name, now=clock.now())
        yield


def topic() -> str:
    infrastructure = boto3.client("sns").create_topic(Name="maraude-test-alarms")
    return str(infrastructure["TopicArn"])


def subscribe() -> None:
    boto3.client("sns").subscribe(
        TopicArn=topic(), Protocol="email", Endpoint="ops@registry.example"
    )


def put_alarm(name: str, *, tells: bool = True, has_topic: bool = True) -> None:
    """An alarm that is neither on nor without data: so moto makes them."""
    boto3.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        AlarmDescription="It is bad. Runbook: https://wiki.example/runbook#the-api-fails",
        ActionsEnabled=tells,
        AlarmActions=[topic()] if has_topic else [],
        Namespace="Maraude",
        MetricName="anything",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        Threshold=1.0,
    )


def set_state(name: str, state: Literal["ALARM", "INSUFFICIENT_DATA"]) -> None:
    boto3.client("cloudwatch").set_alarm_state(
        AlarmName=name, StateValue=state, StateReason="1 datapoint was 7."
    )


def wrong() -> list[str]:
    return [one.what for one in findings(TAXIS, now=clock.now()) if isinstance(one, Finding)]


def noted() -> list[str]:
    return [one.what for one in findings(TAXIS, now=clock.now()) if isinstance(one, Note)]


def test_nothing_is_wrong_with_a_healthy_registry(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0

    assert capsys.readouterr().out == "Nothing is wrong.\n"


def lose_a_table() -> None:
    clients.dynamodb().delete_table(TableName="maraude-test-journal")


def give_a_table_other_keys() -> None:
    client = clients.dynamodb()
    client.delete_table(TableName="maraude-test-drivers")
    client.create_table(
        TableName="maraude-test-drivers",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "when", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "when", "KeyType": "HASH"}],
    )


def let_a_table_keep_all() -> None:
    clients.dynamodb().update_time_to_live(
        TableName="maraude-test-customers",
        TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": False},
    )


def stop_the_changes() -> None:
    clients.dynamodb().update_table(
        TableName="maraude-test-descriptions", StreamSpecification={"StreamEnabled": False}
    )


def lose_a_stream() -> None:
    clients.kinesis().delete_stream(StreamName="maraude-test-searches")


def url(queue: str) -> str:
    return clients.sqs().get_queue_url(QueueName=f"maraude-test-{queue}")["QueueUrl"]


def lose_a_queue() -> None:
    clients.sqs().delete_queue(QueueUrl=url("hail-dispatch"))


def put_something_aside() -> None:
    clients.sqs().send_message(QueueUrl=url("ingest-failures"), MessageBody="?")


def let_hails_wait() -> None:
    for _ in range(101):
        clients.sqs().send_message(QueueUrl=url("hail-dispatch"), MessageBody="?")


def stop_counting_the_active() -> None:
    jobs_store.note_run("count-active", now=clock.now() - timedelta(minutes=6))


def stop_blurring() -> None:
    jobs_store.note_run("blur-hails", now=clock.now() - timedelta(hours=27))


def stop_the_sweep() -> None:
    Scene(with_towns=False).hail(after=timedelta(minutes=-5))
    administration.add("operateur", hook=("https://operator.example/", "", ""))


def garble_the_leaf_map() -> None:
    clients.dynamodb().put_item(
        TableName="maraude-test-config", Item={"name": {"S": "leaf_map"}, "maps": {"S": "?"}}
    )
    documents.forget()


def lose_the_towns() -> None:
    clients.dynamodb().delete_item(
        TableName="maraude-test-config", Key={"name": {"S": "territory"}}
    )
    documents.forget()


def add_an_operator_without_a_hook() -> None:
    factories.an_account("silent")


def keep_a_header_of_before_there_was_a_rule() -> None:
    administration.add("odd", hook=("https://operator.example/", "", ""), now=clock.now())
    before = administration.find("odd")
    store.put(replace(before, operator_header_name="Host"), before=before)


def let_a_key_grow_old() -> None:
    administration.add("old", roles=[Role.MOTEUR], now=clock.now() - timedelta(days=366))
    administration.add("younger", roles=[Role.MOTEUR], now=clock.now() - timedelta(days=364))


def lose_all_accounts() -> None:
    clients.dynamodb().delete_table(TableName="maraude-test-accounts")
    provision("test", endpoint=None, region="eu-west-3")


def lose_a_schedule() -> None:
    boto3.client("events").delete_rule(Name="maraude-test-count-fleets")


def disable_a_schedule() -> None:
    boto3.client("events").disable_rule(Name="maraude-test-sweep-hails")


def let_a_schedule_be_rarer() -> None:
    boto3.client("events").put_rule(
        Name="maraude-test-sweep-hails", ScheduleExpression="rate(1 hour)"
    )


def lose_an_alarm() -> None:
    boto3.client("cloudwatch").delete_alarms(AlarmNames=["maraude-test-store-busy"])


def let_an_alarm_go_off() -> None:
    set_state("maraude-test-api-fails", "ALARM")


def let_an_alarm_tell_nobody() -> None:
    put_alarm("maraude-test-api-fails", tells=False)


def let_an_alarm_have_no_topic() -> None:
    put_alarm("maraude-test-api-fails", has_topic=False)


def lose_all_subscribers() -> None:
    client = boto3.client("sns")
    [there] = client.list_subscriptions_by_topic(TopicArn=topic())["Subscriptions"]
    client.unsubscribe(SubscriptionArn=there["SubscriptionArn"])


def leave_the_subscription_unconfirmed() -> None:
    [backend] = [found["eu-west-3"] for found in sns_backends.values()]
    for one in backend.subscriptions.values():
        one.arn = "PendingConfirmation"  # as AWS has it, which moto confirms by itself


@pytest.mark.parametrize(
    ("break_it", "what"),
    [
        (lose_a_table, "The table maraude-test-journal is not there."),
        (
            give_a_table_other_keys,
            "The table maraude-test-drivers has the keys when (HASH), not driver_id (HASH).",
        ),
        (let_a_table_keep_all, "The table maraude-test-customers has no time to live"),
        (stop_the_changes, "The table maraude-test-descriptions has no stream"),
        (lose_a_stream, "The stream maraude-test-searches is not there."),
        (lose_a_queue, "The queue maraude-test-hail-dispatch is not there."),
        (put_something_aside, "1 messages were put aside in maraude-test-ingest-failures."),
        (let_hails_wait, "101 messages wait in maraude-test-hail-dispatch."),
        (stop_counting_the_active, "The job count-active ran last at"),
        (stop_blurring, "The job blur-hails ran last at"),
        (stop_the_sweep, "1 hails should have ended"),
        (
            garble_the_leaf_map,
            "The leaf map, or another document of the table config, cannot be read",
        ),
        (lose_the_towns, "No town has borders"),
        (add_an_operator_without_a_hook, "The operator silent has no address for hails"),
        (
            keep_a_header_of_before_there_was_a_rule,
            "Each hail of the operator odd fails for its header. The header Host is set by",
        ),
        (let_a_key_grow_old, "The key of old is of "),
        (lose_all_accounts, "There is no account."),
        (lose_a_schedule, "The schedule maraude-test-count-fleets is not there."),
        (disable_a_schedule, "The schedule maraude-test-sweep-hails is DISABLED"),
        (
            let_a_schedule_be_rarer,
            "The schedule maraude-test-sweep-hails is rate(1 hour), not rate(1 minute).",
        ),
        (lose_an_alarm, "The alarm maraude-test-store-busy is not there."),
        (
            let_an_alarm_go_off,
            """The alarm maraude-test-api-fails is on: 1 datapoint was 7.
  -> https://wiki.example/runbook#the-api-fails
""",
        ),
        (
            let_an_alarm_tell_nobody,
            "The alarm maraude-test-api-fails tells nobody: its actions are off.",
        ),
        (
            let_an_alarm_have_no_topic,
            "The alarm maraude-test-api-fails tells nobody: it has no topic.",
        ),
        (leave_the_subscription_unconfirmed, "Nobody subscribes to maraude-test-alarms"),
        (lose_all_subscribers, "Nobody subscribes to maraude-test-alarms: alarms wake nobody."),
    ],
)
def test_what_is_broken_is_said_and_nothing_else(
    break_it: Callable[[], None], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    break_it()
    capsys.readouterr()

    assert main(["doctor"]) == 1

    said = capsys.readouterr().out
    assert said.startswith(what)
    assert said.count("\n  -> ") == 1, said


def test_a_job_that_never_ran_is_told_once_it_should_have() -> None:
    clients.dynamodb().delete_table(TableName="maraude-test-statistics")
    provision("test", endpoint=None, region="eu-west-3")

    later = clock.now() + timedelta(minutes=10)
    found = [finding.what for finding in findings(TAXIS, now=later)]

    assert found == ["The job count-active ran never; it is due by rate(1 minute)."]


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ("", "MARAUDE_SECRET_KEYS or MARAUDE_SECRET_ID must name at least one"),
        ("bm90LXRoZS1zYW1lLW5vdC10aGUtc2FtZS1ub3QtdGg=", "The secret keys are not those"),
    ],
)
def test_secret_keys_that_are_missing_or_others_are_told(
    environment: Change, keys: str, what: str
) -> None:
    environment(MARAUDE_SECRET_KEYS=keys, MARAUDE_SECRET_ID="")

    [said] = wrong()

    assert said.startswith(what)


def test_keys_that_wait_to_be_sealed_anew_are_told(environment: Change) -> None:
    keys = boto3.client("secretsmanager").get_secret_value(SecretId="maraude-test-keys")
    newest = Fernet.generate_key().decode()
    environment(MARAUDE_SECRET_KEYS=f"{newest},{keys['SecretString']}")

    [said] = wrong()

    assert said.startswith("The secrets of 3 accounts are sealed with a key that is not the newest")


def test_a_key_that_is_in_both_secrets_is_told(environment: Change) -> None:
    keys = boto3.client("secretsmanager").get_secret_value(SecretId="maraude-test-keys")
    other = Fernet.generate_key().decode()

    environment(MARAUDE_HOOK_SECRET_KEYS=f"{other},{keys['SecretString']}")
    [said] = wrong()
    environment(MARAUDE_HOOK_SECRET_KEYS=other)

    assert said.startswith("The secret of webhooks has a key that is one of the other secret's")
    assert wrong() == []


def test_secret_keys_that_nobody_has_changed_for_a_year_are_told() -> None:
    later = clock.now() + timedelta(days=366)
    sooner = clock.now() + timedelta(days=364)

    said = [one.what for one in findings(TAXIS, now=later) if "secret" in one.what]

    assert said == [
        f"The secret keys in maraude-test-{name} are of {clock.now():%Y-%m-%d}."
        for name in ("keys", "hook-keys")
    ]
    assert not [one for one in findings(TAXIS, now=sooner) if "secret" in one.what]


def test_a_secret_that_cannot_be_read_is_told_and_so_is_all_else(environment: Change) -> None:
    environment(MARAUDE_SECRET_ID="maraude-other-keys")
    lose_a_schedule()

    said = "\n".join(wrong())

    assert "The accounts could not be looked at" in said
    assert "The secret could not be looked at" in said
    assert "The schedule maraude-test-count-fleets is not there." in said


def test_what_nobody_can_say_is_noted_and_is_not_wrong(environment: Change) -> None:
    keys = boto3.client("secretsmanager").get_secret_value(SecretId="maraude-test-keys")
    administration.add("before", roles=[Role.MOTEUR])
    administration.add("also-before", roles=[Role.MOTEUR])
    administration.set_active("also-before", active=False)
    set_state("maraude-test-api-fails", "INSUFFICIENT_DATA")
    environment(MARAUDE_SECRET_KEYS=keys["SecretString"])

    keys_without_date, dataless, secret = noted()

    assert keys_without_date.startswith("Keys of unknown age: 1, that of before among them.")
    assert dataless == "Alarms without data so far: maraude-test-api-fails."
    assert secret.startswith("The secret keys are those of MARAUDE_SECRET_KEYS, of unknown age")
    assert wrong() == []


def test_accounts_whose_old_key_still_opens_are_noted() -> None:
    for email in ("app", "admin"):
        administration.rotate_key(email, now=clock.now(), overlap=timedelta(days=1))
    administration.revoke_old_key("admin")

    assert [one for one in noted() if one.startswith("Two keys open for now")] == [
        "Two keys open for now (`maraude account show EMAIL` says until when): app."
    ]
    assert wrong() == []


def test_the_local_system_is_not_asked_for_what_it_has_not(environment: Change) -> None:
    keys = boto3.client("secretsmanager").get_secret_value(SecretId="maraude-test-keys")
    # Nothing answers there: the clients of what both have were made before, others would fail.
    environment(
        MARAUDE_ENDPOINT="http://127.0.0.1:9",
        MARAUDE_SECRET_KEYS=keys["SecretString"],
        MARAUDE_HOOK_SECRET_KEYS=Fernet.generate_key().decode(),
    )

    assert wrong() == []
    [said] = noted()
    assert said.startswith("Schedules (EventBridge), alarms (CloudWatch)")


def test_every_table_of_the_template_is_looked_at() -> None:
    tables = [one for one in resources(TAXIS).values() if one["Type"] == "AWS::DynamoDB::Table"]
    for name in clients.dynamodb().list_tables()["TableNames"]:
        clients.dynamodb().delete_table(TableName=name)

    assert sum("is not there" in what for what in wrong()) == len(tables)
