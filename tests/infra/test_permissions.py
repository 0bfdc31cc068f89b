"""Each function may do what it does, and nothing else: its calls are heard, and compared."""

import base64
import json
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from app import app
from chalicelib.foundation import clock, sealing
from chalicelib.foundation.aws import clients
from chalicelib.foundation.geo import LngLat, to_e7
from chalicelib.foundation.jobs import store as places
from chalicelib.foundation.jobs.store import Progress
from chalicelib.foundation.rate_limit.rules import Limit
from chalicelib.foundation.settings import forget as forget_settings
from chalicelib.foundation.values import milliseconds
from chalicelib.taxis.hails import concurrency, queue
from chalicelib.taxis.hails.rules import Status
from chalicelib.taxis.jobs import service as jobs
from chalicelib.taxis.positions import codec
from chalicelib.taxis.registry import vehicles
from chalicelib.taxis.search import notes
from chalicelib.taxis.search import rules as search_rules
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import Role, TaxiStatus
from ingest_lambda import handler, records, searches
from ops import apps
from ops.cli import administration
from ops.release import permissions
from ops.release.deployment import TICK
from tests import factories
from tests.calls import Answer, Caller
from tests.infra.witness import Witness
from tests.taxis.hails import servers
from tests.taxis.hails.hail_factories import TAXI
from tests.taxis.jobs.job_scene import DAY, Fleet, items
from tests.taxis.openapi import story
from tests.taxis.stats.searching import some_searches
from tests.taxis.territory import loaded

TAXIS = apps.find("taxis")


def forget_queues() -> None:
    for known in (queue._url, records._url):
        known.cache_clear()


@pytest.fixture
def witness(
    store: None,  # noqa: ARG001  # it needs the tables
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Witness]:
    """A witness in a registry whose keys are in Secrets Manager, as they are on AWS."""
    for variable, end in (("SECRET", "keys"), ("HOOK_SECRET", "hook-keys")):
        keys = os.environ[f"MARAUDE_{variable}_KEYS"]
        boto3.client("secretsmanager").create_secret(Name=f"maraude-test-{end}", SecretString=keys)
        monkeypatch.delenv(f"MARAUDE_{variable}_KEYS")
        monkeypatch.setenv(f"MARAUDE_{variable}_ID", f"maraude-test-{end}")
    monkeypatch.setenv("MARAUDE_ALLOW_LOOPBACK_HOOKS", "true")
    forget_settings()
    yield Witness(TAXIS, monkeypatch, forget=forget_queues, end=notes.notes.end)
    monkeypatch.undo()
    forget_settings()
    sealing.forget()


def function_of(name: str) -> str:
    """A function of `app.py`, by its name in the template."""
    return "".join(word.title() for word in name.split("_"))


def feed(witness: Witness, name: str, **message: Any) -> None:
    """Hands a message to a function of the application as SQS does."""
    record = {
        "messageId": "m",
        "receiptHandle": "r",
        "body": json.dumps(message),
        "attributes": {},
        "messageAttributes": {},
        "eventSourceARN": f"arn:aws:sqs:eu-west-3:0:{name}",
    }
    with witness.process(function_of(name)):
        answer = app.handler_map[name]({"Records": [record]}, None)
    assert answer == {"batchItemFailures": []}


# --- what is heard ---------------------------------------------------------------------------------


