"""What hails, customers and sessions refuse over HTTP: one scene for all, which nothing may change."""

from collections.abc import Iterator
from typing import Any

import pytest

from app import app
from chalicelib.taxis.hails import service
from chalicelib.taxis.hails.rules import Hail, Status
from chalicelib.taxis.vocabulary import Role
from tests.calls import Caller
from tests.conftest import empty_registry
from tests.taxis.hails.hail_factories import Scene, a_wish, refused

UNKNOWN_SESSION = "4b2c0b52-65b6-4d0f-9c40-6d2be2cc8a4e"


@pytest.fixture(scope="module")
def staged() -> Iterator[tuple[Scene, Hail]]:
    """A scene, and a hail in it for a taxi of its own."""
    with empty_registry():
        scene = Scene()
        yield scene, scene.hail(taxi_id=scene.taxi())


@pytest.fixture
def scene(staged: tuple[Scene, Hail]) -> Iterator[Scene]:
    """The scene; afterwards its hails and its taxi are what they were."""
    scene, hail = staged
    yield scene
    assert service.history(hail.hail_id).hail == hail
    assert scene.taxi_status() == "free"


@pytest.fixture
def hail(staged: tuple[Scene, Hail]) -> Hail:
    """A hail that nothing has happened to."""
    return staged[1]


# --- who may ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "roles"),
    [
        ("POST", "/hails", {Role.MOTEUR, Role.ADMIN}),
        ("GET", "/hails", {Role.MOTEUR, Role.OPERATEUR, Role.ADMIN}),
        ("GET", "/hails/abcdef0", {Role.MOTEUR, Role.OPERATEUR, Role.ADMIN}),
        ("PUT", "/hails/abcdef0", {Role.MOTEUR, Role.OPERATEUR, Role.ADMIN}),
        ("PUT", "/customers/x", {Role.MOTEUR, Role.ADMIN}),
        ("GET", "/sessions", {Role.MOTEUR, Role.ADMIN}),
    ],
)
def test_each_route_asks_for_a_key_and_a_role(
    scene: Scene, method: str, path: str, roles: set[Role]
) -> None:
    body = '{"data":[{}]}' if method != "GET" else None

    assert Caller(app).send(method, path, body).status == 401
    for role in Role:
        account, caller = scene.caller(f"a {role}", role)
        account_may = bool(account.roles & roles)
        assert (caller.send(method, path, body).status == 403) is not account_may


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"customer_id": None}, "customer_id"),
        ({"customer_id": "x" * 256}, "customer_id"),
        ({"customer_lon": "2,35"}, "customer_lon"),
        ({"customer_lon": 181}, "customer_lon"),
        ({"customer_lat": 86}, "customer_lat"),
        ({"customer_lat": "nan"}, "customer_lat"),
        ({"customer_address": None}, "customer_address"),
        ({"customer_phone_number": 6}, "customer_phone_number"),
        ({"session_id": "no"}, "session_id"),
        ({"status": "received"}, "status"),
    ],
)
def test_a_wish_that_cannot_be_read_is_refused(
    scene: Scene, changes: dict[str, Any], at: str
) -> None:
    assert refused(scene.post(**changes)) == (400, [f"data.0.{at}"])


def test_every_field_that_is_missing_is_named(scene: Scene) -> None:
    status, paths = refused(scene.as_moteur.post("/hails", {}))

    fields = ("id", "lon", "lat", "address", "phone_number")
    assert status == 400
    assert sorted(paths) == sorted(
        ["data.0.taxi_id", *(f"data.0.customer_{field}" for field in fields)]
    )


@pytest.mark.parametrize("taxi_id", ["", "aaaaaaa", "é", "x" * 255])
def test_an_unknown_taxi_is_404(scene: Scene, taxi_id: str) -> None:
    answer = scene.as_moteur.post("/hails", a_wish(taxi_id))

    assert refused(answer) == (404, ["data.0.operateur"])


