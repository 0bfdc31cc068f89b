"""GET /internal/customers: the hails of more than twelve hours ago, nothing hidden, for admins."""

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.taxis.hails import change, create, lists, retention, rows, rules, service
from chalicelib.taxis.hails.lines import line_of
from chalicelib.taxis.hails.rules import HailRequest, Status
from chalicelib.taxis.vocabulary import Role
from tests.calls import Caller
from tests.taxis.hails.hail_factories import PHONE, Scene, a_hail, a_wish, refused

HALF_A_DAY = timedelta(hours=12)
SECOND = timedelta(seconds=1)
OLD = -HALF_A_DAY - SECOND


@pytest.fixture
def admin(scene: Scene) -> Caller:
    return scene.caller("admin", Role.ADMIN)[1]


def an_old_hail(scene: Scene, after: timedelta = OLD, **changes: Any) -> str:
    """The id of a hail that the customer declined three seconds after it was created."""
    taxi_id = scene.taxi(at=scene.now + after)
    hail = scene.hail(Status.RECEIVED_BY_OPERATOR, after=after, taxi_id=taxi_id, **changes)
    scene.drive(hail, Status.DECLINED_BY_CUSTOMER, after=after + 3 * SECOND)
    return hail.hail_id


def test_a_hail_is_shown_whole(scene: Scene, admin: Caller) -> None:
    hail_id = an_old_hail(scene)

    [hail] = admin.get("/internal/customers").data

    assert hail == {
        "id": hail_id,
        "added_at": (scene.now + OLD).replace(tzinfo=None).isoformat(),
        "moteur": "moteur",
        "operateur": "operateur",
        "customer_lon": 2.35,
        "customer_lat": 48.86,
        "customer_address": "20 avenue de Ségur, Paris",
        "customer_phone_number": "0799887766",
        "taxi_phone_number": PHONE,
        "status": "declined_by_customer",
        "duration": "0:00:03",
    }


def test_a_duration_of_days_says_so(scene: Scene, admin: Caller) -> None:
    hail_id = an_old_hail(scene, -timedelta(days=3))
    later = scene.now - timedelta(days=1, hours=1)
    read = service.history(hail_id).hail
    change.change_hail(scene.moteur, read, {"rating_ride": 4}, now=later)

    [hail] = admin.get("/internal/customers").data

    assert hail["duration"] == "1 day, 23:00:00"


def test_only_hails_of_more_than_twelve_hours_ago_are_shown(scene: Scene, admin: Caller) -> None:
    hail_id = an_old_hail(scene)
    an_old_hail(scene, -HALF_A_DAY + timedelta(minutes=1))

    for query in ({}, {"status": "declined_by_customer"}):
        answer = admin.get("/internal/customers", **query)
        assert [hail["id"] for hail in answer.data] == [hail_id]
        assert answer.json["meta"]["total"] == 1


def test_the_hours_that_are_left_out_are_not_counted_either(scene: Scene, admin: Caller) -> None:
    """The day that the twelve hours begin in is counted whole by the night."""
    an_old_hail(scene)
    an_old_hail(scene, -HALF_A_DAY + timedelta(minutes=1))
    retention.blur(now=scene.now + timedelta(days=2))
    assert sum(day.hail_count or 0 for day in lists.days()) == 2

    assert admin.get("/internal/customers").json["meta"]["total"] == 1


def test_each_filter_keeps_what_any_of_its_values_asks_for(scene: Scene, admin: Caller) -> None:
    one = an_old_hail(scene)
    other_moteur, _ = scene.caller("Another", Role.MOTEUR)
    wish = a_wish(scene.taxi(at=scene.now + OLD), customer_id="Bob")
    made, _ = create.create_hail(other_moteur, HailRequest(**wish), now=scene.now + OLD)
    other = made.hail_id

    def found(**query: Any) -> set[str]:
        answer = admin.get("/internal/customers", **query)
        assert answer.json["meta"]["total"] == len(answer.data)
        return {hail["id"] for hail in answer.data}

    both = {one, other}
    assert found() == found(id="") == found(operateur="OPER") == both
    assert found(id=one[:6]) == found(moteur="mot") == {one}
    assert found(moteur="ano") == {other}
    assert found(moteur=["mot", "ano"]) == found(id=[one, other]) == both
    assert found(operateur="per") == found(moteur="mot", id=other) == set()


def test_a_status_is_asked_for_exactly(scene: Scene, admin: Caller) -> None:
    hail_id = an_old_hail(scene)

    asked = admin.get("/internal/customers", status="declined_by_customer").data

    assert [hail["id"] for hail in asked] == [hail_id]
    assert admin.get("/internal/customers", status="finished").data == []
    assert refused(admin.get("/internal/customers", status="declined")) == (400, ["status.0"])


def test_a_hail_whose_time_is_up_is_shown_as_it_is_now(scene: Scene, admin: Caller) -> None:
    taxi_id = scene.taxi(at=scene.now + OLD)
    scene.hail(after=OLD, taxi_id=taxi_id)

    [hail] = admin.get("/internal/customers").data

    assert hail["status"] == "failure"


def stored(scene: Scene, hail_id: str, *, after: timedelta) -> str:
    """Puts a hail that is over where hails are; its id."""
    hail = a_hail(Status.FINISHED, hail_id=hail_id, created_at=scene.now + after, deadline=None)
    rows.hail_row(hail).save()
    lists.know(rules.day_of(hail.created_at))
    for owner in lists.owners(hail):
        rows.line_row(owner, line_of(hail)).save()
    return hail_id


def test_pages_hold_a_hundred_hails_newest_first(scene: Scene, admin: Caller) -> None:
    ids = [stored(scene, f"{number:07x}", after=OLD - number * SECOND) for number in range(101)]

    first, second = admin.get("/internal/customers"), admin.get("/internal/customers", p=2)

    assert [hail["id"] for hail in first.data + second.data] == ids
    assert first.json["meta"] == {
        "next_page": 2,
        "prev_page": None,
        "per_page": 100,
        "pages": 2,
        "total": 101,
    }
    assert admin.get("/internal/customers", p=3).data == []
    assert refused(admin.get("/internal/customers", p="one")) == (400, ["p.0"])


def test_a_parameter_that_there_is_not_is_refused(admin: Caller) -> None:
    assert refused(admin.get("/internal/customers", date="2026/01/01")) == (400, ["date"])


def test_it_is_for_admins_only(scene: Scene) -> None:
    _, both = scene.caller("both", Role.MOTEUR, Role.OPERATEUR)

    assert both.get("/internal/customers").status == 403
    assert Caller(both._app).get("/internal/customers").status == 401
