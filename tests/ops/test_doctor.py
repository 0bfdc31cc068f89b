"""`maraude doctor` says what is wrong, one thing broken at a time."""

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib import aws, clock, config, vault
from chalicelib.access import service as access
from chalicelib.access.rules import Role
from chalicelib.jobs import service as jobs
from chalicelib.jobs import store as jobs_store
from chalicelib.settings import settings
from ops.cli import main
from ops.doctor import findings
from ops.local.provision import provision, resources
from ops.territory import loads
from tests import factories
from tests.hails.hail_factories import Scene

pytestmark = pytest.mark.usefixtures("healthy")


@pytest.fixture
def healthy(store: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:  # noqa: ARG001  # a fixture of a fixture
    """A registry in which nothing is wrong."""
    monkeypatch.setattr("ops.target.connect", lambda _: None)
    ring = [[2.3, 48.85], [2.36, 48.85], [2.36, 48.88], [2.3, 48.88], [2.3, 48.85]]
    feature = {
        "type": "Feature",
        "properties": {"insee": "75056", "nom": "Paris"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    file = tmp_path / "towns.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    loads.load_towns(file, quiet=True)
    access.add("operator", roles=[Role.OPERATEUR], hook=("https://operator.example/", "", ""))
    access.add("app", roles=[Role.MOTEUR])
    access.add("admin", roles=[Role.ADMIN])
    for name in jobs.JOBS:
        jobs_store.note_run(name, now=clock.now())


def wrong() -> list[str]:
    return [finding.what for finding in findings(now=clock.now())]


def test_nothing_is_wrong_with_a_healthy_registry(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0

    assert capsys.readouterr().out == "Nothing is wrong.\n"


def lose_a_table() -> None:
    aws.dynamodb().delete_table(TableName="maraude-test-activity")


def give_a_table_other_keys() -> None:
    client = aws.dynamodb()
    client.delete_table(TableName="maraude-test-drivers")
    client.create_table(
        TableName="maraude-test-drivers",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "when", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "when", "KeyType": "HASH"}],
    )


def let_a_table_keep_all() -> None:
    aws.dynamodb().update_time_to_live(
        TableName="maraude-test-customers",
        TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": False},
    )


def stop_the_changes() -> None:
    aws.dynamodb().update_table(
        TableName="maraude-test-descriptions", StreamSpecification={"StreamEnabled": False}
    )


def lose_a_stream() -> None:
    aws.kinesis().delete_stream(StreamName="maraude-test-searches")


def url(queue: str) -> str:
    return aws.sqs().get_queue_url(QueueName=f"maraude-test-{queue}")["QueueUrl"]


def lose_a_queue() -> None:
    aws.sqs().delete_queue(QueueUrl=url("hail-dispatch"))


def put_something_aside() -> None:
    aws.sqs().send_message(QueueUrl=url("ingest-failures"), MessageBody="?")


def let_hails_wait() -> None:
    for _ in range(101):
        aws.sqs().send_message(QueueUrl=url("hail-dispatch"), MessageBody="?")


def stop_counting_the_active() -> None:
    jobs_store.note_run("count-active", now=clock.now() - timedelta(minutes=6))


def stop_blurring() -> None:
    jobs_store.note_run("blur-hails", now=clock.now() - timedelta(hours=27))


def stop_the_sweep() -> None:
    Scene(with_towns=False).hail(after=timedelta(minutes=-5))
    access.add("operateur", hook=("https://operator.example/", "", ""))


def garble_the_leaf_map() -> None:
    aws.dynamodb().put_item(
        TableName="maraude-test-config", Item={"name": {"S": "leaf_map"}, "maps": {"S": "?"}}
    )
    config.forget()


def lose_the_towns() -> None:
    aws.dynamodb().delete_item(TableName="maraude-test-config", Key={"name": {"S": "territory"}})
    config.forget()


def add_an_operator_without_a_hook() -> None:
    factories.an_account("silent")


def let_a_key_grow_old() -> None:
    access.add("old", roles=[Role.MOTEUR], now=clock.now() - timedelta(days=366))
    access.add("younger", roles=[Role.MOTEUR], now=clock.now() - timedelta(days=364))


def lose_all_accounts() -> None:
    aws.dynamodb().delete_table(TableName="maraude-test-accounts")
    provision("test", endpoint=None, region="eu-west-3")


@pytest.mark.parametrize(
    ("break_it", "what"),
    [
        (lose_a_table, "The table maraude-test-activity is not there."),
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
        (let_a_key_grow_old, "The key of old is of "),
        (lose_all_accounts, "There is no account."),
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
    aws.dynamodb().delete_table(TableName="maraude-test-statistics")
    provision("test", endpoint=None, region="eu-west-3")

    later = clock.now() + timedelta(minutes=10)
    found = [finding.what for finding in findings(now=later)]

    assert found == ["The job count-active ran never; it is due by rate(1 minute)."]


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ("", "MARAUDE_SECRET_KEYS or MARAUDE_SECRET_ID must name at least one"),
        ("bm90LXRoZS1zYW1lLW5vdC10aGUtc2FtZS1ub3QtdGg=", "The secret keys are not those"),
    ],
)
def test_secret_keys_that_are_missing_or_others_are_told(
    monkeypatch: pytest.MonkeyPatch, keys: str, what: str
) -> None:
    def forget() -> None:
        settings.cache_clear()
        vault._keys.cache_clear()
        vault._fernet.cache_clear()

    monkeypatch.setitem(os.environ, "MARAUDE_SECRET_KEYS", keys)
    forget()
    try:
        [said] = wrong()
    finally:
        monkeypatch.undo()
        forget()

    assert said.startswith(what)


def test_every_table_of_the_template_is_looked_at() -> None:
    tables = [one for one in resources().values() if one["Type"] == "AWS::DynamoDB::Table"]
    for name in aws.dynamodb().list_tables()["TableNames"]:
        aws.dynamodb().delete_table(TableName=name)

    assert sum("is not there" in what for what in wrong()) == len(tables)