def test_an_unknown_session_is_refused(scene: Scene) -> None:
    assert refused(scene.post(session_id=UNKNOWN_SESSION)) == (400, ["data.0.session_id"])


@pytest.mark.parametrize("hail_id", ["abcdef0", "ABCDEF0", "é", "x" * 3000])
def test_an_unknown_hail_is_404_before_the_body_is_read(scene: Scene, hail_id: str) -> None:
    for answer in (
        scene.as_moteur.get(f"/hails/{hail_id}"),
        scene.as_moteur.put(f"/hails/{hail_id}", {"nothing": 1}),
    ):
        assert (answer.status, answer.errors) == (404, {"url": ["Hail not found"]})


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"status": "nonsense"}, "status"),
        ({"status": "finished"}, "status"),
        ({"status": None}, "status"),
        ({"id": "abcdef0"}, "id"),
        ({"transitions": []}, "transitions"),
        ({"customer_id": "x"}, "customer_id"),
        ({"session_id": UNKNOWN_SESSION}, "session_id"),
        ({"taxi_relation": "x"}, "taxi_relation"),
        ({"taxi_phone_number": None}, "taxi_phone_number"),
        ({"customer_phone_number": None}, "customer_phone_number"),
        ({"customer_lon": None}, "customer_lon"),
        ({"customer_address": None}, "customer_address"),
        ({"incident_taxi_reason": "no_specs"}, "incident_taxi_reason"),
        ({"incident_customer_reason": "traffic"}, "incident_customer_reason"),
        ({"reporting_customer_reason": "no"}, "reporting_customer_reason"),
        ({"rating_ride": 2**40}, "rating_ride"),
        ({"rating_ride_reason": "no"}, "rating_ride_reason"),
        ({"incident_taxi_reason": "traffic"}, "incident_taxi_reason"),
        ({"status": "declined_by_customer", "reporting_customer": True}, "reporting_customer"),
    ],
)
def test_a_change_that_cannot_be_made_changes_nothing(
    scene: Scene, hail: Hail, changes: dict[str, Any], at: str
) -> None:
    answer = scene.as_moteur.put(f"/hails/{hail.hail_id}", changes)

    assert refused(answer) == (400, [f"data.0.{at}"])


def test_an_unknown_status_is_answered_with_all_there_are(scene: Scene, hail: Hail) -> None:
    answer = scene.as_moteur.put(f"/hails/{hail.hail_id}", {"status": "nonsense"})

    [text] = answer.errors["data"]["0"]["status"]
    assert text == f"Must be one of: {', '.join(Status)}."


@pytest.mark.parametrize(
    ("query", "at"),
    [
        ("status=nonsense", "status.0"),
        ("date=2026-03-02", "date.0"),
        ("p=x", "p.0"),
        ("p=1&p=2", "p"),
        ("nothing=1", "nothing"),
    ],
)
def test_a_filter_that_cannot_be_read_is_refused(scene: Scene, query: str, at: str) -> None:
    assert refused(scene.as_moteur.get(f"/hails?{query}")) == (400, [at])


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ("{}", "data"),
        ('{"data":[]}', "data"),
        ('{"data":[{"ban_end":"2026-01-01"}]}', "data.0.ban_end"),
        ('{"data":[{"ban_end":"0001-01-01T00:00:00+14:00"}]}', "data.0.ban_end"),
        ('{"data":[{"id":"x"}]}', "data.0.id"),
    ],
)
def test_a_ban_that_cannot_be_read_is_refused_before_the_customer_is_sought(
    scene: Scene, body: str, at: str
) -> None:
    assert refused(scene.as_moteur.send("PUT", "/customers/x", body)) == (400, [at])


def test_sessions_know_no_other_parameter_than_the_page(scene: Scene) -> None:
    assert refused(scene.as_moteur.get("/sessions?id=1")) == (400, ["id"])
    assert refused(scene.as_moteur.get("/sessions?p=x")) == (400, ["p.0"])
    assert scene.as_moteur.get("/sessions?p=3").json["meta"]["prev_page"] == 2
