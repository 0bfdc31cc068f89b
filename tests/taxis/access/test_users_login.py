"""The console's login: who comes in, how often one may try, and what is written down."""

import hashlib
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from chalicelib.foundation import login_attempts, passwords
from chalicelib.foundation.settings import table
from chalicelib.foundation.store.writes import connection
from chalicelib.foundation.values import replace
from chalicelib.taxis.access import store, users
from chalicelib.taxis.vocabulary import Role
from ops.cli import administration
from tests.calls import Answer, Caller
from tests.journal import entries
from tests.taxis.access.conftest import Call

PASSWORD = "correct horse"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)  # a window of attempts begins
INVALID = {"data": {"0": {"": ["Invalid credentials."]}}}


@pytest.fixture(scope="module")
def kept() -> str:
    """What is kept of the password; making it takes a third of a second."""
    return passwords.hashed(PASSWORD)


@pytest.fixture(autouse=True)
def operator(call: Call, kept: str) -> Caller:
    """An operator with a password, whose calls come with its key."""
    caller = call("operator")
    record = administration.find("operator")
    store.put(replace(record, password=kept), before=record)
    return caller


def key_of(email: str) -> str:
    return users.user(administration.find(email)).api_key


def log_in(caller: Caller, **element: object) -> Answer:
    return caller.post("/internal/auth", {"email": "operator", **element})


def journal() -> list[tuple[str, str, str, Any]]:
    return [(row.resource, row.resource_id, row.action, row.extra) for row in entries()]


def test_a_password_opens_the_account(anonymous: Caller, operator: Caller) -> None:
    own = f"/users/{administration.find('operator').account.id}"

    answer = log_in(anonymous, password=PASSWORD)

    assert (answer.status, answer.data) == (200, operator.get(own).data)
    assert answer.data[0]["apikey"] == key_of("operator")


def test_a_key_opens_the_account(anonymous: Caller) -> None:
    answer = log_in(anonymous, apikey=key_of("operator"))

    assert (answer.status, answer.data[0]["email"]) == (200, "operator")


def test_the_header_with_a_key_is_not_looked_at(app: Any) -> None:
    assert log_in(Caller(app, key="nobody's"), password=PASSWORD).status == 200
    assert log_in(Caller(app, key=key_of("operator")), password="battery").status == 401


def test_wrong_credentials_open_nothing(anonymous: Caller, call: Call) -> None:
    call("no-password")
    wrong = [
        {"password": "battery staple"},
        {"apikey": "not-the-key"},
        {"apikey": key_of("no-password")},
        {"email": "OPERATOR", "password": PASSWORD},
        {"email": "nobody", "password": PASSWORD},
        {"email": "nobody", "apikey": key_of("operator")},
        {"email": "no-password", "password": PASSWORD},
        {"email": "x" * 5000, "password": PASSWORD},
        {"email": "", "password": PASSWORD},
    ]

    for credentials in wrong:
        answer = log_in(anonymous, **credentials)
        assert (answer.status, answer.errors) == (401, INVALID), credentials

    assert journal() == []


def test_a_suspended_account_does_not_come_in(anonymous: Caller) -> None:
    administration.set_active("operator", active=False)

    assert log_in(anonymous, password=PASSWORD).errors == INVALID
    assert log_in(anonymous, apikey=key_of("operator")).errors == INVALID


