"""Somebody hostile with a good key: what one request may cost, what lists and ids give away, what the log takes."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from app import app
from chalicelib.foundation import cache, clock
from chalicelib.foundation.aws import clients
from chalicelib.foundation.geo import E7
from chalicelib.taxis.access import service as access
from chalicelib.taxis.hails import change, dispatch, expiry
from chalicelib.taxis.hails.rules import Status
from chalicelib.taxis.positions import codec
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.registry import rules as registry
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import Role
from ops.cli import administration
from tests import factories
from tests.calls import Caller
from tests.emitted import lines_of
from tests.taxis.hails.hail_factories import NOON, PHONE, Scene, a_wish

SECOND = timedelta(seconds=1)
# How long a taxi is held by a hail that its customer never confirms, if each step takes its whole time.
HELD_S = 100
ACCEPTANCE = (Status.RECEIVED_BY_TAXI, Status.ACCEPTED_BY_TAXI)


@pytest.fixture
def scene(store: None) -> Scene:  # noqa: ARG001  # a fixture of a fixture
    return Scene()


# --- taxis that one search app holds ------------------------------------------------------------


def test_one_app_may_hail_every_taxi_for_one_customer_and_each_hail_is_listed_as_its_own(
    scene: Scene,
) -> None:
    """The contract has no limit [contract: Hailing]: whoever does it is seen in the list, and suspended."""
    fleet = [scene.taxi_id, *(scene.taxi() for _ in range(2))]

    answers = [scene.post(taxi_id) for taxi_id in fleet]

    assert [answer.status for answer in answers] == [201] * len(fleet)
    _, admin = scene.caller("admin", Role.ADMIN)
    listed = admin.get("/hails", moteur="moteur", customer_id="somebody").json
    assert listed["meta"]["total"] == len(fleet)


def test_a_suspended_app_takes_no_more_taxis(scene: Scene) -> None:
    other = scene.taxi()
    assert scene.post().status == 201

    administration.set_active("moteur", active=False)
    cache.forget_all()  # as each process does within a minute
    answer = scene.post(other)

    assert answer.status == 401
    assert scene.taxi_status(other) == "free"


def test_a_hail_that_nobody_confirms_holds_its_taxi_for_a_hundred_seconds_at_most(
    scene: Scene,
) -> None:
    """The driver accepts at the last moment of each step, and the app stays silent."""
    chosen = settings()
    steps_s = (
        chosen.wait_received_s,
        chosen.wait_received_by_operator_s,
        chosen.wait_received_by_taxi_s,
        chosen.wait_accepted_by_taxi_s,
    )
    assert sum(steps_s) == HELD_S
    hail = scene.hail()
    after = (steps_s[0] - 1) * SECOND
    dispatch.confirm(hail.hail_id, taxi_phone_number=PHONE, now=scene.now + after)
    for wait_s, status in zip(steps_s[1:3], ACCEPTANCE, strict=True):
        after += (wait_s - 1) * SECOND
        change.change_hail(
            scene.operateur, scene.read(hail), {"status": status}, now=scene.now + after
        )
    assert scene.taxi_status() == "answering"

    expiry.expire(hail.hail_id, now=scene.now + HELD_S * SECOND, way="sweep")

    assert scene.taxi_status() == "free"
    assert scene.read(hail).status == "timeout_customer"


# --- what one request may cost ------------------------------------------------------------------


@pytest.fixture
def records(scene: Scene) -> Iterator[list[int]]:  # noqa: ARG001  # the client is in its AWS
    """The bytes of each record that is put into the stream."""
    sizes: list[int] = []

    def count(params: dict[str, Any], **_: object) -> None:
        sizes.extend(len(record["Data"]) for record in params["Records"])

    events = clients.kinesis().meta.events
    events.register("provide-client-params.kinesis.PutRecords", count)
    yield sizes
    events.unregister("provide-client-params.kinesis.PutRecords", count)


@pytest.mark.usefixtures("scene")
def test_a_whole_body_of_positions_is_fifty_small_records_at_most(records: list[int]) -> None:
    """However they are scattered: the stream bills each record as 25 kB. Of one taxi's only one counts."""
    scattered = [
        (codec.id_of(number), (-40 + 2 * number) * E7 // 10, (430 + number) * E7 // 10)
        for number in range(50)
    ]

    positions.accept(scattered, now=NOON)
    positions.accept([(codec.id_of(1), 0, 0)] * 50, now=NOON)

    *apart, together = records
    a_report = len(codec.pack_report(0, [(1, 0, 0)]))
    assert len(apart) <= 50
    assert sum(apart) <= 50 * a_report
    assert together == a_report


def test_a_body_that_is_compressed_is_not_inflated(scene: Scene) -> None:
    bomb = gzip.compress(b'{"data": [{"positions": [' + b" " * 20_000_000 + b"]}]}")
    assert len(bomb) < 100_000

    answer = scene.as_operateur.send("POST", "/geotaxi", bomb, {"Content-Encoding": "gzip"})

    assert answer.status == 400
    assert answer.errors == {"": ["No data provided, or data is not valid JSON."]}


@pytest.mark.parametrize("value", [" " * 40_000 + "!", "a" * 40_000 + "!", "-a1 " * 10_000])
def test_a_filter_is_read_in_a_time_that_grows_with_its_length_only(value: str) -> None:
    began_s = time.process_time()

    found = registry.pattern([value])

    assert time.process_time() - began_s < 5  # the square of the length took half a minute
    assert found.match("AB-123-CD") is None


LAMBDA_ANSWER_BYTES = (
    6_291_556  # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
)


@pytest.mark.parametrize("named", [lambda at: f"{at:x}", lambda at: chr(0x800 + at)])
def test_the_answer_to_the_worst_body_is_one_that_lambda_takes(
    scene: Scene, named: Callable[[int], str]
) -> None:
    """Each field that is not known is named, and one letter of three bytes takes six."""
    fields = ",".join(f'"{named(at)}":0' for at in range(0xD000))
    body = f'{{{fields},"x":"{"é" * 200_000}"}}'.encode()
    limit = settings().body_limit_bytes

    answer = scene.as_operateur.send("POST", "/drivers", body)

    assert answer.status == 400
    assert len(body) <= limit
    assert len(answer.text) * limit / len(body) < LAMBDA_ANSWER_BYTES


@pytest.mark.parametrize("page", ["999999999", "9" * 40])
def test_a_page_that_is_far_away_reads_no_more_than_the_first(scene: Scene, page: str) -> None:
    scene.hail()

    first = asked(scene.as_moteur, "/hails", "1")
    far = asked(scene.as_moteur, "/hails", page)

    assert len(far) <= len(first)


def asked(caller: Caller, path: str, page: str) -> list[str]:
    """The calls of AWS that a page of a list takes."""
    made: list[str] = []
    events = clients.dynamodb().meta.events

    def count(model: Any, **_: object) -> None:
        made.append(model.name)

    events.register("before-call.dynamodb", count)
    answer = caller.get(path, p=page)
    events.unregister("before-call.dynamodb", count)
    assert answer.status == 200
    return made


# --- what ids and lists give away ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/hails", ("id", "moteur", "operateur", "taxi_id", "customer_id")),
        ("/sessions", ()),
        ("/taxis/all", ("licence_plate", "id")),
        ("/users", ("email", "name", "manager")),
    ],
)
def test_no_filter_of_a_list_shows_what_is_others(
    scene: Scene, path: str, names: tuple[str, ...]
) -> None:
    hail = scene.hail()
    _, stranger = scene.caller("stranger", Role.MOTEUR, Role.OPERATEUR)
    known = {
        "id": hail.hail_id,
        "moteur": "moteur",
        "operateur": "operateur",
        "taxi_id": scene.taxi_id,
        "customer_id": "somebody",
        "licence_plate": "AA-001-BB",
        "email": "operateur",
        "name": "operateur",
        "manager": "operateur",
    }

    answers = [stranger.get(path)] + [stranger.get(path, **{name: known[name]}) for name in names]

    for answer in answers:
        if answer.status == 200:
            assert answer.data == []
            assert answer.json["meta"]["total"] == 0
        else:
            assert answer.status == 400
        assert not any(secret in answer.text for secret in (PHONE, "20 avenue", hail.hail_id))


