"""`maraude backup`: what it takes out it brings back, item for item."""

import gzip
import hashlib
import hmac
import json
import stat
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from chalicelib.foundation.aws import clients
from chalicelib.foundation.settings import BadSetting, settings, table
from chalicelib.taxis.vocabulary import Role
from ops import apps
from ops.cli import administration, manifests
from ops.cli.backup import copy, export, restore, tables
from ops.cli.main import main
from ops.cli.manifests import BackupRefused
from ops.local.provision import provision
from tests import journal
from tests.taxis.hails.hail_factories import Scene

pytestmark = pytest.mark.usefixtures("store")

TAXIS = apps.find("taxis")
NOW = datetime(2026, 11, 27, 6, tzinfo=UTC)

# Of every kind of value that DynamoDB has, and a name that the files use themselves.
ODD: Mapping[str, Any] = {
    "name": {"S": "odd\n\u2028"},
    "base64": {"S": "AAAA"},
    "number": {"N": "123456789012345678901234567890.12345678"},
    "bytes": {"B": bytes(range(256))},
    "sets": {"L": [{"SS": ["b", "a"]}, {"NS": ["2", "1"]}, {"BS": [b"\0", b"\1"]}]},
    "map": {"M": {"base64": {"S": "AAAA"}, "nothing": {"NULL": True}, "claim": {"BOOL": False}}},
}


def contents() -> dict[str, list[Any]]:
    """Every item of every table that is kept."""
    client = clients.dynamodb()
    found = {}
    for name in tables(TAXIS):
        items = client.scan(TableName=table(name))["Items"]
        found[name] = sorted(items, key=lambda item: json.dumps(item, default=str, sort_keys=True))
    return found


