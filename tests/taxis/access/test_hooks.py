"""Secrets of operators' webhooks: sealed, opened by their own keys only, rotated for one account."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography.fernet import InvalidToken

from chalicelib.foundation import sealing
from chalicelib.foundation.sealing import Ring
from chalicelib.foundation.settings import BadSetting, settings, table
from chalicelib.taxis.access import hooks, service, store
from chalicelib.taxis.hails import webhook
from chalicelib.taxis.vocabulary import Role
from ops.cli import administration
from ops.cli.secret_keys import reseal

pytestmark = pytest.mark.usefixtures("store")

NOW = datetime(2026, 11, 30, 7, tzinfo=UTC)
HOOK = ("https://1.1.1.1/", "X-Token", "mellon")
DOCS = Path(__file__).resolve().parents[3] / "docs" / "webhooks.md"


def stored() -> list[dict[str, Any]]:
    """All items of accounts and of their lists, as DynamoDB has them."""
    client = boto3.client("dynamodb")
    return [
        item
        for name in ("accounts", "account-lists")
        for item in client.scan(TableName=table(name))["Items"]
    ]


def store_in_clear(email: str, value: str) -> None:
    """Leaves the account's items as the build before sealing wrote them."""
    accounts: Any = boto3.resource("dynamodb").Table(table("accounts"))
    for item in accounts.scan()["Items"]:
        if item["email"] == email:
            for name in ("sealed_operator_api_key", "signing_nonce"):
                item.pop(name, None)
            accounts.put_item(Item={**item, "operator_api_key": value})


def secrets_of(email: str, now: datetime = NOW) -> tuple[str, ...]:
    return hooks.signing_secrets(administration.find(email), now=now)


def test_the_webhooks_own_secret_stands_nowhere_in_clear() -> None:
    account, _ = administration.add("operator", roles=[Role.OPERATEUR], hook=HOOK)

    assert "mellon" not in str(stored())
    hook = service.hook_of(account.id, now=NOW)
    assert hook is not None
    assert hook[:3] == HOOK


def test_the_same_secret_given_again_writes_nothing_and_none_takes_it_away() -> None:
    administration.add("operator", hook=HOOK)
    first = administration.find("operator")

    administration.add("operator", hook=HOOK)
    assert administration.find("operator") == first
    administration.add("operator", hook=(HOOK[0], "", ""))
    assert hooks.header_value(administration.find("operator")) == ""


def test_a_secret_of_before_is_read_and_sealed_by_the_next_write_of_any_field() -> None:
    account, _ = administration.add("operator", hook=HOOK)
    store_in_clear("operator", "speak friend")

    hook = service.hook_of(account.id, now=NOW)
    assert hook is not None
    assert hook.header_value == "speak friend"
    administration.set_fleet_size("operator", 7)

    assert "speak friend" not in str(stored())
    assert hooks.header_value(administration.find("operator")) == "speak friend"


def test_secrets_of_before_are_sealed_by_the_command() -> None:
    for email in ("one", "other"):
        administration.add(email, hook=HOOK)
    store_in_clear("one", "speak friend")

    assert reseal(dry_run=True, quiet=True).anew == 1
    assert "speak friend" in str(stored())
    assert reseal(dry_run=False, quiet=True).anew == 1

    assert "speak friend" not in str(stored())
    assert hooks.header_value(administration.find("one")) == "speak friend"


def test_who_has_the_keys_of_webhooks_only_opens_no_api_key(
    environment: Callable[..., None],
) -> None:
    account, _ = administration.add("operator", hook=HOOK)
    sealed_key = administration.find("operator").sealed_key
    environment(MARAUDE_SECRET_KEYS="")

    hook = service.hook_of(account.id, now=NOW)
    assert hook is not None
    assert (hook.header_value, len(hook.signing_secrets)) == ("mellon", 1)
    with pytest.raises(BadSetting, match="MARAUDE_SECRET_KEYS or MARAUDE_SECRET_ID"):
        sealing.unseal(sealed_key)
    with pytest.raises(InvalidToken):
        sealing.unseal(sealed_key, Ring.HOOKS)


def test_each_account_has_a_signing_secret_of_its_own() -> None:
    administration.add("one")
    administration.add("other")

    assert len({*secrets_of("one"), *secrets_of("other")}) == 2


def test_a_signing_secret_is_rotated_for_one_account_and_both_sign_meanwhile() -> None:
    administration.add("one")
    administration.add("other")
    [known], others = secrets_of("one"), secrets_of("other")

    administration.rotate_signing_secret("one", now=NOW, overlap=timedelta(days=7))

    [new, old] = secrets_of("one", NOW + timedelta(days=7, seconds=-1))
    assert (old, new == known) == (known, False)
    assert secrets_of("one", NOW + timedelta(days=7)) == (new,)
    assert secrets_of("other") == others


def test_a_second_rotation_ends_the_overlap_with_the_first_secret() -> None:
    administration.add("one")
    administration.rotate_signing_secret("one", now=NOW, overlap=timedelta(days=7))
    [second, first] = secrets_of("one")

    administration.rotate_signing_secret("one", now=NOW, overlap=timedelta(days=7))

    assert first not in secrets_of("one")
    assert secrets_of("one")[1] == second
    assert administration.find("one") == store.by_id(administration.find("one").account.id)


def test_hails_pass_the_documented_check_with_the_secret_of_before_and_after_a_rotation() -> None:
    administration.add("one", hook=HOOK)
    [known] = secrets_of("one")
    administration.rotate_signing_secret("one", now=NOW, overlap=timedelta(days=7))
    [code] = re.findall(r"```python\n(.+?)```", DOCS.read_text("utf-8"), re.DOTALL)
    page: dict[str, Any] = {}
    exec(code, page)  # noqa: S102  # the page's own code

    header = webhook.sign(b"{}", secrets_of("one"), at_s=1)

    assert page["is_genuine"](b"{}", header, known, now=1)
    assert page["is_genuine"](b"{}", header, secrets_of("one")[0], now=1)


def test_a_signing_secret_does_not_depend_on_the_keys_of_accounts(
    environment: Callable[..., None],
) -> None:
    administration.add("one")
    before = secrets_of("one")

    environment(MARAUDE_SECRET_KEYS=settings().hook_secret_keys)

    assert secrets_of("one") == before
