"""Commands in the journal: what was done, to whom, by whom."""

import getpass
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from chalicelib.foundation import clock
from chalicelib.foundation.settings import table
from chalicelib.taxis.activity import service
from chalicelib.taxis.activity.rules import ActivityFilter
from chalicelib.taxis.vocabulary import Role
from ops import apps
from ops.cli import administration, journal, main

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands' registry is the one of the tests."""
    monkeypatch.setattr("ops.cli.target.connect", lambda _: None)
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse\n"))


def entries() -> list[tuple[str, str, str, Mapping[str, Any]]]:
    """Resource, its id, action and what else each entry has, newest first."""
    found, _ = service.list_entries(ActivityFilter(), page=1, per_page=30, now=clock.now())
    activities = [entry.activity for entry in found]
    return [(one.resource, one.resource_id, one.action, one.extra) for one in activities]


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        ("account suspend operator", {"email": "operator"}),
        ("account webhook-secret operator", {"email": "operator"}),
        ("account set-password operator", {"email": "operator"}),
        ("account set-role operator --role moteur", {"email": "operator", "roles": ["moteur"]}),
        ("account set-manager operator --none", {"email": "operator", "none": True}),
        ("account rotate-key operator", {"email": "operator", "overlap": "0:00:00"}),
    ],
)
def test_what_is_done_to_an_account_stands_in_the_journal_with_the_person(
    command: str, kept: Mapping[str, object]
) -> None:
    account, _ = administration.add("operator", roles=[Role.OPERATEUR])

    assert main.main(command.split()) == 0

    [(resource, resource_id, action, extra)] = entries()
    assert (resource, resource_id, action) == ("user", str(account.id), "command_user")
    assert extra["command"] == " ".join(command.split()[:2])
    assert extra["by"].startswith(f"{getpass.getuser()}@")
    assert extra["arguments"] == kept


def test_an_account_that_is_added_is_named_by_its_email_and_no_secret_is_kept() -> None:
    code = main.main(
        [
            "account",
            "add",
            "new",
            "--hail-url",
            "https://a.example/",
            "--hail-header",
            "X-Key",
            "--hail-value",
            "s3cret",
        ]
    )

    assert code == 0
    [(_, resource_id, _, extra)] = entries()
    assert resource_id == "new"
    assert extra["arguments"]["hail_url"] == "https://a.example/"
    assert "s3cret" not in json.dumps(extra)


@pytest.mark.parametrize(
    ("command", "entry"),
    [
        ("hail show 0123456789", ("hail", "0123456789", "command_hail")),
        ("account list", ("registry", "test", "command")),
        ("account show nobody", ("user", "nobody", "command_user")),
        ("account export", ("registry", "test", "command")),
        ("secrets reseal", ("registry", "test", "command")),
        ("backup export {folder}", ("registry", "test", "command")),
        ("job run count-fleets", ("registry", "test", "command")),
    ],
)
def test_what_is_shown_or_done_stands_in_the_journal_even_where_it_fails(
    command: str, entry: tuple[str, str, str], tmp_path: Path
) -> None:
    main.main(command.format(folder=tmp_path / "backup").split())

    [(*found, extra)] = entries()
    assert tuple(found) == entry
    assert command.startswith(extra["command"])


def test_every_command_on_a_registry_but_those_that_look_at_its_health_is_kept() -> None:
    assert main.main(["doctor"]) in {0, 1}
    assert main.main(["status", "--stage", "test"]) == 0
    assert entries() == []

    assert frozenset(main.commands_of(apps.first())) >= journal.LEFT_OUT


def test_on_aws_the_person_is_whose_credentials_they_have() -> None:
    main.main(["account", "list", "--stage", "test"])

    [(*_, extra)] = entries()
    arn = boto3.client("sts").get_caller_identity()["Arn"]
    assert extra["by"].startswith(f"{arn} ({getpass.getuser()}@")


def test_whoever_has_no_name_on_this_machine_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nameless)

    assert journal.person(is_on_aws=False).startswith("uid ")


def test_a_journal_that_cannot_be_written_stops_no_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    administration.add("operator")
    boto3.client("dynamodb").delete_table(TableName=table("journal"))

    assert main.main(["account", "suspend", "operator"]) == 0

    assert not administration.find("operator").account.active
    assert "not in the journal" in capsys.readouterr().err
