"""What changes of status leave in the journal [contract: Changing a taxi]."""

from datetime import timedelta
from typing import Any

import boto3
import pytest

from chalicelib.foundation import clock
from chalicelib.foundation.settings import table
from chalicelib.taxis.activity import service as activity
from chalicelib.taxis.activity.rules import ActivityFilter
from chalicelib.taxis.registry import availability_change, own_taxis
from chalicelib.taxis.registry.rows import DescriptionRow
from chalicelib.taxis.vocabulary import Action, Activity, Pending, Resource
from ops.cli import administration
from tests.calls import Caller
from tests.journal import entries
from tests.taxis.registry.conftest import Call
from tests.taxis.registry.races import client_of, just_before

NOW = clock.now()
OFF_TO_FREE = {"old_status": "off", "new_status": "free"}


def statuses(taxi_id: str) -> list[Any]:
    """What `GET /activity_logs?resource=taxi&resource_id=...` finds, oldest first."""
    asked = ActivityFilter(Resource.TAXI, taxi_id)
    found, total = activity.list_entries(asked, page=1, per_page=30, now=clock.now())
    assert total == len(found)
    return [entry.activity.extra for entry in reversed(found)]


def pending() -> Pending:
    return Pending(Activity(NOW, Resource.USER, "1", Action.AUTH_APIKEY))


def test_each_change_of_status_is_found_by_its_taxi(operator: Caller, taxi_id: str) -> None:
    for status in ("free", "occupied"):
        assert operator.put(f"/taxis/{taxi_id}", {"status": status}).status == 200

    assert statuses(taxi_id) == [
        OFF_TO_FREE,
        {"old_status": "free", "new_status": "occupied"},
    ]
    assert statuses("another") == []


def test_a_status_that_is_repeated_leaves_nothing_of_it(operator: Caller, taxi_id: str) -> None:
    for _ in range(3):
        operator.put(f"/taxis/{taxi_id}", {"status": "free"})

    assert statuses(taxi_id) == [OFF_TO_FREE]


@pytest.mark.parametrize("body", [{}, {"radius": 200}, {"status": "off", "radius": 200}])
def test_what_is_no_change_of_status_leaves_nothing(
    operator: Caller, taxi_id: str, body: dict[str, Any]
) -> None:
    assert operator.put(f"/taxis/{taxi_id}", body).status == 200

    assert statuses(taxi_id) == []


def test_a_refused_status_leaves_nothing_of_it(call: Call, operator: Caller, taxi_id: str) -> None:
    refused = [
        operator.put(f"/taxis/{taxi_id}", {"status": "oncoming"}),
        call("other").put(f"/taxis/{taxi_id}", {"status": "free"}),
    ]

    assert [answer.status for answer in refused] == [400, 404]
    assert statuses(taxi_id) == []


def test_a_taxi_that_a_hail_holds_does_not_become_free_in_the_journal_either(
    operator: Caller, taxi_id: str
) -> None:
    operator.put(f"/taxis/{taxi_id}", {"status": "occupied"})
    [description] = DescriptionRow.scan()
    description.update([DescriptionRow.open_hail.set("a1b2c3d")])

    operator.put(f"/taxis/{taxi_id}", {"status": "free"})

    assert statuses(taxi_id) == [{"old_status": "off", "new_status": "occupied"}]


def test_a_change_and_its_request_go_into_the_journal_in_one_call(
    operator: Caller, taxi_id: str, aws_calls: list[str]
) -> None:
    operator.put(f"/taxis/{taxi_id}", {"status": "off"})  # the account is known from now on
    aws_calls.clear()
    operator.put(f"/taxis/{taxi_id}", {"status": "off"})
    repeated = list(aws_calls)
    aws_calls.clear()

    operator.put(f"/taxis/{taxi_id}", {"status": "free"})

    assert aws_calls.count("BatchWriteItem") == repeated.count("BatchWriteItem") == 1
    assert {row.action for row in entries()[-2:]} == {"auth_apikey", "taxi_status"}


def test_a_change_that_came_in_between_is_the_old_status(taxi_id: str) -> None:
    account = administration.find("operator").account
    found, own = own_taxis.find_taxi(account, taxi_id), pending()

    def occupy() -> None:
        availability_change.change_taxi(found, {"status": "occupied"}, now=NOW)

    with just_before(client_of(DescriptionRow), "UpdateItem", occupy):
        availability_change.change_taxi(found, {"status": "free"}, now=NOW, entry=own)

    assert [one.extra for one in own.also] == [{"old_status": "occupied", "new_status": "free"}]


def test_a_change_that_another_request_made_is_its_own_alone(taxi_id: str) -> None:
    account = administration.find("operator").account
    found, own, others = own_taxis.find_taxi(account, taxi_id), pending(), pending()

    def free() -> None:
        availability_change.change_taxi(
            found, {"status": "free"}, now=NOW - timedelta(hours=1), entry=others
        )

    later = NOW + timedelta(hours=1)
    with just_before(client_of(DescriptionRow), "UpdateItem", free):
        availability_change.change_taxi(found, {"status": "free"}, now=later, entry=own)

    assert [one.extra for one in others.also] == [OFF_TO_FREE]
    assert own.also == []


def test_a_change_whose_answer_was_lost_is_told_all_the_same(taxi_id: str) -> None:
    account = administration.find("operator").account
    found, own = own_taxis.find_taxi(account, taxi_id), pending()

    # As when the first try was done and its answer lost, and botocore has sent it again
    def first_try() -> None:
        availability_change.change_taxi(found, {"status": "free"}, now=NOW)

    with just_before(client_of(DescriptionRow), "UpdateItem", first_try):
        availability_change.change_taxi(found, {"status": "free"}, now=NOW, entry=own)

    assert [one.extra for one in own.also] == [OFF_TO_FREE]


def test_a_change_does_not_fail_because_the_journal_does(
    operator: Caller, taxi_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    boto3.client("dynamodb").delete_table(TableName=table("journal"))

    answer = operator.put(f"/taxis/{taxi_id}", {"status": "free"})

    assert (answer.status, answer.data[0]["status"]) == (200, "free")
    assert "auth_apikey, taxi_status" in caplog.text
