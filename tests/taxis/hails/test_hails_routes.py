"""Hails, customers and sessions over HTTP: what comes back, and what becomes of it."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.foundation import sealing
from chalicelib.taxis.hails import create, dispatch, rules
from chalicelib.taxis.hails.rules import HailRequest, Status
from chalicelib.taxis.registry import temporary_ids
from chalicelib.taxis.vocabulary import Role
from tests import factories
from tests.taxis.hails.hail_factories import PHONE, Scene, a_wish, refused

S = Status
NEUTRAL = "chauffeur professionnel"
UNKNOWN_SESSION = "4b2c0b52-65b6-4d0f-9c40-6d2be2cc8a4e"


# --- POST /hails --------------------------------------------------------------------------------


def test_a_new_hail_is_answered_whole(scene: Scene) -> None:
    answer = scene.post()

    assert answer.status == 201
    [hail] = answer.data
    assert set(hail) == {
        *("id", "session_id", "operateur", "customer_id", "creation_datetime"),
        *("last_status_change", "transitions", "status", "taxi_phone_number"),
        *("incident_taxi_reason", "reporting_customer", "reporting_customer_reason"),
        *("customer_lon", "customer_lat", "customer_address", "customer_phone_number"),
        *("incident_customer_reason", "rating_ride", "rating_ride_reason", "taxi"),
    }
    assert (hail["status"], hail["operateur"]) == ("received", NEUTRAL)
    assert rules.is_hail_id(hail["id"])
    assert hail["last_status_change"] == f"{hail['creation_datetime']}+00:00"
    assert hail["taxi"]["position"] == {"lon": 2.352, "lat": 48.861}
    assert hail["taxi"]["crowfly_distance"] == pytest.approx(0.1838, abs=1e-4)
    assert scene.as_operateur.get(f"/taxis/{scene.taxi_id}").data[0]["status"] == "answering"


@pytest.mark.parametrize(
    ("lat", "lon"),
    [
        (48.826038642025274, 2.3500000000000014),
        (48.860000000000005, 2.35),
        (-1.2345678901234567e-20, 1e-130),
        (85.05112877999999, -179.99999999999997),
    ],
)
def test_a_customers_coordinates_are_shown_exactly_as_they_were_sent(
    scene: Scene, lat: float, lon: float
) -> None:
    sent: dict[str, Any] = {"customer_lat": lat, "customer_lon": lon}

    [made] = scene.post(**sent).data
    hail = f"/hails/{made['id']}"
    [read] = scene.as_operateur.get(hail).data
    scene.as_moteur.put(hail, {"status": "declined_by_customer"})
    [ended] = scene.as_moteur.get(hail).data

    for shown in (made, read, ended):
        assert {name: shown[name] for name in sent} == sent


def test_coordinates_that_a_step_brings_are_shown_exactly_as_they_were_sent(scene: Scene) -> None:
    hail = f"/hails/{scene.post().data[0]['id']}"
    sent: dict[str, Any] = {"customer_lat": 48.826038642025274, "customer_lon": 2.3500000000000014}

    [changed] = scene.as_moteur.put(hail, sent).data
    [read] = scene.as_moteur.get(hail).data

    for shown in (changed, read):
        assert {name: shown[name] for name in sent} == sent


def test_the_moteur_knows_the_taxi_by_the_id_that_it_was_shown(scene: Scene) -> None:
    temporary = temporary_id(scene)

    made = scene.post(temporary).data[0]
    hail = f"/hails/{made['id']}"

    assert made["taxi"]["id"] == temporary
    assert scene.as_moteur.get(hail).data[0]["taxi"]["id"] == temporary
    assert scene.as_operateur.get(hail).data[0]["taxi"]["id"] == scene.taxi_id
    assert scene.as_operateur.get(hail).data[0]["operateur"] == "operateur"
    [line] = scene.as_moteur.get("/hails", taxi_id=temporary.upper()).data
    assert line["taxi_id"] == temporary
    assert scene.as_moteur.get("/hails", taxi_id=scene.taxi_id).data == []
    assert len(scene.as_operateur.get("/hails", taxi_id=scene.taxi_id[:3]).data) == 1


def temporary_id(scene: Scene) -> str:
    return temporary_ids.issue(
        scene.taxi_id,
        key=sealing.derived_keys("temporary taxi ids")[0],
        account_id=scene.moteur.id,
        issued_s=int(scene.now.timestamp()),
        nonce=b"123456",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"customer_lon": "2.35"},
        {"customer_id": ""},
        {"customer_phone_number": ""},
        {"customer_address": ""},
        {"operateur": "anybody"},
        {"session_id": None},
        {"customer_lon": 1e-200},
    ],
)
def test_what_clients_are_used_to_send_is_taken(scene: Scene, changes: dict[str, Any]) -> None:
    assert scene.post(**changes).status == 201


def test_a_taxi_that_has_never_reported_is_not_online(scene: Scene) -> None:
    silent = silent_taxi(scene)

    answer = scene.post(silent)

    assert refused(answer) == (400, ["data.0.taxi_id"])
    assert "Taxi is not online." in answer.text


def silent_taxi(scene: Scene) -> str:
    """A free taxi that has never reported."""
    body = {"licence_plate": "ZZ-999-ZZ"}
    factories.register_parts(scene.as_operateur, vehicle=body)
    made = scene.as_operateur.post("/taxis", factories.a_taxi(licence_plate="ZZ-999-ZZ"))
    taxi_id: str = made.data[0]["id"]
    scene.as_operateur.put(f"/taxis/{taxi_id}", {"status": "free"})
    return taxi_id


def test_a_taxi_that_went_silent_is_no_longer_online(scene: Scene) -> None:
    silent = scene.taxi(at=scene.now - timedelta(seconds=121))

    answer = scene.post(silent)

    assert refused(answer) == (400, ["data.0.taxi_id"])
    assert "Taxi is no longer online." in answer.text


@pytest.mark.parametrize("status", ["off", "occupied"])
def test_a_taxi_that_is_not_free_is_refused(scene: Scene, status: str) -> None:
    scene.as_operateur.put(f"/taxis/{scene.taxi_id}", {"status": status})

    answer = scene.post()

    assert refused(answer) == (400, ["data.0.taxi_id"])
    assert "Taxi is not free." in answer.text


def test_a_banned_customer_is_refused_before_the_taxi_is_looked_at(scene: Scene) -> None:
    hail = scene.hail(S.FINISHED)
    scene.as_operateur.put(f"/hails/{hail.hail_id}", {"reporting_customer": True})
    scene.as_operateur.put(f"/taxis/{scene.taxi_id}", {"status": "off"})

    assert refused(scene.post()) == (403, ["data.0.customer_id"])


def test_a_request_that_is_sent_again_is_the_same_hail(scene: Scene) -> None:
    key = {"Idempotency-Key": "one"}
    body = '{"data":[%s]}'
    wish = json.dumps(a_wish(scene.taxi_id))
    other = json.dumps(a_wish(scene.taxi_id, customer_id="another"))

    first = scene.as_moteur.send("POST", "/hails", body % wish, key)
    again = scene.as_moteur.send("POST", "/hails", body % wish, key)
    wrong = scene.as_moteur.send("POST", "/hails", body % other, key)

    assert (first.status, again.status) == (201, 201)
    assert first.data[0]["id"] == again.data[0]["id"]
    assert refused(wrong) == (409, [""])


# --- GET and PUT /hails/{id} ----------------------------------------------------------------------


def test_other_peoples_hails_are_403(scene: Scene) -> None:
    hail = scene.hail()
    _, stranger = scene.caller("stranger", Role.MOTEUR, Role.OPERATEUR)
    _, admin = scene.caller("admin", Role.ADMIN)

    for answer in (
        stranger.get(f"/hails/{hail.hail_id}"),
        stranger.put(f"/hails/{hail.hail_id}", {"nothing": 1}),
    ):
        assert refused(answer) == (403, ["url"])
    assert admin.get(f"/hails/{hail.hail_id}").status == 200


def test_after_sixty_days_only_admins_see_a_hail(scene: Scene) -> None:
    old = -timedelta(days=60)
    scene.report(other := scene.taxi(at=scene.now + old), at=scene.now + old)
    hail = scene.hail(S.RECEIVED, after=old, taxi_id=other)
    _, admin = scene.caller("admin", Role.ADMIN)

    for caller in (scene.as_moteur, scene.as_operateur):
        assert caller.get(f"/hails/{hail.hail_id}").status == 404
        assert caller.get("/hails").data == []
    assert admin.get(f"/hails/{hail.hail_id}").data[0]["status"] == "failure"
    assert len(admin.get("/hails").data) == 1
    assert len(scene.as_moteur.get("/sessions").data) == 1


def test_a_hail_is_driven_to_its_end_by_both_sides(scene: Scene) -> None:
    made = scene.post().data[0]["id"]
    dispatch.confirm(made, taxi_phone_number=None, now=scene.now)
    path = f"/hails/{made}"
    taxi, customer = scene.as_operateur, scene.as_moteur

    assert taxi.put(path, {"status": "received_by_taxi"}).status == 200
    accepted = taxi.put(path, {"status": "accepted_by_taxi", "taxi_phone_number": PHONE}).data[0]
    assert accepted["taxi_phone_number"] == "0600000000"
    assert accepted["taxi"]["vehicle"]["licence_plate"] == "AA-001-BB"
    met = customer.put(path, {"status": "accepted_by_customer"}).data[0]
    assert (met["taxi_phone_number"], met["customer_phone_number"]) == (PHONE, "0799887766")
    assert met["last_status_change"].endswith("+00:00")
    assert not customer.get(path).data[0]["last_status_change"].endswith("+00:00")
    assert taxi.put(path, {"status": "customer_on_board"}).status == 200
    done = taxi.put(path, {"status": "finished"}).data[0]

    assert done["taxi"]["position"] == {"lon": None, "lat": None}
    assert [step["to_status"] for step in done["transitions"]] == [
        *("received", "received_by_operator", "received_by_taxi", "accepted_by_taxi"),
        *("accepted_by_customer", "customer_on_board", "finished"),
    ]
    assert [step["user"] for step in done["transitions"]] == [1, None, 2, 2, 1, 2, 2]
    assert taxi.get(f"/taxis/{scene.taxi_id}").data[0]["status"] == "free"


@pytest.mark.parametrize("body", ["{}", '{"data":[{}]}', '{"data":[{"status":"finished"}]}'])
def test_a_change_that_changes_nothing_is_200(scene: Scene, body: str) -> None:
    hail = scene.hail(S.FINISHED)

    answer = scene.as_moteur.send("PUT", f"/hails/{hail.hail_id}", body)

    assert answer.status == 200
    assert scene.read(hail) == hail


def test_what_is_said_of_a_hail_may_change_after_its_end(scene: Scene) -> None:
    hail = scene.hail(S.FINISHED)
    path = f"/hails/{hail.hail_id}"

    said = {"incident_customer_reason": "no_show", "rating_ride": "4", "customer_lon": "2.5"}
    assert scene.as_moteur.put(path, said).status == 200
    shown = scene.as_operateur.put(path, {"incident_taxi_reason": "traffic"}).data[0]

    assert (shown["incident_customer_reason"], shown["rating_ride"]) == ("no_show", 4)
    assert (shown["customer_lon"], shown["incident_taxi_reason"]) == (2.5, "traffic")
    assert scene.read(hail).last_status_change == hail.last_status_change


def test_an_account_with_both_roles_may_not_answer_for_the_taxi(scene: Scene) -> None:
    account, both = scene.caller("both", Role.MOTEUR, Role.OPERATEUR)
    wanted = HailRequest(**a_wish(scene.taxi_id))
    hail, _ = create.create_hail(account, wanted, now=scene.now)
    dispatch.confirm(hail.hail_id, taxi_phone_number=None, now=scene.now)

    answer = both.put(f"/hails/{hail.hail_id}", {"status": "received_by_taxi"})

    assert refused(answer) == (400, ["data.0.status"])


# --- GET /hails ---------------------------------------------------------------------------------


def test_a_list_shows_a_line_a_hail_to_those_it_concerns(scene: Scene) -> None:
    hail = scene.hail()
    _, admin = scene.caller("admin", Role.ADMIN)
    _, stranger = scene.caller("stranger", Role.MOTEUR, Role.OPERATEUR)

    [line] = scene.as_moteur.get("/hails").data

    assert line == {
        "id": hail.hail_id,
        "added_by": "moteur",
        "operateur": NEUTRAL,
        "status": "received",
        "creation_datetime": hail.created_at.replace(tzinfo=None).isoformat(),
        "taxi_id": scene.taxi_id,
        "customer_id": "somebody",
    }
    assert scene.as_operateur.get("/hails").data == [{**line, "operateur": "operateur"}]
    assert admin.get("/hails").data == [{**line, "operateur": "operateur"}]
    assert stranger.get("/hails").data == []


def test_who_is_both_sees_each_hail_once(scene: Scene) -> None:
    account, both = scene.caller("both", Role.MOTEUR, Role.OPERATEUR)
    own = scene.taxi(caller=both)
    for taxi_id in (own, scene.taxi_id):
        create.create_hail(account, HailRequest(**a_wish(taxi_id)), now=scene.now)
    scene.hail(taxi_id=scene.taxi())

    found = both.get("/hails")

    assert (len(found.data), found.json["meta"]["total"]) == (2, 2)


@pytest.mark.parametrize("role", ["moteur", "admin"])
def test_each_filter_keeps_what_any_of_its_values_asks_for(scene: Scene, role: str) -> None:
    one = scene.hail(customer_id="Anne")
    other = scene.hail(S.FINISHED, customer_id="Bob", taxi_id=scene.taxi())
    _, admin = scene.caller("admin", Role.ADMIN)
    caller = scene.as_moteur if role == "moteur" else admin

    def found(**query: Any) -> set[str]:
        answer = caller.get("/hails", **query)
        assert answer.json["meta"]["total"] == len(answer.data)
        return {line["id"] for line in answer.data}

    both = {one.hail_id, other.hail_id}
    today = f"{scene.now:%Y/%m/%d}"
    assert found() == found(id="") == found(moteur="MOT") == found(date=today) == both
    assert found(id=one.hail_id) == found(customer_id="an") == {one.hail_id}
    assert found(customer_id=["an", "b"]) == found(status=["received", "finished"]) == both
    assert found(status="finished") == found(taxi_id=other.taxi_id) == {other.hail_id}
    assert found(customer_id="nn") == found(date="2020/01/01") == set()
    assert found(status="finished", customer_id="an") == set()
    assert found(operateur="nobody") == (both if role == "moteur" else set())


def test_pages_hold_thirty_hails_newest_first(scene: Scene) -> None:
    for number in range(31):
        after = timedelta(milliseconds=number)
        hail = scene.hail(after=after, customer_id=str(number))
        scene.drive(hail, S.DECLINED_BY_CUSTOMER, after=after)
    _, admin = scene.caller("admin", Role.ADMIN)

    for caller in (scene.as_moteur, scene.as_operateur, admin):
        first, second = caller.get("/hails"), caller.get("/hails", p=2)
        assert [line["customer_id"] for line in first.data] == [str(30 - n) for n in range(30)]
        assert [line["customer_id"] for line in second.data] == ["0"]
        assert first.json["meta"] == {
            "next_page": 2,
            "prev_page": None,
            "per_page": 30,
            "pages": 2,
            "total": 31,
        }
        assert caller.get("/hails", p=9).json["meta"]["prev_page"] == 8


def test_a_list_shows_no_hail_as_open_whose_time_is_up(scene: Scene) -> None:
    minute = timedelta(minutes=1)
    scene.report(scene.taxi_id, at=scene.now - minute)
    scene.hail(after=-minute)

    assert scene.as_moteur.get("/hails", status="received").data == []
    assert scene.as_moteur.get("/hails").data[0]["status"] == "failure"


# --- PUT /customers/{id} --------------------------------------------------------------------------


def test_a_moteur_bans_its_own_customer(scene: Scene) -> None:
    scene.drive(scene.hail(), S.DECLINED_BY_CUSTOMER)
    ban = {"ban_begin": "2026-01-01 00:00:00+02:00", "ban_end": "2199-01-01T00:00:00"}

    answer = scene.as_moteur.put("/customers/somebody", ban)

    assert answer.data == [
        {
            "ban_begin": "2026-01-01T00:00:00+02:00",
            "ban_end": "2199-01-01T00:00:00",
            "reprieve_begin": None,
            "reprieve_end": None,
        }
    ]
    assert scene.post().status == 403
    [read] = scene.as_moteur.put("/customers/somebody", {}).data
    assert read["ban_begin"] == "2025-12-31T22:00:00"
    scene.as_moteur.put("/customers/somebody", {"ban_end": None})
    assert scene.post().status == 201


def test_a_customer_is_known_to_the_moteur_who_hailed_for_them_only(scene: Scene) -> None:
    scene.hail()
    _, admin = scene.caller("admin", Role.ADMIN)

    for caller, name in [
        (scene.as_moteur, "nobody"),
        (scene.as_moteur, "x" * 3000),
        (admin, "somebody"),
    ]:
        answer = caller.put(f"/customers/{name}", {})
        assert refused(answer) == (404, ["url"])
        assert f"No customer {name} found" in answer.errors["url"][0]


# --- GET /sessions ------------------------------------------------------------------------------


def test_sessions_come_newest_first_with_their_hails_oldest_first(scene: Scene) -> None:
    second = timedelta(seconds=1)
    hails = [
        scene.hail(S.FINISHED, after=number * second, customer_id=name)
        for number, name in enumerate(["anne", "bob", "anne"])
    ]
    _, admin = scene.caller("admin", Role.ADMIN)

    answer = scene.as_moteur.get("/sessions")

    groups = answer.data
    assert [group["customer_id"] for group in groups] == ["bob", "anne"]
    assert [hail["id"] for hail in groups[1]["hails"]] == [hails[0].hail_id, hails[2].hail_id]
    assert answer.json["meta"]["total"] == 2
    assert groups[1]["added_at"] == naive(hails[0].created_at)
    assert groups[1]["added_by_id"] == str(scene.moteur.id)
    assert groups[0]["hails"][0] == {
        "id": hails[1].hail_id,
        "status": "finished",
        "added_at": naive(hails[1].created_at),
        "customer_lon": 2.35,
        "customer_lat": 48.86,
        "customer_address": "20 avenue de Ségur, Paris",
        "customer_phone_number": "0600000000",
        "taxi_phone_number": "0600000000",
        "initial_taxi_lon": 2.352,
        "initial_taxi_lat": 48.861,
        "moteur": {"id": str(scene.moteur.id), "email": "moteur", "commercial_name": "moteur"},
        "operateur": {
            "id": str(scene.operateur.id),
            "email": NEUTRAL,
            "commercial_name": NEUTRAL,
        },
        "taxi": {"id": scene.taxi_id},
    }
    shown = admin.get("/sessions").data[0]["hails"][0]
    assert shown["customer_phone_number"] == "0799887766"
    assert shown["operateur"]["email"] == "operateur"
    _, other = scene.caller("other", Role.MOTEUR)
    assert other.get("/sessions").data == []


def naive(at: datetime) -> str:
    return at.replace(tzinfo=None).isoformat()
