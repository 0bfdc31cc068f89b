"""A key that is used too often: who is refused, what it costs, and what happens without the table."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from chalicelib.foundation import cache
from chalicelib.foundation.rate_limit import rules
from chalicelib.foundation.rate_limit import store as throttles
from chalicelib.foundation.rate_limit.store import REST_S, WITHIN_S, Throttle, TooManyRequests
from chalicelib.foundation.settings import forget as forget_settings
from chalicelib.foundation.settings import table
from chalicelib.taxis.access import service
from chalicelib.taxis.vocabulary import Role
from tests import journal
from tests.calls import Caller
from tests.emitted import metrics_of
from tests.taxis.access.conftest import Call
from tests.taxis.hails import servers

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)  # a window begins
SMALL = 20  # requests a second: 200 in a window, each of them told
ACCOUNT, OTHER = 1, 2


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Sets how many requests a second may come with one key."""

    def set_to(requests_a_second: int) -> None:
        monkeypatch.setenv("MARAUDE_REQUESTS_A_SECOND", str(requests_a_second))
        forget_settings()

    yield set_to
    monkeypatch.undo()
    forget_settings()


def came(throttle: Throttle, requests: int, *, account: int = ACCOUNT, at: datetime = NOON) -> int:
    """How many of some requests are let in."""
    let_in = 0
    for _ in range(requests):
        try:
            throttle.take(account, now=at)
        except TooManyRequests:
            continue
        let_in += 1
    return let_in


def rows() -> list[dict[str, Any]]:
    """What the table holds."""
    found: list[dict[str, Any]] = boto3.client("dynamodb").scan(TableName=table("request-counts"))[
        "Items"
    ]
    return found


