"""What the journal costs: units of DynamoDB and calls, by AWS's rules (`bench/units.py`)."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient

from bench import units
from chalicelib.foundation.aws import clients
from chalicelib.foundation.settings import table
from chalicelib.taxis.activity import service
from chalicelib.taxis.activity.rules import ActivityFilter
from chalicelib.taxis.vocabulary import Action, Activity, Resource

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ENTRIES = 150

pytestmark = pytest.mark.usefixtures("store")


class Queries:
    """The queries from here on, and what they read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._asked: list[dict[str, Any]] = []
        really = BaseClient._make_api_call  # type: ignore[attr-defined]  # it is not in the stubs

        def noted(client: BaseClient, name: str, parameters: Any) -> Any:
            assert name == "Query"
            self._asked.append(parameters)
            return really(client, name, parameters)

        self._patched = partial(monkeypatch.setattr, BaseClient, "_make_api_call")
        self._noted, self._really = noted, really

    def of(self, **asked: Any) -> tuple[int, int, float]:
        """How many entries a page's filter finds, and the calls and read units that it takes."""
        self._asked.clear()
        self._patched(self._noted)
        page = asked.pop("page", 1)
        _, total = service.list_entries(ActivityFilter(**asked), page=page, per_page=30, now=NOW)
        self._patched(self._really)
        return total, len(self._asked), sum(map(self._units, self._asked))

    def _units(self, parameters: dict[str, Any]) -> float:
        # A count reads what it counts
        whole = {name: value for name, value in parameters.items() if name != "Select"}
        size = sum(map(units.item_bytes, clients.dynamodb().query(**whole)["Items"]))
        return units.read_units(size, consistent=False)


def entry(number: int) -> Activity:
    """One of every ten is the status of a taxi, the others are requests; an hour apart."""
    about: tuple[Resource, str, Action] = (Resource.USER, str(number % 9), Action.AUTH_APIKEY)
    if number % 10 == 0:
        about = (Resource.TAXI, f"taxi{number % 70:03}", Action.TAXI_STATUS)
    extra = {"method": "PUT", "location": "/taxis/skK5ddt"}
    return Activity(NOW - timedelta(hours=number), *about, extra)


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> Queries:
    service.record(*map(entry, range(ENTRIES)))
    return Queries(monkeypatch)


# What each finds, and the queries and read units that it takes. With all entries by their days, each took
# 61 queries and some 32 units, whatever it found: one for each day of the two months.
COSTS: list[tuple[dict[str, Any], tuple[int, int, float]]] = [
    ({}, (150, 10, 7.5)),  # nine actions, and how many more requests there are
    ({"page": 10}, (150, 9, 7.0)),
    ({"resource": "taxi"}, (15, 1, 0.5)),
    ({"resource": "taxi", "resource_id": "taxi000"}, (3, 1, 0.5)),
    ({"resource_id": "3"}, (15, 9, 4.5)),
    ({"action": "auth_apikey"}, (135, 2, 3.5)),
    ({"action": "login_password"}, (0, 1, 0.5)),
    ({"resource_id": "3", "action": "login_password"}, (0, 1, 0.5)),
    ({"resource": "user", "action": "taxi_status"}, (0, 0, 0)),
]


def test_each_question_is_answered_by_key(queries: Queries) -> None:
    assert [(asked, queries.of(**asked)) for asked, _ in COSTS] == COSTS


def test_entries_take_two_write_units_each_and_one_call(aws_calls: list[str]) -> None:
    service.record(entry(0), entry(1))

    assert aws_calls == ["BatchWriteItem"]
    stored = boto3.client("dynamodb").scan(TableName=table("journal"))["Items"]
    assert [units.write_units(units.item_bytes(item)) for item in stored] == [1] * 4