def test_no_refusal_tells_by_its_time_what_is_wrong(
    anonymous: Caller, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each hashes a password once, at the same cost; next to that all else takes no time."""
    call("no-password")
    call("suspended")
    administration.set_active("suspended", active=False)
    costs: list[tuple[int, int, int, int]] = []
    scrypt = hashlib.scrypt

    def counted(password: bytes, **how: Any) -> bytes:
        costs.append((how["n"], how["r"], how["p"], how["dklen"]))
        return scrypt(password, **how)

    monkeypatch.setattr(hashlib, "scrypt", counted)

    for email in ("operator", "nobody", "no-password", "suspended"):
        assert log_in(anonymous, email=email, password="battery staple").status == 401

    assert costs == [(2**15, 8, 3, 32)] * 4  # OWASP's Password Storage Cheat Sheet


def test_an_old_password_opens_nothing_after_a_new_one(anonymous: Caller, operator: Caller) -> None:
    own = f"/users/{administration.find('operator').account.id}"
    operator.put(own, {"password": "battery staple"})

    assert log_in(anonymous, password=PASSWORD).status == 401
    assert log_in(anonymous, password="battery staple").status == 200


def test_no_account_is_looked_for_by_what_no_key_could_hold(aws_calls: list[str]) -> None:
    assert store.by_email("é" * 1024) is None

    assert aws_calls == []


BAD_BODIES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["_schema"]),
    ({"password": "", "apikey": ""}, ["_schema"]),
    ({"password": "a", "apikey": "b"}, ["_schema"]),
    ({"password": None}, ["password"]),
    ({"password": 12345678}, ["password"]),
    ({"password": "a", "referrer": "x"}, ["referrer"]),
    ({"password": "a", "remember": True}, ["remember"]),
    ({"password": "a", "email": None}, ["email"]),
]


def test_a_bad_body_is_refused(anonymous: Caller) -> None:
    for element, at in BAD_BODIES:
        answer = log_in(anonymous, **element)
        assert answer.status == 400, element
        assert list(answer.errors["data"]["0"]) == at, element

    assert anonymous.post("/internal/auth", {"password": "a"}).errors == {
        "data": {"0": {"email": ["Missing data for required field."]}}
    }
    assert anonymous.send("POST", "/internal/auth", "{}").status == 400


def test_an_empty_one_of_the_two_counts_as_not_given(anonymous: Caller) -> None:
    assert log_in(anonymous, password=PASSWORD, apikey="").status == 200


def test_logins_are_in_the_journal(anonymous: Caller) -> None:
    number = str(administration.find("operator").account.id)

    log_in(anonymous, password=PASSWORD)
    log_in(anonymous, apikey=key_of("operator"), referrer=7)

    assert sorted(journal()) == [
        ("user", number, "login_apikey", {"referrer": 7}),
        ("user", number, "login_password", {"referrer": None}),
    ]


def test_a_login_does_not_fail_because_the_journal_does(
    anonymous: Caller,
    caplog: pytest.LogCaptureFixture,
) -> None:
    boto3.client("dynamodb").delete_table(TableName=table("journal"))

    assert log_in(anonymous, password=PASSWORD).status == 200
    assert "login_password" in caplog.text


def weaken() -> str:
    """Gives the operator's password a weak hash."""
    made = hashlib.scrypt(PASSWORD.encode(), salt=b"salt", n=2**10, r=8, p=1, dklen=32)
    weak = f"scrypt$10$8$1${b64encode(b'salt').decode()}${b64encode(made).decode()}"
    record = administration.find("operator")
    store.put(replace(record, password=weak), before=record)
    return weak


def test_a_weak_hash_is_made_anew_by_its_password(anonymous: Caller) -> None:
    weak = weaken()

    assert log_in(anonymous, password="battery").status == 401
    assert administration.find("operator").password == weak
    assert log_in(anonymous, password=PASSWORD).status == 200

    kept = administration.find("operator").password
    assert not passwords.is_weak(kept)
    assert passwords.matches(PASSWORD, kept)


def test_a_password_that_is_dropped_during_a_login_does_not_come_back(anonymous: Caller) -> None:
    weaken()
    rotated: list[str] = []

    def rotate(**_: Any) -> None:
        if not rotated:
            rotated.append("now")
            administration.rotate_key("operator", now=NOON)

    events = connection().client.meta.events
    events.register("before-call.dynamodb.TransactWriteItems", rotate)
    try:
        log_in(anonymous, password=PASSWORD)
    finally:
        events.unregister("before-call.dynamodb.TransactWriteItems", rotate)

    assert rotated
    assert administration.find("operator").password == ""


# --- attempts ------------------------------------------------------------------------------------


def guess(
    email: str = "operator",
    *,
    source: str = "192.0.2.1",
    now: datetime = NOON,
    api_key: str = "wrong",
) -> str:
    """What an attempt with a key comes to: it is counted as one with a password, and takes less."""
    try:
        users.log_in(email, api_key=api_key, source=source, now=now)
    except login_attempts.TooManyAttempts:
        return "too many"
    except users.CredentialsWrong:
        return "wrong"
    return "in"


@pytest.mark.parametrize("email", ["operator", "nobody"])
def test_an_account_may_be_guessed_at_ten_times_from_anywhere(
    email: str,
) -> None:
    guesses = [guess(email, source=f"192.0.2.{number}") for number in range(11)]

    assert guesses == ["wrong"] * 10 + ["too many"]


def test_after_too_many_guesses_even_the_right_one_is_refused_until_the_window_ends() -> None:
    key = key_of("operator")
    for _ in range(10):
        guess()

    assert guess(api_key=key) == "too many"
    assert guess(api_key=key, now=NOON + timedelta(minutes=14, seconds=59)) == "too many"
    assert guess(api_key=key, now=NOON + timedelta(minutes=15)) == "in"


def test_an_address_may_guess_thirty_times_at_any_accounts() -> None:
    guesses = [guess(f"account{number}") for number in range(31)]

    assert guesses == ["wrong"] * 30 + ["too many"]
    assert guess("account", source="192.0.2.2") == "wrong"


def test_an_address_over_its_limit_locks_no_account() -> None:
    for number in range(30):
        guess(f"account{number}")

    for _ in range(20):
        guess()

    assert guess(source="192.0.2.2", api_key=key_of("operator")) == "in"


def test_a_household_of_ipv6_is_one_address() -> None:
    guesses = [guess(f"account{n}", source=f"2001:db8:1:2::{n:x}") for n in range(31)]

    assert guesses[-1] == "too many"
    assert guess("account", source="2001:db8:1:3::1") == "wrong"


def test_logins_that_succeed_are_not_counted() -> None:
    key = key_of("operator")

    assert [guess(api_key=key) for _ in range(31)] == ["in"] * 31


def test_too_many_attempts_are_told_with_the_time_to_wait(anonymous: Caller) -> None:
    # A new window may begin meanwhile, and then there are two of them
    answers = [log_in(anonymous, apikey="wrong") for _ in range(2 * login_attempts.OF_ACCOUNT + 1)]

    refused = next(answer for answer in answers if answer.status != 401)
    assert refused.status == 429
    assert refused.errors == {"": ["Too many attempts to log in. Please try again later."]}
    assert 0 < int(refused.headers["Retry-After"]) <= login_attempts.WINDOW_S


def test_attempts_are_forgotten_and_name_nobody() -> None:
    guess("somebody@example.org")

    rows = list(login_attempts.AttemptsRow.scan())

    assert [int(row.ttl) for row in rows] == [int(NOON.timestamp()) + 1800] * 2
    assert not [row.whose for row in rows if "somebody" in row.whose or "192.0" in row.whose]


def test_a_role_is_not_needed_to_log_in(call: Call, anonymous: Caller) -> None:
    call("boss", Role.ADMIN)
    administration.add("nothing")

    answer = anonymous.post("/internal/auth", {"email": "nothing", "apikey": key_of("nothing")})

    assert (answer.status, answer.data[0]["roles"]) == (200, [])
