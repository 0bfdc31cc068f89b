"""An address from which too much comes without a good key: who is refused, who is not, and what it costs."""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError

from chalicelib.foundation.http.application import Application
from chalicelib.foundation.http.replies import Reply
from chalicelib.foundation.http.routes import Routes
from chalicelib.foundation.rate_limit.sources import Sources, TooManyOfAddress
from chalicelib.foundation.settings import forget as forget_settings
from chalicelib.foundation.settings import table
from chalicelib.taxis.access import service
from chalicelib.taxis.envelope import Request
from ops.cli import administration
from tests import factories
from tests.calls import Caller
from tests.emitted import metrics_of

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)  # a window begins
HERE, THERE = "192.0.2.7", "198.51.100.7"
MANY = 25  # more than the limit of two windows, for one may begin meanwhile


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Sets how many requests a second may come from one address without a key."""

    def set_to(requests_a_second: int) -> None:
        monkeypatch.setenv("MARAUDE_KEYLESS_REQUESTS_A_SECOND", str(requests_a_second))
        forget_settings()

    yield set_to
    monkeypatch.undo()
    forget_settings()


@pytest.fixture
def app(app: Application) -> Application:
    """The app, and a path that anybody may ask for."""
    routes = Routes()

    @routes.get("/public", roles=None)
    def get_public(_: Request) -> Reply:
        return Reply(200, "")

    @routes.get("/public/long", roles=None)
    def get_long(_: Request) -> Reply:
        return Reply(200, "x" * 300_000)

    app.serve(routes)
    return app


@pytest.fixture
def flooded(app: Application, limit: Callable[[int], None]) -> Caller:
    """A caller without a key, from whose address too much has come in this window and the next."""
    limit(1)
    # Ten seconds of the limit, for this window and for one that may begin meanwhile.
    stranger = Caller(app, source=HERE)
    answers = [stranger.get("/public") for _ in range(MANY)]
    assert answers[-1].status == 429
    return stranger


class Sums:
    """The shared sums without a table."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.reports: list[int] = []
        self._sums: Counter[tuple[str, int]] = Counter()

    def __call__(self, whose: str, window: int, requests: int) -> int:
        self.reports.append(requests)
        if self.error is not None:
            raise self.error
        self._sums[whose, window] += requests
        return self._sums[whose, window]


def came(sources: Sources, requests: int, *, source: str = HERE, at: datetime = NOON) -> int:
    """How many of some requests are let in."""
    let_in = 0
    for _ in range(requests):
        try:
            sources.take(source, now=at)
        except TooManyOfAddress:
            continue
        let_in += 1
    return let_in


def statuses(caller: Caller, path: str, requests: int = MANY) -> set[int]:
    return {caller.get(path).status for _ in range(requests)}


# --- one address ----------------------------------------------------------------------------------


def test_a_flood_from_an_address_gets_what_ten_seconds_allow_and_no_more() -> None:
    sources = Sources(Sums())

    # Told fifty at a time: the fifty with which it learns that it is too much are let in, but for the last.
    assert came(sources, 3000) == 1049
    assert came(sources, 5, at=NOON + timedelta(seconds=9.9)) == 0
    assert came(sources, 3000, at=NOON + timedelta(seconds=10)) == 1049


def test_a_flood_from_an_address_takes_nothing_from_another() -> None:
    sources = Sources(Sums())
    came(sources, 3000)

    assert came(sources, 1000, source=THERE) == 1000


def test_a_household_s_addresses_of_ipv6_are_one() -> None:
    sources = Sources(Sums())

    let_in = sum(came(sources, 1, source=f"2001:db8:1:2::{number:x}") for number in range(3000))

    assert let_in == 1049


@pytest.mark.parametrize(("characters", "let_in"), [(99_999, 1049), (850_000, 114)])
def test_a_long_answer_counts_as_many(characters: int, let_in: int) -> None:
    sources = Sources(Sums())
    answered = 0

    for _ in range(2000):
        try:
            sources.take(HERE, now=NOON)
        except TooManyOfAddress:
            continue
        answered += 1
        sources.charge(HERE, characters, now=NOON)

    assert answered == let_in


@pytest.mark.usefixtures("store")
def test_a_flood_over_many_processes_is_one_flood() -> None:
    processes = [Sources() for _ in range(5)]

    let_in = sum(came(processes[number % 5], 1) for number in range(3000))

    assert 1000 <= let_in <= 1000 + 5 * 50


def test_no_limit_is_none(limit: Callable[[int], None]) -> None:
    limit(0)
    sums = Sums()

    assert came(Sources(sums), 3000) == 3000
    assert sums.reports == []


def test_where_the_sum_cannot_be_had_nobody_is_refused() -> None:
    assert came(Sources(Sums(ConnectTimeoutError(endpoint_url=""))), 3000) == 3000


# --- what it costs, and what is kept --------------------------------------------------------------


def test_a_quiet_address_costs_no_call_and_a_busy_one_one_in_fifty() -> None:
    sums = Sums()
    sources = Sources(sums)

    came(sources, 49)
    assert sums.reports == []
    came(sources, 3000)
    assert sums.reports == [50] * 21


