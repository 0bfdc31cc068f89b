"""A day of the registry in one go, with all that it prints and logs: what the watching is tested on."""

import base64
import contextlib
import io
import json
import logging
import os
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from botocore.exceptions import ClientError
from moto import mock_aws

from app import app
from chalicelib.foundation import cache as caches
from chalicelib.foundation import clock
from chalicelib.foundation.aws import clients
from chalicelib.foundation.geo import LngLat, to_e7
from chalicelib.foundation.http.application import Application
from chalicelib.foundation.http.replies import Reply
from chalicelib.foundation.http.routes import Routes
from chalicelib.foundation.rate_limit import store as throttles
from chalicelib.foundation.settings import forget as forget_settings
from chalicelib.foundation.store import documents
from chalicelib.taxis.contract import LeTaxi
from chalicelib.taxis.envelope import Request
from chalicelib.taxis.hails import handlers
from chalicelib.taxis.hails.rules import Status
from chalicelib.taxis.jobs import service as jobs
from chalicelib.taxis.positions import codec
from chalicelib.taxis.search import notes
from chalicelib.taxis.search import rules as search_rules
from chalicelib.taxis.vocabulary import Role
from ingest_lambda import handler, records, searches
from ops.cli import administration
from ops.cli.territory import exclusions, loads
from ops.local.provision import provision
from tests import factories
from tests.calls import Caller
from tests.taxis.hails import servers
from tests.taxis.hails.hail_factories import TAXI, Scene, a_wish

PHONE = "0799887766"
TAXI_PHONE = "0611223344"
ADDRESS = "20 avenue de Ségur, Paris"
CUSTOMER_ID = "customer-4711"
LATE = timedelta(minutes=5)  # for a hail that nobody has answered
MADE_UP_KEY = "2f6a0c1e-made-up-key"
SOURCE = "203.0.113.77"


@dataclass
class Day:
    """What was printed and logged, and what must not have been."""

    printed: str
    logged: str
    secrets: Mapping[str, str]


