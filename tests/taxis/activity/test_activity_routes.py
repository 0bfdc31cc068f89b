"""The journal over HTTP: what callers leave in it, and what admins read."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from chalicelib.foundation import cache
from chalicelib.foundation.settings import table
from chalicelib.taxis.activity import rules, service, store
from chalicelib.taxis.activity.rules import ActivityFilter
from chalicelib.taxis.contract import READ_S
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import Action, Activity, Resource, Role
from ops.cli import administration
from tests.calls import Caller
from tests.journal import entries
from tests.taxis.access.conftest import Call

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def written() -> list[tuple[str, str, Any]]:
    return [(row.resource_id, row.action, row.extra) for row in entries()]


def id_of(email: str) -> str:
    return administration.find(email).account.owner


def did(at: datetime = NOW, **changes: Any) -> Activity:
    return Activity(
        **{
            "at": at,
            "resource": Resource.USER,
            "resource_id": "1",
            "action": Action.AUTH_APIKEY,
            "extra": {"method": "POST", "location": "/hails"},
            **changes,
        }
    )


def read(*, now: datetime = NOW, page: int = 1, **asked: Any) -> tuple[list[str], int]:
    """The ids of the resources of a page, and the total."""
    found, total = service.list_entries(ActivityFilter(**asked), page=page, per_page=30, now=now)
    return [entry.activity.resource_id for entry in found], total


# --- what callers leave --------------------------------------------------------------------------


def test_a_request_with_the_accounts_own_key_is_kept(call: Call) -> None:
    call("operator").post("/things", {})

    assert written() == [
        (id_of("operator"), "auth_apikey", {"method": "POST", "location": "/things"})
    ]


def test_a_request_as_another_account_is_kept_there_with_the_keys_owner(call: Call) -> None:
    call("manager")
    call("operator", manager="manager")

    call("manager", logas="operator").post("/things", {})

    extra = {"method": "POST", "location": "/things", "apikey_belongs_to": id_of("manager")}
    assert written() == [(id_of("operator"), "auth_logas", extra)]


def test_acting_as_oneself_is_using_ones_key(call: Call) -> None:
    call("operator", logas="operator").post("/things", {})

    assert [action for _, action, _ in written()] == ["auth_apikey"]


def test_a_request_that_is_then_refused_is_kept_too(call: Call) -> None:
    app = call("app", Role.MOTEUR)
    refused = [app.post("/things", {}), app.put("/users/999", {}), app.put("/users/x", {})]

    assert [answer.status for answer in refused] == [403, 404, 404]
    assert [extra["location"] for _, _, extra in written()] == ["/things", "/users/999", "/users/x"]


def test_a_request_of_nobody_is_not_kept(call: Call, anonymous: Caller, app: Any) -> None:
    call("operator")
    for nobody in (
        anonymous,
        Caller(app, key="unknown"),
        call("other", logas="operator"),
    ):
        assert nobody.post("/things", {}).status == 401

    assert written() == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_is_not_kept(call: Call, method: str) -> None:
    assert call("operator").send(method, "/users").status == 200

    assert written() == []


def test_reading_as_another_account_is_kept_there_with_the_keys_owner(call: Call) -> None:
    call("manager")
    call("operator", manager="manager")
    manager = call("manager", logas="operator")
    for path in ("/users", "/users", f"/users/{id_of('operator')}"):
        assert manager.get(path).status == 200

    owner = {"apikey_belongs_to": id_of("manager"), "method": "GET"}
    assert sorted(written(), key=lambda one: len(one[2]["location"])) == [
        (id_of("operator"), "auth_logas", {**owner, "location": "/users"}),  # once, for apps poll
        (id_of("operator"), "auth_logas", {**owner, "location": f"/users/{id_of('operator')}"}),
    ]


def test_a_read_as_another_account_is_kept_again_after_ten_minutes(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("manager")
    call("operator", manager="manager")
    manager = call("manager", logas="operator")
    monkeypatch.setattr(cache, "now_s", lambda: 1000.0)
    manager.get("/users")
    monkeypatch.setattr(cache, "now_s", lambda: 1000.0 + READ_S - 1)
    manager.get("/users")
    assert len(written()) == 1

    monkeypatch.setattr(cache, "now_s", lambda: 1000.0 + READ_S + 1)
    manager.get("/users")

    assert len(written()) == 2


def test_a_read_that_is_then_refused_is_kept_too(call: Call) -> None:
    call("manager")
    call("operator", manager="manager")

    assert call("manager", logas="operator").get("/activity_logs").status == 403

    assert [extra["location"] for _, _, extra in written()] == ["/activity_logs"]


def test_a_change_of_an_account_names_the_fields_that_it_changed_and_not_what_they_hold(
    call: Call,
) -> None:
    operator = call("operator")
    kept = operator.get(f"/users/{id_of('operator')}").data[0]

    operator.put(
        f"/users/{id_of('operator')}", {**kept, "name": "Taxis", "password": "correct horse"}
    )

    [(_, _, extra)] = written()
    assert extra["changed"] == ["name", "password"]
    assert "Taxis" not in str(extra)


def test_the_log_line_says_whose_key_it_was_where_it_acts_as_another_account(
    call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    call("manager")
    call("operator", manager="manager")
    call("operator").get("/users")
    call("manager", logas="operator").get("/users")
    call("manager", logas="manager").get("/users")

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = [(line["account"], line["key_owner"]) for line in lines if "latency_ms" in line]
    operator, manager = int(id_of("operator")), int(id_of("manager"))
    assert found == [(operator, None), (operator, manager), (manager, None)]


@pytest.mark.parametrize("path", ["/geotaxi", "/geotaxi/"])
def test_a_fleets_own_positions_are_not_kept_those_sent_for_it_are(call: Call, path: str) -> None:
    call("manager")
    own = call("operator", manager="manager").post(path, {})
    assert (own.status, written()) == (200, [])

    call("manager", logas="operator").post(path, {})

    assert [(action, extra["location"]) for _, action, extra in written()] == [("auth_logas", path)]


def test_the_journal_costs_one_call_and_a_fleets_positions_none(
    call: Call, aws_calls: list[str]
) -> None:
    operator = call("operator")
    operator.get("/users")  # from here on its key is known
    aws_calls.clear()

    operator.post("/things", {})
    assert aws_calls == ["BatchWriteItem"]

    aws_calls.clear()
    operator.post("/geotaxi", {})
    assert aws_calls == []


def test_a_request_does_not_fail_because_the_journal_does(
    call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    operator = call("operator")
    boto3.client("dynamodb").delete_table(TableName=table("journal"))

    assert operator.post("/things", {}).status == 201
    assert "auth_apikey" in caplog.text


# --- what admins read ----------------------------------------------------------------------------


@pytest.mark.parametrize("roles", [(Role.OPERATEUR,), (Role.MOTEUR,), (Role.GROUPEMENT,)])
def test_only_admins_read_the_journal(call: Call, roles: tuple[Role, ...]) -> None:
    answer = call("somebody", *roles).get("/activity_logs")

    assert answer.status == 403
    assert "permissions" in answer.text


def test_nobody_reads_the_journal_without_a_key(anonymous: Caller) -> None:
    assert anonymous.get("/activity_logs").status == 401


def test_an_admin_reads_the_newest_first(call: Call) -> None:
    boss = call("boss", Role.ADMIN)
    operator = call("operator")
    operator.post("/things", {})
    operator.put("/users/999", {})

    answer = boss.get("/activity_logs")

    assert answer.status == 200
    assert [entry["extra"]["method"] for entry in answer.data] == ["PUT", "POST"]
    newest = answer.data[0]
    assert {name: newest[name] for name in newest if name not in {"id", "time"}} == {
        "resource": "user",
        "resource_id": id_of("operator"),
        "action": "auth_apikey",
        "extra": {"method": "PUT", "location": "/users/999"},
    }
    assert isinstance(newest["id"], str)
    assert newest["id"] > answer.data[1]["id"]
    assert datetime.fromisoformat(newest["time"]).tzinfo is None
    assert answer.json["meta"]["total"] == 2


FINDINGS: list[tuple[dict[str, Any], int]] = [
    ({}, 3),
    ({"resource": "user"}, 2),
    ({"resource": "customer"}, 0),
    ({"resource_id": "abc"}, 1),
    ({"resource_id": "ab"}, 0),
    ({"action": "auth_logas"}, 1),
    ({"resource": "taxi", "action": "taxi_status", "resource_id": "abc"}, 1),
    ({"resource": ["taxi", "user"]}, 1),
    ({"resource_id": ["abc", "1"], "action": ["taxi_status", "x"]}, 1),
]


def test_an_admin_finds_entries_by_resource_and_action(call: Call) -> None:
    boss = call("boss", Role.ADMIN)
    moment = datetime.now(UTC) - timedelta(seconds=10)
    taxi = {"resource": Resource.TAXI, "resource_id": "abc", "action": Action.TAXI_STATUS}
    for activity in (did(moment), did(moment, action=Action.AUTH_LOGAS), did(moment, **taxi)):
        service.record(activity)

    for query, total in FINDINGS:
        answer = boss.get("/activity_logs", **query)
        assert answer.status == 200, query
        assert (len(answer.data), answer.json["meta"]["total"]) == (total, total), query


BAD_QUERIES: list[tuple[dict[str, Any], list[str]]] = [
    ({"resource": ""}, ["resource"]),
    ({"resource": "driver"}, ["resource"]),
    ({"action": ""}, ["action"]),
    ({"action": "auth"}, ["action"]),
    ({"since": "2026"}, ["since"]),
    ({"p": ""}, ["p"]),
]


def test_a_bad_query_is_refused(call: Call) -> None:
    boss = call("boss", Role.ADMIN)

    for query, at in BAD_QUERIES:
        answer = boss.get("/activity_logs", **query)
        assert (answer.status, list(answer.errors)) == (400, at), query


@pytest.mark.usefixtures("store")
def test_pages_run_on_over_the_ends_of_days() -> None:
    for hours in range(70):
        service.record(did(NOW - timedelta(hours=hours), resource_id=str(hours)))

    pages = [read(page=page) for page in (1, 2, 3, 4)]

    assert [total for _, total in pages] == [70] * 4
    assert [number for ids, _ in pages for number in ids] == [str(hours) for hours in range(70)]
    assert [len(ids) for ids, _ in pages] == [30, 30, 10, 0]


@pytest.mark.usefixtures("store")
def test_an_entry_is_shown_for_two_months_even_if_it_expires_late() -> None:
    service.record(did(NOW))
    days = timedelta(days=settings().activity_days)

    assert read(now=NOW + days) == (["1"], 1)
    assert read(now=NOW + days + timedelta(milliseconds=1)) == ([], 0)


@pytest.mark.usefixtures("store")
def test_a_request_finds_no_more_than_the_newest_entries(aws_calls: list[str]) -> None:
    for hours in range(8):
        action = (Action.AUTH_LOGAS, Action.AUTH_APIKEY)[hours % 2]
        service.record(did(NOW - timedelta(hours=hours), resource_id=str(hours), action=action))
    some = [Action.AUTH_LOGAS.value, Action.AUTH_APIKEY.value]

    def found(*, first: int) -> tuple[list[str], int]:
        aws_calls.clear()
        entries, total = store.page_of(some, first=first, size=2, now=NOW, listed=5)
        return [entry.activity.resource_id for entry in entries], total

    assert [found(first=first) for first in (0, 2, 4, 6)] == [
        (["0", "1"], 5),
        (["2", "3"], 5),
        (["4"], 5),
        ([], 5),
    ]
    assert aws_calls == ["Query"] * 3  # with the first one's count there are five


@pytest.mark.usefixtures("store")
def test_an_id_that_nothing_can_have_finds_nothing() -> None:
    assert read(resource_id="x" * 3000) == ([], 0)


def test_every_action_is_done_to_some_kind_of_resource() -> None:
    assert set(rules.RESOURCES) == set(Action)
