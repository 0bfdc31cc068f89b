"""A key that is rotated away: what whoever has it may still see and do is nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chalicelib.foundation import clock
from chalicelib.foundation.aws import clients
from chalicelib.taxis.vocabulary import Role
from ops.cli import administration
from tests.calls import Caller
from tests.taxis.access.conftest import Call


def rotate(*emails: str) -> list[str]:
    """New keys for these accounts, in this order."""
    return [administration.rotate_key(email, now=clock.now())[1] for email in emails]


@contextmanager
def before_read(number: int, then: Callable[[], Any]) -> Iterator[None]:
    """Does something before the read of this number, from 0, of those that a request makes."""
    reads = 0

    def count(**_: Any) -> None:
        nonlocal reads
        reads += 1
        if reads == number + 1:
            then()

    events = clients.dynamodb().meta.events
    events.register("before-call.dynamodb.BatchGetItem", count)
    try:
        yield
    finally:
        events.unregister("before-call.dynamodb.BatchGetItem", count)


def test_a_password_that_was_set_with_the_old_key_opens_nothing(
    call: Call, anonymous: Caller
) -> None:
    thief = call("operator")
    user_id = administration.find("operator").account.id
    thief.put(f"/users/{user_id}", {"password": "mine by now"})

    rotate("operator")

    login = anonymous.post("/internal/auth", {"email": "operator", "password": "mine by now"})
    assert login.status == 401
    assert administration.find("operator").password == ""


def test_a_process_that_still_knows_the_old_key_neither_shows_nor_changes_an_account(
    call: Call,
) -> None:
    thief = call("operator")
    path = f"/users/{administration.find('operator').account.id}"
    assert thief.get(path).status == 200  # it is remembered from now on
    rotate("operator")

    assert thief.post("/things", {}).status == 201  # as long as it is remembered
    assert thief.get(path).status == 401
    assert thief.get("/users").status == 401
    assert thief.put(path, {"password": "mine by now"}).status == 401
    assert administration.find("operator").password == ""


def test_a_suspended_account_changes_itself_no_more_though_its_key_is_remembered(
    call: Call,
) -> None:
    thief = call("operator")
    path = f"/users/{administration.find('operator').account.id}"
    thief.get(path)
    administration.set_active("operator", active=False)

    assert thief.put(path, {"name": "still here"}).status == 401
    assert administration.find("operator").name == "operator"


def test_who_is_no_admin_any_more_sees_no_other_account_at_once(call: Call) -> None:
    former = call("boss", Role.ADMIN)
    other, _ = administration.add("other")
    assert former.get(f"/users/{other.id}").status == 200

    administration.set_roles("boss", [Role.OPERATEUR])

    assert former.get(f"/users/{other.id}").status == 403
    assert former.get("/users").data == []


def test_who_acts_as_another_after_its_own_key_was_rotated_sees_no_key(call: Call) -> None:
    call("manager")
    managed, _ = administration.add("managed", manager="manager")
    as_managed = call("manager", logas="managed")
    assert as_managed.get(f"/users/{managed.id}").status == 200
    rotate("manager")

    assert as_managed.get(f"/users/{managed.id}").status == 401


@pytest.mark.parametrize("read", range(8))
def test_whenever_the_key_is_rotated_the_old_one_is_not_shown_the_new_one(
    read: int, call: Call
) -> None:
    thief = call("operator")
    path = f"/users/{administration.find('operator').account.id}"
    new: list[str] = []

    with before_read(read, lambda: new.extend(rotate("operator"))):
        answer = thief.get(path)

    assert answer.status in {200, 401}
    assert not any(key in answer.text for key in new)


@pytest.mark.parametrize("read", range(8))
@pytest.mark.parametrize("role", [Role.OPERATEUR, Role.ADMIN])
def test_whenever_a_managers_key_is_rotated_it_is_shown_no_new_key_of_those_that_it_manages(
    read: int, role: Role, call: Call
) -> None:
    thief = call("manager", role)
    administration.add("managed", manager="manager")
    new: list[str] = []

    with before_read(read, lambda: new.extend(rotate("manager", "managed"))):
        answer = thief.get("/users")

    assert answer.status in {200, 401}
    assert not any(key in answer.text for key in new)


@pytest.mark.parametrize("read", range(8))
def test_whenever_the_key_is_rotated_no_password_of_the_old_ones_stays(
    read: int, call: Call
) -> None:
    thief = call("operator")
    path = f"/users/{administration.find('operator').account.id}"

    new: list[str] = []

    with before_read(read, lambda: new.extend(rotate("operator"))):
        answer = thief.put(path, {"password": "mine by now"})

    assert answer.status in {200, 401}
    assert not new or administration.find("operator").password == ""
