"""`maraude backup`: what it takes out it brings back, item for item."""

import json
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chalicelib import aws
from chalicelib.access import service as access
from chalicelib.access.rules import Role
from chalicelib.settings import table
from ops.backup import BackupRefused, export, restore, tables
from ops.cli import main
from ops.local.provision import provision
from tests.hails.hail_factories import Scene

pytestmark = pytest.mark.usefixtures("store")

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
    client = aws.dynamodb()
    found = {}
    for name in tables():
        items = client.scan(TableName=table(name))["Items"]
        found[name] = sorted(items, key=lambda item: json.dumps(item, default=str, sort_keys=True))
    return found


def empty() -> None:
    client = aws.dynamodb()
    for name in client.list_tables()["TableNames"]:
        client.delete_table(TableName=name)
    provision("test", endpoint=None, region="eu-west-3")


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """Of a registry with accounts, a taxi, a hail, statistics and an odd item."""
    Scene().hail()
    access.add("app", roles=[Role.MOTEUR], now=NOW)
    aws.dynamodb().put_item(TableName=table("config"), Item=ODD)
    folder = tmp_path / "backup"
    export(folder, now=NOW, quiet=True)
    return folder


def test_what_is_restored_is_what_was_there_counted(backup: Path) -> None:
    before = contents()
    empty()
    assert contents() != before

    counts = restore(backup, over=False, quiet=True)

    assert contents() == before
    assert counts == {name: len(items) for name, items in before.items()}
    assert counts["taxis"] == 1


def test_more_items_than_a_call_takes_come_back(backup: Path, tmp_path: Path) -> None:
    for number in range(60):
        access.add(f"account-{number}")
    assert backup.exists()
    export(tmp_path / "more", now=NOW, quiet=True)
    before = contents()
    empty()

    restore(tmp_path / "more", over=False, quiet=True)

    assert len(before["accounts"]) > 180
    assert contents() == before


def test_every_table_that_outlives_the_stack_is_taken_out(backup: Path) -> None:
    files = {path.name.removesuffix(".jsonl.gz") for path in backup.glob("*.gz")}

    assert files == set(tables())
    assert {"accounts", "taxis", "territory", "statistics", "last-positions"} <= files
    assert not {"cells", "login-attempts", "operator-calls"} & files


def test_only_the_owner_may_read_it(backup: Path) -> None:
    assert stat.S_IMODE(backup.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in backup.iterdir()} == {0o600}


def test_tables_that_are_not_empty_are_left_alone_unless_told(backup: Path) -> None:
    access.add("later")
    before = contents()

    with pytest.raises(BackupRefused, match="accounts"):
        restore(backup, over=False, quiet=True)
    assert contents() == before

    restore(backup, over=True, quiet=True)
    assert access.find("later")


@pytest.mark.parametrize("break_it", ["change", "lose", "manifest"])
def test_a_backup_that_is_not_whole_restores_nothing(backup: Path, break_it: str) -> None:
    empty()
    before = contents()
    file = backup / "taxis.jsonl.gz"
    if break_it == "change":
        file.write_bytes(file.read_bytes() + b"\0")
    elif break_it == "lose":
        file.unlink()
    else:
        (backup / "manifest.json").unlink()

    with pytest.raises(BackupRefused):
        restore(backup, over=False, quiet=True)

    assert contents() == before


def test_the_command_says_how_much_and_what_it_holds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ops.target.connect", lambda _: None)
    access.add("app")
    folder = str(tmp_path / "backup")

    assert main(["backup", "export", folder]) == 0
    assert main(["backup", "export", folder]) == 1
    assert main(["backup", "restore", folder, "--over"]) == 0

    said = capsys.readouterr()
    assert "personal data" in said.out
    assert "File exists" in said.err