def test_a_taxi_of_others_and_one_that_there_is_not_are_answered_alike(scene: Scene) -> None:
    _, stranger = scene.caller("stranger", Role.MOTEUR, Role.OPERATEUR)
    none = "2222222"

    for ask in (stranger.get, lambda path: stranger.put(path, {"status": "off"})):
        theirs, nobodys = ask(f"/taxis/{scene.taxi_id}"), ask(f"/taxis/{none}")

        assert (theirs.status, theirs.text) == (
            nobodys.status,
            nobodys.text.replace(none, scene.taxi_id),
        )


def test_ids_of_taxis_and_hails_do_not_follow_one_another(scene: Scene) -> None:
    taxis = [scene.taxi() for _ in range(3)]
    found = [scene.post(taxi_id).data[0]["id"] for taxi_id in taxis]

    for ids in (taxis, found):
        assert len({one[:4] for one in ids}) == len(ids)


@pytest.mark.usefixtures("scene")
def test_an_email_in_other_letters_is_another_account() -> None:
    """No form of a name is taken for another: compatibility forms, case, what cannot be seen."""
    key = administration.add("operateur")[1]

    for name in ("Operateur", "op\u00e9rateur", "operateur\u200b", "\uff4fperateur", "operateur "):
        assert Caller(app, key=key, logas=name).get("/users").status == 401
        assert access.signer(name, now=clock.now()) is None

    assert Caller(app, key=key, logas="operateur").get("/users").status == 200


# --- the log ------------------------------------------------------------------------------------

BROKEN = '\n{"level":"ERROR","event":"forged"}\r\n\u2028\x1b[31m'


def test_nothing_that_is_sent_begins_a_line_of_the_log(
    scene: Scene, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    as_moteur, as_operateur = scene.as_moteur, scene.as_operateur
    headers = {"X-Request-Id": BROKEN, "Idempotency-Key": BROKEN, "Origin": BROKEN}
    capsys.readouterr()

    as_operateur.post("/drivers", factories.a_driver(last_name=BROKEN, professional_licence=BROKEN))
    as_operateur.post("/vehicles", factories.a_vehicle(licence_plate=BROKEN, model=BROKEN))
    as_operateur.post("/geotaxi", {"positions": [{"taxi_id": BROKEN, "lon": 2, "lat": 48}]})
    as_moteur.post("/hails", a_wish(scene.taxi_id, customer_id=BROKEN, customer_address=BROKEN))
    as_moteur.send("POST", "/hails", json.dumps({"data": [{"taxi_id": BROKEN}]}), headers)
    as_moteur.get("/hails", customer_id=BROKEN)
    as_moteur.send("GET", "/no/%0A%7B%22event%22%3A%22forged%22%7D", None, headers)

    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert len(lines) >= 7
    assert len(lines_of(printed)) == len(lines)
    assert "forged" not in printed + caplog.text
    assert not set("\x1b\u2028") & set(printed)


def test_what_a_hail_of_broken_texts_says_is_kept_as_it_was_sent(scene: Scene) -> None:
    answer = scene.post(customer_address=BROKEN)

    assert answer.status == 201
    assert answer.data[0]["customer_address"] == BROKEN
    assert "\n" not in answer.text.rstrip("\n")