def empty() -> None:
    client = clients.dynamodb()
    for name in client.list_tables()["TableNames"]:
        client.delete_table(TableName=name)
    provision("test", endpoint=None, region="eu-west-3")


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """Of a registry with accounts, a taxi, a hail, statistics and an odd item."""
    Scene().hail()
    administration.add("app", roles=[Role.MOTEUR], now=NOW)
    clients.dynamodb().put_item(TableName=table("config"), Item=ODD)
    folder = tmp_path / "backup"
    export(TAXIS, folder, now=NOW, quiet=True)
    return folder


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Of a registry with an account."""
    administration.add("app", roles=[Role.MOTEUR], now=NOW)
    folder = tmp_path / "small"
    export(TAXIS, folder, now=NOW, quiet=True)
    return folder


def test_what_is_restored_is_what_was_there_counted(backup: Path) -> None:
    before = contents()
    empty()
    assert contents() != before

    counts = restore(TAXIS, backup, over=False, quiet=True)

    assert contents() == before
    assert counts == {name: len(items) for name, items in before.items()}
    assert counts["taxis"] == 1


def test_more_items_than_a_call_takes_come_back(tmp_path: Path) -> None:
    for number in range(20):
        administration.add(f"account-{number}")
    export(TAXIS, tmp_path / "more", now=NOW, quiet=True)
    before = contents()
    empty()

    restore(TAXIS, tmp_path / "more", over=False, quiet=True)

    assert len(before["accounts"]) == 60
    assert contents() == before


def test_every_table_that_outlives_the_stack_is_taken_out(small: Path) -> None:
    files = {path.name.removesuffix(".jsonl.gz") for path in small.glob("*.gz")}

    assert files == set(tables(TAXIS))
    assert {"accounts", "taxis", "territory", "statistics", "last-positions"} <= files
    assert not {"cells", "login-attempts", "operator-calls"} & files


def test_only_the_owner_may_read_it(small: Path) -> None:
    assert stat.S_IMODE(small.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in small.iterdir()} == {0o600}


def test_tables_that_are_not_empty_are_left_alone_unless_told(small: Path) -> None:
    administration.add("later")
    before = contents()

    with pytest.raises(BackupRefused, match="accounts"):
        restore(TAXIS, small, over=False, quiet=True)
    assert contents() == before

    restore(TAXIS, small, over=True, quiet=True)
    assert administration.find("later")


@pytest.mark.parametrize("break_it", ["change", "lose", "manifest"])
def test_a_backup_that_is_not_whole_restores_nothing(small: Path, break_it: str) -> None:
    empty()
    before = contents()
    file = small / "taxis.jsonl.gz"
    if break_it == "change":
        file.write_bytes(file.read_bytes() + b"\0")
    elif break_it == "lose":
        file.unlink()
    else:
        (small / "manifest.json").unlink()

    with pytest.raises(BackupRefused):
        restore(TAXIS, small, over=False, quiet=True)

    assert contents() == before


def signed_by(folder: Path, key: bytes) -> None:
    """Signs the manifest as `manifests` does, with another key."""
    mark = hmac.new(key, (folder / manifests.MANIFEST).read_bytes(), hashlib.sha256).hexdigest()
    (folder / manifests.HMAC).write_text(mark)


def forge(folder: Path) -> None:
    """Gives the account more roles, and has the manifest agree."""
    file = folder / "accounts.jsonl.gz"
    changed = gzip.decompress(file.read_bytes()).replace(b'"moteur"', b'"admin"')
    file.write_bytes(gzip.compress(changed))
    manifest = folder / manifests.MANIFEST
    about = json.loads(manifest.read_bytes())
    about["tables"]["accounts"]["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(about))


@pytest.mark.parametrize("mark", ["kept", "made with no key", "empty", "not ASCII"])
def test_a_file_and_a_manifest_that_were_changed_together_restore_nothing(
    small: Path, mark: str
) -> None:
    forge(small)
    if mark == "made with no key":
        signed_by(small, b"")
    elif mark != "kept":
        (small / manifests.HMAC).write_text("" if mark == "empty" else "é" * 64, "utf-8")
    empty()
    before = contents()

    with pytest.raises(BackupRefused, match="is not as it was exported, or was signed"):
        restore(TAXIS, small, over=False, unsigned=True, quiet=True)

    assert contents() == before


def test_a_table_that_the_manifest_does_not_name_any_more_is_seen(small: Path) -> None:
    manifest = small / manifests.MANIFEST
    about = json.loads(manifest.read_bytes())
    del about["tables"]["accounts"]
    manifest.write_text(json.dumps(about))

    with pytest.raises(BackupRefused, match="is not as it was exported, or was signed"):
        restore(TAXIS, small, over=True, quiet=True)


def test_a_backup_without_a_signature_is_restored_only_where_that_is_said(small: Path) -> None:
    (small / manifests.HMAC).unlink()
    before = contents()
    empty()

    with pytest.raises(BackupRefused, match="is not signed: "):
        restore(TAXIS, small, over=False, quiet=True)
    restore(TAXIS, small, over=False, unsigned=True, quiet=True)

    assert contents() == before


def test_a_backup_is_restored_after_a_rotation_for_as_long_as_its_key_is_there(
    small: Path, environment: Callable[..., None]
) -> None:
    old, new = settings().secret_keys, Fernet.generate_key().decode()

    environment(MARAUDE_SECRET_KEYS=f"{new},{old}")
    restore(TAXIS, small, over=True, quiet=True)
    environment(MARAUDE_SECRET_KEYS=new)

    with pytest.raises(BackupRefused, match="signed with a secret key that is not here"):
        restore(TAXIS, small, over=True, quiet=True)


def test_without_secret_keys_no_backup_begins(
    tmp_path: Path, environment: Callable[..., None]
) -> None:
    environment(MARAUDE_SECRET_KEYS="")

    with pytest.raises(BadSetting, match="MARAUDE_SECRET_KEYS or MARAUDE_SECRET_ID"):
        export(TAXIS, tmp_path / "backup", now=NOW, quiet=True)

    assert not (tmp_path / "backup").exists()


def test_the_command_says_how_much_and_what_it_holds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ops.cli.target.connect", lambda _: None)
    administration.add("app")
    folder = str(tmp_path / "backup")

    assert main(["backup", "export", folder]) == 0
    assert main(["backup", "export", folder]) == 1
    assert main(["backup", "restore", folder, "--over", "--yes"]) == 0
    Path(folder, manifests.HMAC).unlink()
    assert main(["backup", "restore", folder, "--over", "--yes"]) == 1
    assert main(["backup", "restore", folder, "--over", "--yes", "--unsigned"]) == 0

    said = capsys.readouterr()
    assert "personal data" in said.out
    assert "File exists" in said.err


def test_the_command_restores_into_empty_tables_and_stands_in_the_journal_after_it(
    monkeypatch: pytest.MonkeyPatch, small: Path
) -> None:
    monkeypatch.setattr("ops.cli.target.connect", lambda _: None)
    empty()

    assert main(["backup", "restore", str(small)]) == 0

    assert [entry.action for entry in journal.entries()] == ["command"]


# --- from table to table ----------------------------------------------------------------------------


def restored(name: str, *emails: str) -> None:
    """A table as AWS restores `accounts` to a point in time: of these accounts, under another name."""
    client = clients.dynamodb()
    described = client.describe_table(TableName=table("accounts"))["Table"]
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=described["AttributeDefinitions"],
        KeySchema=described["KeySchema"],
    )
    for item in client.scan(TableName=table("accounts"))["Items"]:
        if item["email"]["S"] in emails:
            client.put_item(TableName=name, Item=item)


def test_what_was_lost_comes_back_from_a_restored_table_and_what_is_new_stays() -> None:
    emails = [f"account-{number}" for number in range(12)]
    for email in emails:
        administration.add(email)
    before = contents()["accounts"]
    restored("maraude-test-accounts-restored", *emails)
    for item in before[:20]:
        clients.dynamodb().delete_item(TableName=table("accounts"), Key={"key": item["key"]})
    administration.add("later")

    assert copy(TAXIS, "maraude-test-accounts-restored", table("accounts"), dry_run=True) == 36
    assert len(contents()["accounts"]) == 36 - 20 + 3
    assert copy(TAXIS, "maraude-test-accounts-restored", table("accounts"), dry_run=False) == 36

    after = contents()["accounts"]
    assert [item for item in after if item["email"]["S"] != "later"] == before
    assert administration.find("later")


@pytest.mark.parametrize(
    ("source", "to", "why"),
    [
        ("maraude-test-nothing", "maraude-test-accounts", "--from: there is no table"),
        ("maraude-test-taxis", "maraude-test-accounts", "--from: maraude-test-taxis is no copy"),
        (
            "maraude-test-accounts",
            "maraude-test-accounts",
            "--from: maraude-test-accounts is no copy",
        ),
        ("maraude-test-accounts", "maraude-test-cells", "--to: maraude-test-cells is no table"),
        (
            "maraude-test-accounts",
            "maraude-prod-accounts",
            "--to: maraude-prod-accounts is no table",
        ),
    ],
)
def test_only_a_copy_of_a_table_of_this_stage_is_copied(
    source: str,
    to: str,
    why: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("ops.cli.target.connect", lambda _: None)
    administration.add("app")
    before = contents()

    assert main(["backup", "copy", "--from", source, "--to", to, "--yes"]) == 1

    assert capsys.readouterr().err.startswith(why)
    after = contents()
    assert [entry.action for entry in journal.entries()] == ["command"]
    assert {**after, "journal": []} == {**before, "journal": []}
