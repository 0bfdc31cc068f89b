"""Keys, `X-Logas`, suspension and rotation."""

import time
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from chalicelib.foundation import cache, clock
from chalicelib.foundation.settings import table
from chalicelib.taxis.access import service, store
from chalicelib.taxis.access.rules import may_act_as
from chalicelib.taxis.vocabulary import Account, Role
from ops.cli import administration

NOW = datetime(2026, 11, 27, 6, tzinfo=UTC)

ADMIN, OPERATOR, APP = [Role.ADMIN], [Role.OPERATEUR], [Role.MOTEUR]
pytestmark = pytest.mark.usefixtures("store")


def identify(key: str, *, logas: str | None = None) -> Account:
    """The account that a request is made as."""
    return service.recognize(key=key, logas=logas, now=clock.now()).account


def test_a_new_account_is_known_at_once_even_after_its_key_was_refused() -> None:
    account, key = administration.add("op", roles=OPERATOR)
    administration.set_active("op", active=False)
    with pytest.raises(service.KeyUnknown):
        identify(key)

    administration.set_active("op", active=True)

    assert identify(key) == account


def test_adding_an_account_again_keeps_its_id_and_key_and_adds_roles() -> None:
    account, key = administration.add("op", roles=OPERATOR)

    again, same_key = administration.add("op", roles=APP, name="Taxis du Port")

    assert (again.id, same_key) == (account.id, key)
    assert again.roles == {Role.OPERATEUR, Role.MOTEUR}
    assert administration.find("op").name == "Taxis du Port"


def test_an_admin_is_a_moteur_and_an_operateur_too() -> None:
    account, _ = administration.add("boss", roles=ADMIN)

    assert account.roles == {Role.ADMIN, Role.MOTEUR, Role.OPERATEUR}


def test_a_suspended_account_opens_nothing_and_nobody_acts_as_it() -> None:
    _, key = administration.add("op", roles=OPERATOR)
    _, boss = administration.add("boss", roles=ADMIN)

    administration.set_active("op", active=False)

    with pytest.raises(service.KeyUnknown):
        identify(key)
    with pytest.raises(service.KeyUnknown):
        identify(boss, logas="op")


def test_after_a_rotation_only_the_new_key_opens() -> None:
    account, old = administration.add("op", roles=OPERATOR)

    _, new = administration.rotate_key("op", now=NOW)

    assert identify(new) == account
    with pytest.raises(service.KeyUnknown):
        identify(old)


DAY = timedelta(days=1)


def opens(key: str, *, at: datetime) -> bool:
    """Whether a process that remembers nothing lets the key in."""
    cache.forget_all()
    try:
        service.recognize(key=key, logas=None, now=at)
    except service.KeyUnknown:
        return False
    return True


def test_for_an_overlap_both_keys_open_and_then_only_the_new_one() -> None:
    _, old = administration.add("op", roles=OPERATOR)

    _, new = administration.rotate_key("op", now=NOW, overlap=DAY)

    almost = NOW + DAY - timedelta(seconds=1)
    assert (opens(old, at=almost), opens(new, at=almost)) == (True, True)
    assert (opens(old, at=NOW + DAY), opens(new, at=NOW + DAY)) == (False, True)


def test_a_key_costs_one_read_whether_it_is_the_old_one_or_the_new_one(
    aws_calls: list[str],
) -> None:
    _, old = administration.add("op", roles=OPERATOR)
    _, new = administration.rotate_key("op", now=NOW, overlap=DAY)
    for key in (old, new):
        opens(key, at=NOW)
        aws_calls.clear()

        service.recognize(key=key, logas=None, now=NOW)
        assert aws_calls == []

        cache.forget_all()
        service.recognize(key=key, logas=None, now=NOW)
        assert aws_calls.count("BatchGetItem") == 1


def test_a_suspension_stops_both_keys() -> None:
    _, old = administration.add("op", roles=OPERATOR)
    _, new = administration.rotate_key("op", now=NOW, overlap=DAY)

    administration.set_active("op", active=False)

    assert (opens(old, at=NOW), opens(new, at=NOW)) == (False, False)


