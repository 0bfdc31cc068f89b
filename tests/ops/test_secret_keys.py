"""The deployment's secret keys are rotated, and nothing that was there is lost."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet

from chalicelib.foundation import cache, sealing
from chalicelib.taxis.access import hooks, store
from chalicelib.taxis.access import service as access
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import Role
from ops.cli import administration
from ops.cli.main import main
from ops.cli.secret_keys import reseal

pytestmark = pytest.mark.usefixtures("store")

NOW = datetime(2026, 11, 27, 6, tzinfo=UTC)
NEW = Fernet.generate_key().decode()


@pytest.fixture
def partners() -> dict[str, str]:
    """More accounts than one write takes, by e-mail, with their API keys."""
    return {
        email: administration.add(email, roles=[Role.OPERATEUR], now=NOW)[1]
        for email in (f"operator-{number}" for number in range(12))
    }


def opened() -> dict[str, str]:
    """The API keys that the secret keys of this process open."""
    return {record.account.email: sealing.unseal(record.sealed_key) for record in store.every()}


def let_in(key: str) -> str:
    cache.forget_all()
    return access.recognize(key=key, logas=None, now=NOW).account.email


def test_after_a_rotation_the_old_secret_key_is_not_needed(
    partners: dict[str, str], environment: Callable[..., None]
) -> None:
    old = settings().secret_keys
    environment(MARAUDE_SECRET_KEYS=f"{old},{NEW}")  # every process can open what the new one seals
    late, late_key = administration.add("late", now=NOW)
    environment(MARAUDE_SECRET_KEYS=f"{NEW},{old}")

    sealed = reseal(dry_run=False, quiet=True)
    environment(MARAUDE_SECRET_KEYS=NEW)

    assert (sealed.accounts, sealed.anew, sealed.lost) == (13, 13, [])
    assert opened() == {**partners, late.email: late_key}
    assert {email: let_in(key) for email, key in partners.items()} == {
        email: email for email in partners
    }
    assert access.signer("operator-3", now=NOW) == (
        administration.find("operator-3").account,
        [partners["operator-3"]],
    )


def test_all_three_items_of_an_account_are_sealed_anew_and_else_as_they_were(
    partners: dict[str, str], environment: Callable[..., None]
) -> None:
    before = administration.find("operator-0")
    environment(MARAUDE_SECRET_KEYS=f"{NEW},{settings().secret_keys}")

    reseal(dry_run=False, quiet=True)

    environment(MARAUDE_SECRET_KEYS=NEW)
    by_email, by_id = store.by_email("operator-0"), store.by_id(before.account.id)
    assert by_email == by_id == store.by_key(before.key_digest)
    assert by_email is not None
    assert sealing.unseal(by_email.sealed_key) == partners["operator-0"]
    assert (by_email.key_since, by_email.key_digest) == (NOW, before.key_digest)


def test_without_resealing_the_old_secret_key_is_needed(
    partners: dict[str, str], environment: Callable[..., None]
) -> None:
    environment(MARAUDE_SECRET_KEYS=NEW)

    sealed = reseal(dry_run=False, quiet=True)

    assert sorted(sealed.lost) == sorted(partners)
    assert sealed.anew == 0


def test_a_dry_run_counts_and_changes_nothing(
    partners: dict[str, str], environment: Callable[..., None]
) -> None:
    before = {record.account.email: record for record in store.every()}
    environment(MARAUDE_SECRET_KEYS=f"{NEW},{settings().secret_keys}")

    assert reseal(dry_run=True, quiet=True).anew == len(partners)
    assert {record.account.email: record for record in store.every()} == before


def test_what_is_sealed_anew_is_left_alone_the_next_time(
    partners: dict[str, str], environment: Callable[..., None]
) -> None:
    environment(MARAUDE_SECRET_KEYS=f"{NEW},{settings().secret_keys}")
    broken_off = list(store.every())[:5]
    for record in broken_off:
        administration.reseal(record, dry_run=False)

    assert reseal(dry_run=False, quiet=True).anew == len(partners) - len(broken_off)
    assert reseal(dry_run=False, quiet=True).anew == 0


def test_an_account_that_is_changed_meanwhile_keeps_its_change_and_is_sealed_anew(
    environment: Callable[..., None],
) -> None:
    _, key = administration.add("operator", now=NOW)
    environment(MARAUDE_SECRET_KEYS=f"{NEW},{settings().secret_keys}")
    read = administration.find("operator")
    administration.set_fleet_size("operator", 7)

    assert administration.reseal(read, dry_run=False)

    environment(MARAUDE_SECRET_KEYS=NEW)
    assert administration.find("operator").fleet_size == 7
    assert sealing.unseal(administration.find("operator").sealed_key) == key


def test_an_old_key_that_still_opens_is_sealed_anew_too(
    environment: Callable[..., None],
) -> None:
    _, old = administration.add("operator", now=NOW)
    _, key = administration.rotate_key("operator", now=NOW, overlap=timedelta(days=1))
    environment(MARAUDE_SECRET_KEYS=f"{NEW},{settings().secret_keys}")

    assert administration.reseal(administration.find("operator"), dry_run=False)

    environment(MARAUDE_SECRET_KEYS=NEW)
    assert access.signer("operator", now=NOW) == (
        administration.find("operator").account,
        [key, old],
    )
    assert not administration.reseal(administration.find("operator"), dry_run=False)


def test_an_account_that_has_a_new_key_meanwhile_keeps_that(
    environment: Callable[..., None],
) -> None:
    administration.add("operator", now=NOW)
    environment(MARAUDE_SECRET_KEYS=f"{NEW},{settings().secret_keys}")
    read = administration.find("operator")
    _, key = administration.rotate_key("operator", now=NOW + timedelta(seconds=1))

    assert not administration.reseal(read, dry_run=False)

    assert let_in(key) == "operator"
    assert sealing.unseal(administration.find("operator").sealed_key) == key


def test_hails_are_signed_with_both_keys_until_the_old_one_goes(
    environment: Callable[..., None],
) -> None:
    administration.add("operator", now=NOW)
    operator = administration.find("operator")
    old = settings().hook_secret_keys
    [known_to_the_operator] = hooks.signing_secrets(operator, now=NOW)

    environment(MARAUDE_HOOK_SECRET_KEYS=f"{old},{NEW}")
    [first, second] = hooks.signing_secrets(operator, now=NOW)
    environment(MARAUDE_HOOK_SECRET_KEYS=NEW)

    assert first == known_to_the_operator
    assert hooks.signing_secrets(operator, now=NOW) == (second,)


def test_a_webhooks_own_secret_is_sealed_anew_with_the_keys_of_webhooks(
    environment: Callable[..., None],
) -> None:
    administration.add("operator", hook=("https://1.1.1.1/", "X-Token", "mellon"), now=NOW)
    environment(MARAUDE_HOOK_SECRET_KEYS=f"{NEW},{settings().hook_secret_keys}")

    assert reseal(dry_run=True, quiet=True).anew == 1
    assert reseal(dry_run=False, quiet=True).anew == 1
    assert reseal(dry_run=False, quiet=True).anew == 0

    environment(MARAUDE_HOOK_SECRET_KEYS=NEW)
    assert hooks.header_value(administration.find("operator")) == "mellon"


def test_a_webhooks_own_secret_that_no_key_opens_is_told_and_may_be_set_anew(
    environment: Callable[..., None],
) -> None:
    hook = ("https://1.1.1.1/", "X-Token", "mellon")
    administration.add("operator", hook=hook, now=NOW)
    environment(MARAUDE_HOOK_SECRET_KEYS=NEW)

    assert reseal(dry_run=False, quiet=True).lost == ["operator"]
    administration.add("operator", hook=hook, now=NOW)
    assert hooks.header_value(administration.find("operator")) == "mellon"
    assert reseal(dry_run=False, quiet=True).lost == []


def test_the_command_says_how_many_and_which_are_lost(
    monkeypatch: pytest.MonkeyPatch,
    environment: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("ops.cli.target.connect", lambda _: None)
    administration.add("operator", now=NOW)
    environment(MARAUDE_SECRET_KEYS=f"{NEW},{settings().secret_keys}")

    assert main(["secrets", "reseal", "--dry-run"]) == 0
    assert main(["secrets", "reseal"]) == 0
    environment(MARAUDE_SECRET_KEYS=Fernet.generate_key().decode())
    assert main(["secrets", "reseal"]) == 1

    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "1 accounts: 1 would be sealed with the newest key.",
        "1 accounts: 1 were sealed with the newest key.",
        "1 accounts: 0 were sealed with the newest key.",
    ]
    assert said.err.startswith("No key of ours opens those of 1: operator. ")