def heard_api(witness: Witness, folder: Path) -> None:  # noqa: ARG001  # as the others
    """All that the examples of the API document ask, and what comes more rarely."""

    class Heard(Caller):
        def send(self, *asked: Any, **named: Any) -> Answer:
            with witness.process("APIHandler"):
                return super().send(*asked, **named)

    for one, answer, stands_for in story.played(Heard):
        assert answer.status == one["status"], answer.text
        if "answer" in one:  # later requests name its ids
            list(story.differences(one["answer"], story.body(answer), stands_for))

    fleet = Fleet(with_towns=False)
    as_moteur = Heard(app, key=administration.add("moteur", roles=(Role.MOTEUR,), name="")[1])
    as_operateur = Heard(
        app, key=administration.add("operateur", roles=(Role.OPERATEUR,), name="")[1]
    )
    webhook = {"operator_header_name": "X-Token", "operator_api_key": "mellon"}
    assert as_operateur.put(f"/users/{fleet.operateur.id}", webhook).status == 200
    as_admin = Heard(app, key=administration.add("an-admin", roles=(Role.ADMIN,), name="")[1])
    assert as_operateur.put(f"/taxis/{fleet.taxi_id}", {"status": "occupied"}).status == 200
    fleet.free()
    # Another colour is copied to the taxis of the vehicle.
    painted = factories.a_vehicle(licence_plate="AA-001-BB", color="red")
    assert as_operateur.post("/vehicles", painted).status == 200
    # Its first deadline passed a minute ago, and whoever reads it finds it so.
    late = fleet.hail(after=-timedelta(minutes=2))
    assert as_moteur.get(f"/hails/{late.hail_id}").data[0]["status"] == "failure"
    whole = fleet.hail(Status.ACCEPTED_BY_CUSTOMER)
    for status in ("customer_on_board", "finished"):
        assert as_operateur.put(f"/hails/{whole.hail_id}", {"status": status}).status == 200
    for caller, change in (
        (as_moteur, {"incident_customer_reason": "mud_river"}),
        (as_operateur, {"reporting_customer": True, "reporting_customer_reason": "late"}),
    ):
        assert caller.put(f"/hails/{whole.hail_id}", change).status == 200
    assert as_admin.get("/stats/hails").status == 200
    # A process that is called with one key again and again tells how often.
    _, key = administration.add("busy")
    busy = Caller(app, key=key)
    with witness.process("APIHandler"):
        for _ in range(Limit(settings().requests_a_second).report):
            assert busy.get("/users").status == 200


def heard_queues(witness: Witness, folder: Path) -> None:
    """A hail that its operator takes, one that it refuses, one that has to wait, and deadlines."""
    loaded.load_towns(folder, loaded.PARIS, loaded.CHARENTON)
    fleet = Fleet(with_towns=False)
    reply = servers.http("200 OK", b'{"data":[{"taxi_phone_number":"0601020304"}]}')
    refusal = servers.http("500 Oops")
    with servers.serving(servers.answers(reply), servers.answers(refusal)) as operator:
        administration.add("operateur", hook=(operator.url, "", ""))
        for _ in ("taken", "refused"):
            hail = fleet.hail(taxi_id=fleet.taxi())
            feed(witness, "call_operators", hail_id=hail.hail_id)
    waiting = fleet.hail(taxi_id=fleet.taxi())
    for other in range(settings().hook_calls_at_once):  # each for some seconds only
        assert concurrency.acquire(fleet.operateur.id, moteur_id=1000 + other, now=clock.now())
    feed(witness, "call_operators", hail_id=waiting.hail_id)
    past = -timedelta(minutes=2)
    for due in (clock.now() + timedelta(minutes=1), clock.now() + past):
        hail = fleet.hail(taxi_id=fleet.taxi(), after=past)
        about = {"hail_id": hail.hail_id, "status": "received", "due_ms": milliseconds(due)}
        feed(witness, "apply_deadlines", **about)
    with witness.process("SweepHails"):
        app.handler_map["sweep_hails"](TICK, None)


def heard_jobs(witness: Witness, folder: Path) -> None:
    """Every job, on a registry in which it finds something to do, and after it was broken off."""
    loaded.load_towns(folder, loaded.PARIS, loaded.CHARENTON)
    fleet = Fleet(with_towns=False)
    fleet.hail(Status.FINISHED)
    fleet.registered("9")  # never seen
    for _ in ("silent", "with no taxi to it"):
        gone = fleet.taxi()
    clients.dynamodb().delete_item(TableName="maraude-test-taxis", Key={"taxi_id": {"S": gone}})
    searches.handle({"Records": [a_record(search_rules.pack(some_searches(3)))]}, None)
    for name, days, resumed in (
        ("count-active", 0, None),
        ("count-active-hour", 0.05, None),
        ("count-active-day", 1, None),
        ("count-fleets", 0, None),
        ("count-fleets", 0.05, None),
        ("count-hails", 2, "2020-01-01"),
        ("fold-searches", 3, None),
        ("retire-cells", 1, "0"),
        ("retire-cells", 2, None),
        ("blur-positions", 63, "aaaaaaa"),
        ("blur-hails", 63, "2020-01-01/~"),
        ("delete-old-hails", 368, "2020-01-01/~"),
        ("delete-old-taxis", 732, "taxis/"),
        ("delete-orphans", 1100, "descriptions/"),
    ):
        now = clock.now() + days * DAY
        if (name, days) == ("retire-cells", 1):
            taxi_id = fleet.taxi()
            fleet.report(taxi_id, at=now)  # of its cell, all but this is old
            described = fleet.description(taxi_id)  # and this is wrong
            changed = described.changed({"status": TaxiStatus.OCCUPIED}, now=now)
            vehicles.change_availability(described, changed)
        if name == "delete-orphans":
            unused_parts(fleet)
        with witness.process(function_of(name.replace("-", "_"))):
            outcome = jobs.run(name, now=now)
            if resumed is not None:  # as a run of several pages does, and one that was broken off
                places.keep(name, Progress(now, resumed, {}))
                jobs.run(name, now=now)
        assert any(outcome.done.values()), name