class Sums:
    """The shared sums without a table: counts the reports, and fails where it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.reports = 0
        self.sum = 0
        self._lock = threading.Lock()

    def __call__(self, whose: str, window: int, requests: int) -> int:  # noqa: ARG002  # as `add`
        with self._lock:
            self.reports += 1
            if self.error is not None:
                raise self.error
            self.sum += requests
            return self.sum


# --- one account ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("store")
def test_a_flood_gets_what_its_limit_allows_in_ten_seconds_and_no_more(
    limit: Callable[[int], None],
) -> None:
    limit(SMALL)
    throttle = Throttle()

    assert came(throttle, 300) == 200
    assert came(throttle, 5, at=NOON + timedelta(seconds=9.9)) == 0
    assert came(throttle, 300, at=NOON + timedelta(seconds=10)) == 200


@pytest.mark.usefixtures("store")
def test_a_flood_of_one_account_takes_nothing_from_another(limit: Callable[[int], None]) -> None:
    limit(SMALL)
    throttle = Throttle()
    came(throttle, 300)

    assert came(throttle, 200, account=OTHER) == 200


@pytest.mark.usefixtures("store")
def test_a_flood_over_many_processes_is_one_flood(limit: Callable[[int], None]) -> None:
    limit(200)
    processes = [Throttle() for _ in range(5)]

    let_in = sum(came(processes[number % 5], 1) for number in range(3000))

    # Each has told ten at a time, and some tell that it is too much later than others.
    assert 2000 <= let_in <= 2000 + 5 * 10


def test_a_process_that_has_learnt_it_refuses_without_asking(limit: Callable[[int], None]) -> None:
    limit(SMALL)
    sums = Sums()
    throttle = Throttle(sums)
    came(throttle, 300)
    asked = sums.reports

    came(throttle, 1000)

    assert (asked, sums.reports) == (201, 201)


def test_threads_of_one_process_lose_no_request(limit: Callable[[int], None]) -> None:
    limit(200)
    sums = Sums()
    throttle = Throttle(sums)
    threads = [threading.Thread(target=came, args=(throttle, 200)) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (sums.sum, sums.reports) == (1600, 160)


def test_a_refusal_says_when_to_come_again(limit: Callable[[int], None]) -> None:
    limit(SMALL)
    throttle = Throttle(Sums())
    came(throttle, 300)

    with pytest.raises(TooManyRequests, match="More than 20 requests a second") as refused:
        throttle.take(ACCOUNT, now=NOON + timedelta(seconds=3.5))

    assert refused.value.retry_after_s == 7


# --- what is kept ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("store")
def test_what_is_kept_is_a_number_for_a_while_and_no_key(limit: Callable[[int], None]) -> None:
    limit(200)

    came(Throttle(), 25)

    window = rules.window_of(NOON)
    assert rows() == [
        {
            "counted": {"S": f"{ACCOUNT}#{window}"},
            "requests": {"N": "20"},
            "ttl": {"N": str(int(NOON.timestamp()) + 610)},
        }
    ]


def test_of_however_many_accounts_a_process_remembers_a_few_thousand() -> None:
    throttle = Throttle(Sums())

    for account in range(10_000):
        throttle.take(account, now=NOON)

    assert len(throttle._tally._counts._entries()) == 4096


# --- without the table ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        ConnectTimeoutError(endpoint_url="https://dynamodb.example"),
        ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "UpdateItem"),
        ClientError({"Error": {"Code": "AccessDeniedException"}}, "UpdateItem"),
    ],
)
def test_where_the_sum_cannot_be_had_nobody_is_refused_and_it_is_counted(
    limit: Callable[[int], None], capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    limit(SMALL)

    assert came(Throttle(Sums(error)), 1000) == 1000

    found = {metric.name: metric.value for metric in metrics_of(capsys.readouterr().out)}
    assert found == {"request_counts_lost": 1}


def test_a_table_that_fails_is_asked_again_after_a_while(
    limit: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(SMALL)
    sums = Sums(ConnectTimeoutError(endpoint_url=""))
    throttle = Throttle(sums)
    began_s = cache.now_s()
    reports = []

    for later_s in (0, REST_S - 1, REST_S + 1):
        monkeypatch.setattr(cache, "now_s", lambda at=began_s + later_s: at)
        came(throttle, 100)
        reports.append(sums.reports)

    assert reports == [1, 1, 2]


def test_a_table_that_hangs_costs_one_request_half_a_second_and_refuses_nobody(
    limit: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with servers.serving(servers.hangs) as hanging:
        monkeypatch.setenv("MARAUDE_ENDPOINT", f"http://127.0.0.1:{hanging.port}")
        throttles.client.cache_clear()
        limit(SMALL)
        began_s = time.monotonic()

        assert came(Throttle(), 300) == 300

        took_s = time.monotonic() - began_s
        throttles.client().close()
        throttles.client.cache_clear()
    assert hanging.connections == 1
    assert took_s < 10 * WITHIN_S  # without its own limits: 20 s


# --- in a request ---------------------------------------------------------------------------------


def test_a_key_that_is_used_too_often_is_answered_429_with_the_time_to_wait(
    call: Call, limit: Callable[[int], None]
) -> None:
    limit(1)
    operator = call("operator")

    answers = [operator.get("/users") for _ in range(25)]  # a new window may begin meanwhile

    assert {answer.status for answer in answers} == {200, 429}
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.errors == {
        "": ["More than 1 requests a second came with this key. Please try again later."]
    }
    assert 1 <= int(refused.headers["Retry-After"]) <= rules.WINDOW_S
    assert refused.headers["Content-Type"] == "application/json"


def flood(caller: Caller, requests: int = 25) -> None:
    for _ in range(requests):
        caller.get("/users")


def test_another_key_is_answered_as_ever(call: Call, limit: Callable[[int], None]) -> None:
    limit(1)
    flood(call("operator"))

    assert call("other").get("/users").status == 200


def test_who_acts_as_another_uses_its_own_share(call: Call, limit: Callable[[int], None]) -> None:
    limit(1)
    call("manager")
    operator = call("operator", manager="manager")

    flood(call("manager", logas="operator"))

    assert operator.get("/users").status == 200


def test_a_flood_with_a_good_key_and_somebody_s_name_is_a_flood_too(
    call: Call, limit: Callable[[int], None]
) -> None:
    limit(1)
    stranger = call("stranger", logas="nobody at all")

    assert {stranger.get("/users").status for _ in range(25)} == {401, 429}


def test_a_request_that_is_refused_for_its_number_leaves_no_line_in_the_journal(
    call: Call, limit: Callable[[int], None]
) -> None:
    limit(1)
    moteur = call("moteur", Role.MOTEUR)

    statuses = [moteur.post("/things", {}).status for _ in range(25)]

    assert len(journal.entries()) == statuses.count(403) < 25


def test_a_quiet_key_costs_no_call_and_a_busy_one_one_in_twenty_five(
    call: Call, aws_calls: list[str]
) -> None:
    geotaxi = "/geotaxi"
    operator = call("operator")
    operator.post(geotaxi, {})  # the account is read
    aws_calls.clear()

    for _ in range(23):
        operator.post(geotaxi, {})
    quiet = list(aws_calls)
    for _ in range(26):
        operator.post(geotaxi, {})

    assert quiet == []
    assert aws_calls == ["UpdateItem"] * 2


def test_keys_that_nobody_has_leave_no_count_and_nothing_in_memory(
    call: Call, limit: Callable[[int], None], aws_calls: list[str]
) -> None:
    limit(1)
    call("operator")
    aws_calls.clear()

    for number in range(50):
        with pytest.raises(service.KeyUnknown):
            service.recognize(key=f"made up {number}", logas=None, now=NOON)

    assert set(aws_calls) == {"BatchGetItem"}
    assert rows() == []
