"""`current_password`: changes of an account that want more than its key."""

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.foundation import clock, login_attempts, passwords
from chalicelib.foundation.settings import forget as forget_settings
from ops.cli import administration
from tests.calls import Answer, Caller
from tests.taxis.access.conftest import Call

PASSWORD = "correct horse"
WRONG = {"data": {"0": {"current_password": ["This is not the account's password."]}}}
MISSING = {"data": {"0": {"current_password": ["Missing data for required field."]}}}


@pytest.fixture(autouse=True)
def operator(call: Call) -> Caller:
    """An operator with a webhook and a password."""
    made = call("operator")
    administration.add("operator", hook=("https://8.8.8.8/hails", "X-Own", "s3cret"))
    administration.set_password("operator", PASSWORD)
    return made


@pytest.fixture
def confirming(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installation that asks for the password."""
    monkeypatch.setenv("MARAUDE_PASSWORD_CONFIRMS", "true")
    forget_settings()
    yield
    monkeypatch.undo()
    forget_settings()


def put(caller: Caller, **changes: Any) -> Answer:
    return caller.put(f"/users/{administration.find('operator').account.id}", changes)


GRAVE = [
    {"password": "battery staple"},
    {"hail_endpoint_production": ""},
    {"operator_header_name": "X-Other"},
    {"operator_api_key": "other"},
]


@pytest.mark.parametrize("change", GRAVE)
def test_as_ever_a_key_is_enough_where_the_installation_does_not_ask(
    change: dict[str, str], operator: Caller
) -> None:
    assert put(operator, **change).status == 200


@pytest.mark.parametrize("change", GRAVE)
@pytest.mark.usefixtures("confirming")
def test_where_it_asks_a_key_alone_changes_neither_password_nor_webhook(
    change: dict[str, str], operator: Caller
) -> None:
    before = administration.find("operator")

    refused = put(operator, **change)

    assert (refused.status, refused.errors) == (400, MISSING)
    assert administration.find("operator") == before
    assert put(operator, **change, current_password=PASSWORD).status == 200
    assert administration.find("operator") != before


@pytest.mark.usefixtures("confirming")
def test_where_it_asks_all_that_was_read_may_be_sent_back_with_a_new_name(
    operator: Caller,
) -> None:
    account = administration.find("operator").account
    read = operator.get(f"/users/{account.id}").data[0]

    assert put(operator, **{**read, "name": "Taxis", "password": ""}).status == 200
    assert administration.find("operator").name == "Taxis"


@pytest.mark.usefixtures("confirming")
def test_an_account_without_a_password_is_asked_for_none(call: Call) -> None:
    call("operator")
    administration.rotate_key("operator", now=clock.now())
    fresh = call("operator")

    assert put(fresh, password="battery staple").status == 200


def test_a_wrong_one_is_refused_whether_it_is_asked_for_or_not(operator: Caller) -> None:
    for wrong in ("guess", ""):
        refused = put(operator, name="Taxis", current_password=wrong)
        assert (refused.status, refused.errors) == (400, WRONG)

    assert administration.find("operator").name == "operator"


def test_it_is_no_way_to_guess_a_password(
    operator: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "matches", lambda *_: False)  # as fast as a guesser would like
    guesses = [
        put(operator, current_password=f"guess {n}").status
        for n in range(login_attempts.OF_ACCOUNT + 1)
    ]

    assert guesses == [400] * login_attempts.OF_ACCOUNT + [429]


def test_it_is_shown_and_kept_nowhere(operator: Caller) -> None:
    answer = put(operator, name="Taxis", current_password=PASSWORD)

    assert answer.status == 200
    assert PASSWORD not in answer.text
    assert "current_password" not in answer.data[0]