class _Formatter(logging.Formatter):
    """As Lambda's, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        text = f"[{record.levelname}]\t{record.getMessage()}"
        if record.exc_info:
            text += "".join(traceback.format_exception(*record.exc_info))
        return text + "\n"


@contextlib.contextmanager
def _listening() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    printed, logged = io.StringIO(), io.StringIO()
    listening = logging.StreamHandler(logged)
    listening.setFormatter(_Formatter())
    root = logging.getLogger()
    root.addHandler(listening)
    try:
        with contextlib.redirect_stdout(printed):
            yield printed, logged
    finally:
        root.removeHandler(listening)


@cache
def day() -> Day:
    """The day, once for all tests of a run."""
    there = {"MARAUDE_ALLOW_LOOPBACK_HOOKS": "true"}
    with (
        mock_aws(),
        mock.patch.dict(os.environ, there),
        mock.patch("time.sleep"),
        _listening() as (printed, logged),
    ):
        documents.forget()
        caches.forget_all()
        forget_settings()
        records._url.cache_clear()
        provision("test", endpoint=None, region="eu-west-3")
        try:
            secrets = _lived()
        finally:
            notes.notes.forget()
            forget_settings()
            documents.forget()
            caches.forget_all()
            records._url.cache_clear()
        return Day(printed.getvalue(), logged.getvalue(), secrets)


def _lived() -> Mapping[str, str]:
    _load_paris()
    scene = Scene(with_towns=False)
    _, key = administration.add("watched", roles=[Role.MOTEUR])
    _search(Caller(app, key=key), scene)
    _report(scene)
    _hail(scene)
    _ingest(scene)
    _work(scene)
    _fail(key)
    return {
        "key": key,
        "made-up key": MADE_UP_KEY,
        "address on the net": SOURCE,
        "phone": PHONE,
        "taxi's phone": TAXI_PHONE,
        "address": "avenue de S",
        "customer": CUSTOMER_ID,
        "place": "48.86",
        "packed place": "488600000",
        "plate": "AA-001-BB",
    }


def _load_paris() -> None:
    west, south, east, north = 2.30, 48.85, 2.36, 48.88
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    inside = [[2.346, 48.857], [2.354, 48.857], [2.354, 48.8585], [2.346, 48.8585], [2.346, 48.857]]
    feature = {
        "type": "Feature",
        "properties": {"insee": "75056", "nom": "Paris"},
        "geometry": {"type": "Polygon", "coordinates": [ring, inside]},
    }
    feature_inside = {
        "type": "Feature",
        "properties": {"insee": "94018", "nom": "Charenton-le-Pont"},
        "geometry": {"type": "Polygon", "coordinates": [inside]},
    }
    feature_far = {
        "type": "Feature",
        "properties": {"insee": "33063", "nom": "Bordeaux"},
        "geometry": {
            "type": "Polygon",
            "coordinates": [[[x - 2.9, y - 4] for x, y in ring]],
        },
    }
    excluded = [[2.345, 48.875], [2.35, 48.875], [2.35, 48.88], [2.345, 48.88], [2.345, 48.875]]
    zone = {
        "type": "Feature",
        "id": "way/1",
        "properties": {"name": "Airport"},
        "geometry": {"type": "Polygon", "coordinates": [excluded]},
    }
    with tempfile.TemporaryDirectory() as folder:
        towns, exclusion = Path(folder, "towns.geojson"), Path(folder, "zone.geojson")
        towns.write_text(
            json.dumps(
                {"type": "FeatureCollection", "features": [feature, feature_inside, feature_far]}
            )
        )
        exclusion.write_text(json.dumps(zone))
        loads.load_towns(towns, quiet=True)
        exclusions.load_exclusion(exclusion, quiet=True)


def _search(caller: Caller, scene: Scene) -> None:
    assert caller.get("/taxis", lon=TAXI.lng, lat=TAXI.lat).data  # shown
    assert caller.get("/taxis", lon=2.31, lat=48.86).data == []  # none near
    assert caller.get("/taxis", lon=9.0, lat=50.0).data == []  # no town
    assert caller.get("/taxis", lon=2.347, lat=48.877).status == 404  # excluded
    scene.as_operateur.put(f"/taxis/{scene.taxi_id}", {"radius": 150})
    assert caller.get("/taxis", lon=TAXI.lng + 0.004, lat=TAXI.lat).data == []  # none reaching
    scene.as_operateur.put(f"/taxis/{scene.taxi_id}", {"radius": None})
    assert caller.get("/taxis", lon=TAXI.lng, lat=48.858).data == []  # none allowed
    _, stranger = scene.caller("other-operator", Role.OPERATEUR)
    same_plate = factories.a_vehicle(licence_plate="AA-001-BB")
    assert stranger.post("/vehicles", same_plate).status == 201
    assert caller.get("/taxis", lon=TAXI.lng, lat="x", phone=PHONE, key=MADE_UP_KEY).status == 400


def _report(scene: Scene) -> None:
    def positions(taxi_id: str) -> dict[str, Any]:
        one = {"taxi_id": taxi_id, "lon": TAXI.lng, "lat": TAXI.lat}
        return {"positions": [one]}

    assert scene.as_operateur.post("/geotaxi", positions(scene.taxi_id)).status == 200
    assert scene.as_operateur.post("/geotaxi", positions("aaaaaaa")).status == 400
    refusing = {"Records": [{"ErrorCode": "ProvisionedThroughputExceededException"}]}
    with mock.patch.object(clients.kinesis(), "put_records", return_value=refusing):
        assert scene.as_operateur.post("/geotaxi", positions(scene.taxi_id)).status == 503


def _wish(scene: Scene) -> dict[str, Any]:
    return a_wish(scene.taxi_id, customer_id=CUSTOMER_ID, customer_phone_number=PHONE)


def _hail(scene: Scene) -> None:
    reply = servers.http("200 OK", f'{{"data":[{{"taxi_phone_number":"{TAXI_PHONE}"}}]}}'.encode())
    for script in (servers.answers(reply), servers.answers(servers.http("500 Oops"))):
        with servers.serving(script) as operator:
            administration.add("operateur", hook=(operator.url, "X-Key", MADE_UP_KEY))
            [made] = scene.as_moteur.post("/hails", _wish(scene)).data
            message = json.dumps({"hail_id": made["id"]})
            assert _feed("call_operators", message) == []
        scene.as_moteur.put(f"/hails/{made['id']}", {"customer_phone_number": PHONE})
        scene.as_moteur.get(f"/hails/{made['id']}")
        scene.as_moteur.put(f"/customers/{CUSTOMER_ID}", {"ban_begin": "x"})
        scene.as_moteur.put(f"/hails/{made['id']}", {"status": "declined_by_customer"})
        scene.free()
    # Its time is up, each way.
    for way in ("read", "queue", "sweep"):
        hail = scene.hail(after=-LATE, customer_id=CUSTOMER_ID, customer_phone_number=PHONE)
        if way == "read":
            scene.as_moteur.get(f"/hails/{hail.hail_id}")
        elif way == "sweep":
            handlers.sweep()
        else:
            due = {"status": "received", "due_ms": 0}
            assert _feed("apply_deadlines", json.dumps({"hail_id": hail.hail_id, **due})) == []
        assert scene.read(hail).status is Status.FAILURE
        scene.free()
    assert _feed("call_operators", f'{{"phone": "{PHONE}"') == ["m0"]
    assert _feed("apply_deadlines", json.dumps({"hail_id": "x", "status": CUSTOMER_ID})) == ["m0"]
    gone = ClientError({"Error": {"Code": "Gone", "Message": PHONE}}, "SendMessage")
    with mock.patch.object(clients.sqs(), "send_message", side_effect=gone):
        [made] = scene.as_moteur.post("/hails", _wish(scene)).data
    declined = {"status": "declined_by_customer"}
    assert scene.as_moteur.put(f"/hails/{made['id']}", declined).status == 200
    scene.hail(after=-LATE)
    clients.dynamodb().delete_table(TableName="maraude-test-hails")
    handlers.sweep()
    provision("test", endpoint=None, region="eu-west-3")


def _feed(name: str, body: str) -> list[str]:
    record = {
        "messageId": "m0",
        "receiptHandle": "r",
        "body": body,
        "attributes": {},
        "messageAttributes": {},
        "eventSourceARN": f"arn:aws:sqs:eu-west-3:0:{name}",
    }
    answer = app.handler_map[name]({"Records": [record]}, None)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def _record(number: int, packed: bytes) -> dict[str, Any]:
    inner = {
        "sequenceNumber": str(number),
        "partitionKey": "paris",
        "data": base64.b64encode(packed).decode(),
        "approximateArrivalTimestamp": clock.now().timestamp() - 1,
    }
    return {"eventSource": "aws:kinesis", "eventID": f"shardId-0:{number}", "kinesis": inner}


def _ingest(scene: Scene) -> None:
    number = codec.number_of(scene.taxi_id)
    assert number is not None
    lng_e7, lat_e7 = to_e7(LngLat(TAXI.lng, 48.86))
    fresh = codec.pack_report(codec.tick(clock.now()), [(number, lat_e7, lng_e7)])
    unknown = codec.pack_report(codec.tick(clock.now()), [(number + 1, lat_e7, lng_e7)])
    window = [_record(1, fresh), _record(2, unknown), _record(3, PHONE.encode())]
    assert handler.handle({"Records": window}, None) == {"batchItemFailures": []}
    change = {
        "eventSource": "aws:dynamodb",
        "eventID": "c4",
        "dynamodb": {"SequenceNumber": "4", "NewImage": {"customer_phone_number": {"S": PHONE}}},
    }
    assert handler.handle({"Records": [change]}, None) == {"batchItemFailures": []}
    whole = [_record(5, search_rules.pack([])), _record(6, PHONE.encode())]
    assert searches.handle({"Records": whole}, None) == {"batchItemFailures": []}
    clients.dynamodb().delete_table(TableName="maraude-test-last-positions")
    clients.dynamodb().delete_table(TableName="maraude-test-cells")
    assert handler.handle({"Records": window}, None) != {"batchItemFailures": []}
    provision("test", endpoint=None, region="eu-west-3")


def _work(scene: Scene) -> None:
    for name in jobs.JOBS:
        jobs.run(name, now=scene.now)
    notes.lost(3)


def _fail(key: str) -> None:
    """Faults of ours, with the caller's values in their texts."""
    routes = Routes()

    @routes.get("/broken/{what}", roles=None)
    def get_broken(_: Request, what: str) -> Reply:
        raise KeyError(PHONE, ADDRESS, key, what)

    broken = Application("broken", LeTaxi())
    broken.serve(routes)
    assert Caller(broken).get(f"/broken/{CUSTOMER_ID}", key=MADE_UP_KEY).status == 500
    caller = Caller(app, key=key)
    stranger = Caller(app, key=MADE_UP_KEY, logas=PHONE)
    assert stranger.get(f"/customers/{CUSTOMER_ID}").status in (401, 404, 405)
    assert stranger.get(f"/no/{PHONE}/{MADE_UP_KEY}").status == 404
    assert stranger.send("POST", "/hails", body=f'{{"data": "{ADDRESS}{PHONE}').status == 400
    odd = {"X-Request-Id": f"+{PHONE}", "Referer": ADDRESS.encode("ascii", "replace").decode()}
    assert caller.send("GET", "/hails", headers=odd).status == 200

    def busy(**asked: Any) -> dict[str, Any]:
        return {"Responses": {}, "UnprocessedKeys": asked["RequestItems"]}

    flood = {"Attributes": {"requests": {"N": "1000000"}}}
    gone = ClientError({"Error": {"Code": "Gone", "Message": PHONE}}, "UpdateItem")
    nobody = Caller(app, source=SOURCE)
    statuses = []
    for outcome in ({"side_effect": gone}, {"return_value": flood}):
        caches.forget_all()
        with mock.patch.object(throttles.client(), "update_item", **outcome):
            statuses += [caller.get("/hails").status for _ in range(25)]
            no_keys = [nobody.get("/hails").status for _ in range(50)]
    assert statuses == [200] * 49 + [429]
    assert no_keys == [401] * 49 + [429]
    caches.forget_all()

    with mock.patch.object(clients.dynamodb(), "batch_get_item", busy):
        assert caller.get("/taxis", lon=2.35, lat=48.86).status == 500
