"""What commands ask about before they do it, and what they tell after a rotation."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from chalicelib.foundation import clock
from chalicelib.taxis.access import store
from chalicelib.taxis.access.rules import Record
from chalicelib.taxis.vocabulary import Role
from ops import apps
from ops.cli import administration, backup
from ops.cli.main import main

pytestmark = pytest.mark.usefixtures("store")


class Terminal(io.StringIO):
    """Somebody at a keyboard."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands' registry is the one of the tests, and nobody is at a terminal."""
    monkeypatch.setattr("ops.cli.target.connect", lambda _: None)
    monkeypatch.setattr("sys.stdin", io.StringIO())


@pytest.fixture
def integration(environment: Callable[..., None]) -> None:
    """Everybody may act as `open`."""
    environment(MARAUDE_INTEGRATION_ENABLED="true", MARAUDE_INTEGRATION_ACCOUNT_EMAIL="open")


def of(email: str) -> Record:
    return administration.find(email)


def accounts() -> None:
    """An admin, an operator, and two that could manage."""
    administration.add("boss", roles=[Role.ADMIN])
    administration.add("boss2", roles=[Role.ADMIN])
    administration.add("operator", roles=[Role.OPERATEUR])
    administration.add("led", manager="operator")
    administration.add("open", roles=[Role.OPERATEUR])


ASKED = [
    (("add", "operator"), "this would show its key."),
    (
        ("add", "operator", "--role", "moteur", "--hail-url", "https://a.example/"),
        "this would show its key, and give it also the role moteur; the webhook https://a.example/.",
    ),
    (("set-manager", "boss", "--manager", "operator"), "operator could do all that an admin may"),
    (("set-role", "led", "--role", "admin"), "operator could do all that an admin may"),
    (("add", "led", "--role", "admin"), "operator could do all that an admin may"),
    (
        ("add", "new", "--role", "admin", "--manager", "operator"),
        "operator could do all that an admin may",
    ),
    (("set-role", "open", "--role", "admin"), "Everybody could do all that an admin may"),
]


@pytest.mark.parametrize(("command", "effect"), ASKED)
@pytest.mark.usefixtures("integration")
def test_what_opens_more_than_it_says_wants_a_yes(
    command: tuple[str, ...], effect: str, capsys: pytest.CaptureFixture[str]
) -> None:
    accounts()
    before = sorted(store.every(), key=lambda record: record.account.id)

    assert main(["account", *command]) == 1

    told = capsys.readouterr()
    assert effect in told.err
    assert "Say --yes" in told.err
    assert told.out == ""
    assert sorted(store.every(), key=lambda record: record.account.id) == before
    assert main(["account", *command, "--yes"]) == 0


@pytest.mark.parametrize(
    "command",
    [
        ("set-manager", "operator", "--manager", "boss"),
        ("set-manager", "boss2", "--manager", "boss"),  # who may do all of that already
        ("set-manager", "boss", "--none"),
        ("set-role", "operator", "--role", "admin"),
        ("set-role", "led", "--role", "moteur"),
        ("add", "new", "--role", "admin"),
    ],
)
def test_what_does_just_what_it_says_asks_nothing(command: tuple[str, ...]) -> None:
    accounts()

    assert main(["account", *command]) == 0


@pytest.mark.parametrize(
    ("answer", "code"), [("y\n", 0), ("Yes\n", 0), ("n\n", 1), ("\n", 1), ("", 1)]
)
def test_at_a_terminal_the_answer_decides(
    answer: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    accounts()
    monkeypatch.setattr("sys.stdin", Terminal(answer))

    assert main(["account", "set-manager", "boss", "--manager", "operator"]) == code

    assert "Go on? [y/N]" in capsys.readouterr().err
    assert (of("boss").account.manager_id == of("operator").account.id) is (code == 0)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A backup with the operator in it, who has left the registry's memory since."""
    administration.add("operator", name="as it was")
    backup.export(apps.first(), tmp_path / "kept", now=clock.now(), quiet=True)
    administration.add("operator", name="as it is")
    return tmp_path / "kept"


def test_a_restore_over_what_is_there_says_what_it_would_write_over(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["backup", "restore", str(kept), "--over"]

    assert main(command) == 1
    assert of("operator").name == "as it is"
    told = capsys.readouterr().err
    assert main([*command, "--yes"]) == 0

    assert of("operator").name == "as it was"
    assert "items of" in told
    assert "exported from the stage test at 20" in told
    assert "would be written over what the stage test has" in told


def test_a_copy_over_a_table_is_asked_about_and_counted_without(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["backup", "copy", "--from", "maraude-test-ads", "--to", "maraude-test-taxis"]

    assert main(command) == 1
    assert "would be written over the one of maraude-test-taxis" in capsys.readouterr().err
    main([*command, "--dry-run"])
    assert "is no copy of" in capsys.readouterr().err  # it went on without a question


@pytest.mark.parametrize(("lacks", "told"), [("stage", "lacks stage"), ("tables", "lacks tables")])
def test_a_manifest_that_lacks_something_is_no_backup(
    lacks: str, told: str, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((kept / "manifest.json").read_text())
    del manifest[lacks]
    (kept / "manifest.json").write_text(json.dumps(manifest))
    (kept / "manifest.hmac").unlink()

    assert main(["backup", "restore", str(kept), "--over", "--yes", "--unsigned"]) == 1

    assert told in capsys.readouterr().err


def password_of(email: str) -> bool:
    return bool(of(email).password)


def test_a_rotation_drops_the_password_and_says_what_else_to_look_at(
    capsys: pytest.CaptureFixture[str],
) -> None:
    accounts()
    administration.add("operator", hook=("https://hails.example/", "", ""))
    administration.set_password("operator", "correct horse")

    assert main(["account", "rotate-key", "operator"]) == 0

    told = capsys.readouterr()
    assert set(json.loads(told.out)) == {"id", "email", "api_key"}
    assert "Its password is dropped" in told.err
    assert "Its hails are sent to https://hails.example/" in told.err
    assert "those of the accounts that it manages: led." in told.err
    assert not password_of("operator")


def test_a_rotation_keeps_the_password_where_it_is_told_to(
    capsys: pytest.CaptureFixture[str],
) -> None:
    accounts()
    administration.set_password("operator", "correct horse")

    assert main(["account", "rotate-key", "operator", "--keep-password"]) == 0

    assert "Its password stays" in capsys.readouterr().err
    assert password_of("operator")


def test_of_an_admins_rotation_it_is_told_that_all_keys_were_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    accounts()

    main(["account", "rotate-key", "boss"])
    assert "the key of every account" in capsys.readouterr().err
    main(["account", "rotate-key", "led"])
    assert capsys.readouterr().err == ""