def unused_parts(fleet: Fleet) -> None:
    """A driver, an ADS and a vehicle, old enough to go; and some that do not say how old they are."""
    for number in ("10", "11"):
        factories.register_parts(
            fleet.as_operateur,
            driver={"professional_licence": number},
            ads={"numero": number},
            vehicle={"licence_plate": f"ZZ-{number}-ZZ"},
        )
    for table, key in (
        ("drivers", "driver_id"),
        ("ads", "ads_id"),
        ("descriptions", "description_id"),
    ):
        for item in items(table)[::2]:
            clients.dynamodb().update_item(
                TableName=f"maraude-test-{table}",
                Key={key: item[key]},
                UpdateExpression="REMOVE added_at",
            )


def heard_streams(witness: Witness, folder: Path) -> None:  # noqa: ARG001  # as the others
    """Positions, changes of status, searches, and what is none of them."""
    fleet = Fleet()
    number = codec.number_of(fleet.registered("9"))
    assert number is not None
    for ago_s, place in ((30, TAXI), (20, LngLat(-0.58, 44.84)), (10, TAXI)):
        lng_e7, lat_e7 = to_e7(place)
        at = codec.tick(clock.now() - timedelta(seconds=ago_s))
        packed = codec.pack_report(at, [(number, lat_e7, lng_e7)])
        with witness.process("IngestFunction"):
            handler.handle({"Records": [a_record(packed), a_record(b"?")]}, None)
    for item in items("descriptions"):
        change = {
            "eventSource": "aws:dynamodb",
            "eventID": "1",
            "dynamodb": {"SequenceNumber": "1", "NewImage": item},
        }
        with witness.process("IngestFunction"):
            handler.handle({"Records": [change]}, None)
    for packed in (search_rules.pack(some_searches(3)), b"?"):
        with witness.process("CountSearchesFunction"):
            searches.handle({"Records": [a_record(packed)]}, None)


def a_record(packed: bytes) -> dict[str, Any]:
    return {
        "eventSource": "aws:kinesis",
        "eventID": "shardId-000000000003:1",
        "kinesis": {
            "sequenceNumber": "1",
            "partitionKey": "1f",
            "data": base64.b64encode(packed).decode(),
            "approximateArrivalTimestamp": clock.now().timestamp(),
        },
    }


HEARD: dict[Callable[[Witness, Path], None], set[str]] = {
    heard_api: {"APIHandler"},
    heard_queues: {"CallOperators", "ApplyDeadlines", "SweepHails"},
    heard_jobs: {function_of(name.replace("-", "_")) for name in jobs.JOBS},
    heard_streams: {"IngestFunction", "CountSearchesFunction"},
}


@pytest.mark.parametrize(("heard", "functions"), HEARD.items())
def test_a_function_may_make_the_calls_that_it_makes_and_no_others(
    witness: Witness,
    tmp_path: Path,
    heard: Callable[[Witness, Path], None],
    functions: set[str],
) -> None:
    heard(witness, tmp_path)

    assert witness.needed.keys() == functions
    assert {name: faults for name in functions if (faults := witness.unlike(name))} == {}


def test_every_function_is_heard() -> None:
    assert permissions.granted(TAXIS).keys() == set().union(*HEARD.values())


def test_no_request_can_scan_a_table() -> None:
    assert "Scan" not in set().union(*permissions.granted(TAXIS)["APIHandler"].values())