def test_an_attack_from_many_addresses_costs_no_call_and_a_bounded_memory() -> None:
    sums = Sums()
    sources = Sources(sums)

    for number in range(10_000):
        came(sources, 2, source=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")

    assert sums.reports == []
    assert len(sources._tally._counts._entries()) == 4096


@pytest.mark.usefixtures("store")
def test_what_is_kept_is_a_number_for_a_while_and_no_address() -> None:
    came(Sources(), 50)

    [row] = boto3.client("dynamodb").scan(TableName=table("request-counts"))["Items"]
    assert row["counted"]["S"].startswith("source#")
    assert HERE not in str(row)
    assert row["ttl"] == {"N": str(int(NOON.timestamp()) + 610)}


def test_what_is_refused_is_counted_and_logged_once_a_window_without_the_address(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    sources = Sources(Sums())

    with caplog.at_level(logging.WARNING, "maraude"):
        for later_s in (0, 10):
            came(sources, 1060, at=NOON + timedelta(seconds=later_s))

    found = metrics_of(capsys.readouterr().out)
    assert [metric.name for metric in found] == ["requests_throttled_by_address"] * 22
    assert [json.loads(line) for line in caplog.messages] == [
        {"event": "address_throttled", "network": "192.0.2.0/24"}
    ] * 2


# --- in a request ---------------------------------------------------------------------------------


def test_a_refusal_is_the_contract_s_with_the_time_to_wait(flooded: Caller) -> None:
    refused = flooded.get("/public")

    assert (refused.status, refused.headers["Content-Type"]) == (429, "application/json")
    assert refused.errors[""][0].startswith("More than 1 requests a second came from this address")
    assert 1 <= int(refused.headers["Retry-After"]) <= 10
    assert refused.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/users"),
        ("HEAD", "/public"),
        ("POST", "/internal/auth"),
        ("GET", "/nowhere"),
        ("POST", "/nowhere"),
        ("DELETE", "/users"),
    ],
)
def test_whatever_it_asks_for_without_a_key_is_refused(
    flooded: Caller, aws_calls: list[str], method: str, path: str
) -> None:
    assert flooded.send(method, path, '{"data": "no list"}').status == 429
    assert aws_calls == []


def test_a_body_is_not_looked_at(flooded: Caller) -> None:
    assert flooded.send("POST", "/internal/auth", "{").status == 429


def test_a_preflight_is_answered(flooded: Caller) -> None:
    assert flooded.send("OPTIONS", "/public").status == 200


def test_another_address_is_answered(flooded: Caller, app: Application) -> None:
    assert flooded.get("/public").status == 429
    assert Caller(app, source=THERE).get("/public").status == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP"])
def test_what_a_caller_says_of_its_address_is_not_believed(
    flooded: Caller, app: Application, header: str
) -> None:
    headers = {header: THERE}

    assert flooded.send("GET", "/public", headers=headers).status == 429
    for _ in range(MANY):
        Caller(app, source="203.0.113.9").send("GET", "/public", headers=headers)
    assert Caller(app, source=THERE).get("/public").status == 200


def test_keys_that_nobody_has_are_soon_refused_without_a_look_up(
    app: Application, limit: Callable[[int], None], aws_calls: list[str]
) -> None:
    limit(1)
    guessers = [Caller(app, key=f"made up {number}", source=HERE) for number in range(50)]
    found = {guesser.get("/users").status for guesser in guessers}
    aws_calls.clear()

    refused = [guesser.get("/users") for guesser in guessers[:5]]

    assert found == {401, 429}
    assert [answer.status for answer in refused] == [429] * 5
    assert aws_calls == []


def test_few_long_answers_are_as_much_as_many_short_ones(
    app: Application, limit: Callable[[int], None]
) -> None:
    limit(1)
    answers = [Caller(app, source=HERE).get("/public/long").status for _ in range(8)]

    # Each counts as four, and eleven are too much.
    assert answers.count(200) in range(3, 7)


def test_few_long_bodies_are_as_much_as_many_short_ones(
    app: Application, limit: Callable[[int], None]
) -> None:
    limit(1)
    body = f'{{"data": [{"[], " * 75_000}NaN]}}'
    stranger = Caller(app, source=HERE)
    answers = [stranger.send("POST", "/internal/auth", body).status for _ in range(8)]

    # Each counts as four, and eleven are too much; whoever sends no more is answered as ever.
    assert answers.count(400) in range(2, 6)
    assert answers[-1] == 429
    assert Caller(app, source=THERE).send("POST", "/internal/auth", "{}").status == 400


def a_neighbour(app: Application, name: str = "neighbour") -> Caller:
    """Somebody with a good key, from the same address."""
    return Caller(app, key=factories.an_account(name)[1], source=HERE)


def test_a_neighbour_with_a_good_key_goes_on(
    app: Application, limit: Callable[[int], None]
) -> None:
    limit(1)
    neighbour = a_neighbour(app)
    assert neighbour.get("/users").status == 200

    assert 429 in statuses(Caller(app, source=HERE), "/users")
    assert 429 in statuses(Caller(app, key="made up", source=HERE), "/users")

    assert statuses(neighbour, "/users") == {200}


def test_a_good_key_counts_for_its_address_once_and_costs_no_call(
    app: Application, limit: Callable[[int], None], aws_calls: list[str]
) -> None:
    limit(1)
    neighbour = a_neighbour(app)
    neighbour.get("/users")
    aws_calls.clear()

    for _ in range(MANY):
        neighbour.get("/no/such/path")

    assert aws_calls == []
    assert Caller(app, source=HERE).get("/public").status == 200


def test_a_path_without_a_key_counts_whatever_key_is_sent(
    app: Application, limit: Callable[[int], None]
) -> None:
    limit(1)
    neighbour = a_neighbour(app)
    neighbour.get("/users")

    assert statuses(neighbour, "/public") == {200, 429}
    assert neighbour.get("/users").status == 200


def test_a_key_that_opens_no_more_is_no_good_one(
    app: Application, limit: Callable[[int], None]
) -> None:
    limit(1)
    neighbour = a_neighbour(app)
    assert neighbour.get("/users").status == 200
    administration.set_active("neighbour", active=False)
    service._by_key.forget()  # half a minute later

    assert statuses(neighbour, "/users") == {401, 429}