@pytest.mark.parametrize("overlap", [timedelta(0), DAY])
def test_another_rotation_ends_the_overlap_of_the_one_before(overlap: timedelta) -> None:
    _, oldest = administration.add("op", roles=OPERATOR)
    _, old = administration.rotate_key("op", now=NOW, overlap=DAY)

    _, new = administration.rotate_key("op", now=NOW, overlap=overlap)

    assert [opens(key, at=NOW) for key in (oldest, old, new)] == [False, bool(overlap), True]


def test_an_old_key_that_is_revoked_opens_nothing_and_leaves_no_item() -> None:
    _, old = administration.add("op", roles=OPERATOR)
    _, new = administration.rotate_key("op", now=NOW, overlap=DAY)

    administration.revoke_old_key("op")

    assert (opens(old, at=NOW), opens(new, at=NOW)) == (False, True)
    assert len(boto3.client("dynamodb").scan(TableName=table("accounts"))["Items"]) == 3


def test_what_is_changed_during_an_overlap_is_so_for_both_keys() -> None:
    _, old = administration.add("op", roles=OPERATOR)
    administration.rotate_key("op", now=NOW, overlap=DAY)

    administration.add("op", roles=APP)

    cache.forget_all()
    found = service.recognize(key=old, logas=None, now=NOW).account
    assert found.roles == {Role.OPERATEUR, Role.MOTEUR}


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=30, seconds=1)])
def test_an_overlap_is_no_longer_than_a_month(overlap: timedelta) -> None:
    _, key = administration.add("op", roles=OPERATOR)

    with pytest.raises(administration.OverlapRefused):
        administration.rotate_key("op", now=NOW, overlap=overlap)

    assert opens(key, at=NOW)


def test_a_process_that_knew_the_key_forgets_it_within_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, key = administration.add("op", roles=OPERATOR)
    identify(key)
    administration.set_active("op", active=False)
    later = time.monotonic() + 60

    monkeypatch.setattr(cache, "now_s", lambda: later)

    with pytest.raises(service.KeyUnknown):
        identify(key)


def test_no_item_of_the_table_shows_a_key() -> None:
    _, key = administration.add("op", roles=OPERATOR)

    items = boto3.client("dynamodb").scan(TableName=table("accounts"))["Items"]

    assert len(items) == 3
    assert key not in str(items)


def test_logas_is_exact_about_letters() -> None:
    administration.add("op", roles=OPERATOR)
    _, boss = administration.add("boss", roles=ADMIN)

    with pytest.raises(service.KeyUnknown):
        identify(boss, logas="OP")


def test_a_change_made_meanwhile_is_not_overwritten() -> None:
    administration.add("op", roles=OPERATOR)
    before = administration.find("op")
    administration.add("op", roles=APP)

    with pytest.raises(store.RecordMoved):
        store.put(before, before=before)


def test_every_account_is_listed_once() -> None:
    for email in ("a", "b", "c"):
        administration.add(email)

    assert sorted(record.account.email for record in store.every()) == ["a", "b", "c"]


def test_an_id_finds_its_account() -> None:
    account, _ = administration.add("op")

    found = store.by_id(account.id)

    assert found is not None
    assert found.account == account


def an_account(number: int, *roles: Role, manager_id: int | None = None) -> Account:
    return Account(number, f"account{number}", frozenset(roles), manager_id)


@pytest.mark.parametrize(
    ("owner", "other", "may"),
    [
        (an_account(1), an_account(1), True),
        (an_account(1, Role.ADMIN), an_account(2), True),
        (an_account(1), an_account(2, manager_id=1), True),
        (an_account(1), an_account(2, manager_id=3), False),
        (an_account(1, Role.OPERATEUR, Role.MOTEUR), an_account(2), False),
    ],
)
def test_only_oneself_the_admin_and_the_manager_act_as_an_account(
    owner: Account, other: Account, *, may: bool
) -> None:
    assert may_act_as(owner, other, integration_email=None) is may


def test_anybody_may_act_as_the_integration_account_where_it_is_on() -> None:
    assert may_act_as(an_account(1), an_account(2), integration_email="account2")
    assert not may_act_as(an_account(1), an_account(2), integration_email="account3")
