"""`maraude account`: what the ops team does to accounts."""

import csv
import io
import json
import re
from datetime import datetime, timedelta

import pytest

from chalicelib.foundation import clock, passwords
from chalicelib.taxis.access import users
from chalicelib.taxis.fleets import service as fleets
from chalicelib.taxis.vocabulary import Role
from ops.cli import administration
from ops.cli.main import main

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands' registry is the one of the tests."""
    monkeypatch.setattr("ops.cli.target.connect", lambda _: None)


def maraude(*arguments: str) -> int:
    return main(["account", *arguments])


def test_an_account_is_added_with_its_roles_manager_and_fleet() -> None:
    administration.add("fleet")

    code = maraude(
        *("add", "operator", "--role", "operateur", "--role", "groupement"),
        *("--manager", "fleet", "--fleet-size", "120"),
    )

    record = administration.find("operator")
    assert code == 0
    assert record.account.roles == {Role.OPERATEUR, Role.GROUPEMENT}
    assert record.account.manager_id == administration.find("fleet").account.id
    assert record.fleet_size == 120


def test_adding_again_without_a_fleet_size_keeps_it() -> None:
    maraude("add", "operator", "--fleet-size", "120")

    maraude("add", "operator", "--name", "Taxis du Port", "--yes")

    assert administration.find("operator").fleet_size == 120


@pytest.mark.parametrize("size", ["-1", "many"])
def test_a_fleet_size_is_a_count(size: str) -> None:
    with pytest.raises(SystemExit):
        maraude("add", "operator", "--fleet-size", size)


def test_a_fleet_size_is_set_and_taken_back(capsys: pytest.CaptureFixture[str]) -> None:
    administration.add("operator", roles=[Role.OPERATEUR])

    assert maraude("set-fleet-size", "operator", "120") == 0
    assert administration.find("operator").fleet_size == 120
    assert maraude("set-fleet-size", "operator", "0") == 0
    assert administration.find("operator").fleet_size == 0
    assert maraude("set-fleet-size", "operator", "--none") == 0
    assert administration.find("operator").fleet_size is None
    assert administration.find("operator").account.roles == {Role.OPERATEUR}
    assert "operator says it has 120 taxis." in capsys.readouterr().out


@pytest.mark.parametrize("said", [(), ("-1",), ("many",), ("12", "--none")])
def test_a_fleet_size_that_is_none_is_refused(said: tuple[str, ...]) -> None:
    administration.add("operator", fleet_size=7)

    with pytest.raises(SystemExit):
        maraude("set-fleet-size", "operator", *said)

    assert administration.find("operator").fleet_size == 7


def test_a_fleet_size_of_an_unknown_account_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert maraude("set-fleet-size", "nobody", "12") == 1

    assert "There is no account 'nobody'" in capsys.readouterr().err


def test_the_list_says_how_many_taxis_each_account_has(capsys: pytest.CaptureFixture[str]) -> None:
    administration.add("operator", fleet_size=120)
    administration.add("moteur")

    maraude("list", "--json")

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["fleet_size"] for line in lines] == [120, None]


def test_roles_are_replaced_and_an_admin_is_more() -> None:
    administration.add("somebody", roles=[Role.GROUPEMENT])

    maraude("set-role", "somebody", "--role", "moteur")
    assert administration.find("somebody").account.roles == {Role.MOTEUR}

    maraude("set-role", "somebody", "--role", "admin")
    assert administration.find("somebody").account.roles == {
        Role.ADMIN,
        Role.MOTEUR,
        Role.OPERATEUR,
    }


def test_a_manager_is_set_and_taken_away() -> None:
    fleet, _ = administration.add("fleet")
    administration.add("operator")

    maraude("set-manager", "operator", "--manager", "fleet")
    assert administration.find("operator").account.manager_id == fleet.id

    maraude("set-manager", "operator", "--none")
    assert administration.find("operator").account.manager_id is None
    assert users.user(administration.find("fleet")).managed == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("set-role", "nobody", "--role", "moteur"),
        ("set-manager", "nobody", "--none"),
        ("set-manager", "somebody", "--manager", "nobody"),
        ("set-password", "nobody"),
        ("rotate-key", "nobody", "--overlap", "24h"),
        ("revoke-old-key", "nobody"),
    ],
)
def test_an_unknown_account_is_named(
    arguments: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    administration.add("somebody")
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse\n"))

    assert maraude(*arguments) != 0
    assert "There is no account 'nobody'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("said", "overlap"),
    [("30m", timedelta(minutes=30)), ("24h", timedelta(days=1)), ("7d", timedelta(days=7))],
)
def test_a_rotation_with_an_overlap_says_in_the_list_until_when_both_keys_open(
    said: str, overlap: timedelta, capsys: pytest.CaptureFixture[str]
) -> None:
    administration.add("op")
    before = clock.now()

    assert maraude("rotate-key", "op", "--overlap", said) == 0

    assert list(json.loads(capsys.readouterr().out)) == ["id", "email", "api_key"]
    maraude("list", "--json")
    until = datetime.fromisoformat(json.loads(capsys.readouterr().out)["old_key_until"])
    assert before + overlap <= until <= clock.now() + overlap


def test_an_old_key_is_revoked(capsys: pytest.CaptureFixture[str]) -> None:
    administration.add("op")
    maraude("rotate-key", "op", "--overlap", "7d")
    capsys.readouterr()

    assert maraude("revoke-old-key", "op") == 0

    assert capsys.readouterr().out == "Only the newest key of op opens, within a minute.\n"
    maraude("list", "--json")
    assert json.loads(capsys.readouterr().out)["old_key_until"] is None


@pytest.mark.parametrize("said", ["", "24", "-1h", "1w", "1h30m", "999999d"])
def test_an_overlap_is_a_count_of_minutes_hours_or_days(said: str) -> None:
    with pytest.raises(SystemExit):
        maraude("rotate-key", "op", "--overlap", said)


def test_an_overlap_that_is_too_long_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    administration.add("op")

    assert maraude("rotate-key", "op", "--overlap", "31d") == 1

    assert "Both keys may open for 30 days at most." in capsys.readouterr().err


def test_a_password_is_read_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    administration.add("somebody")
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse\r\nmore\n"))

    assert maraude("set-password", "somebody") == 0

    assert passwords.matches("correct horse", administration.find("somebody").password)
    assert "correct horse" not in capsys.readouterr().out


def test_a_password_is_not_taken_from_the_command_line() -> None:
    with pytest.raises(SystemExit):
        maraude("set-password", "somebody", "correct horse")


def test_a_short_password_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    administration.add("somebody")
    monkeypatch.setattr("sys.stdin", io.StringIO("1234567\n"))

    assert maraude("set-password", "somebody") != 0
    assert "at least 8" in capsys.readouterr().err
    assert administration.find("somebody").password == ""


def test_the_export_has_a_line_an_account_and_no_secret(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, fleet_key = administration.add("fleet", roles=[Role.MOTEUR, Role.OPERATEUR])
    _, key = administration.add(
        "operator",
        name="Taxis, du Port",
        manager="fleet",
        fleet_size=3,
        hook=("http://x/", "X-Token", "mellon"),
    )
    users.change(
        administration.find("operator"),
        {"phone_number_customer": "+33 1 00 00 00 00"},
        now=clock.now(),
    )

    assert maraude("export") == 0

    text = capsys.readouterr().out
    fleet, operator = csv.DictReader(io.StringIO(text))
    assert (fleet["email"], fleet["roles"], fleet["manager"]) == ("fleet", "moteur operateur", "")
    assert operator == {
        "id": "2",
        "email": "operator",
        "name": "Taxis, du Port",
        "roles": "",
        "manager": "fleet",
        "active": "yes",
        "fleet_size": "3",
        "has_password": "no",
        "hail_url": "http://x/",
        "email_customer": "",
        "email_technical": "",
        "phone_number_customer": "+33 1 00 00 00 00",
        "phone_number_technical": "",
    }
    for secret in (key, fleet_key, "mellon"):
        assert secret not in text


@pytest.mark.parametrize("name", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3+cmd"])
def test_no_name_is_a_formula_in_a_spreadsheet(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    administration.add("operator", name=name)

    maraude("export")

    (operator,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert operator["name"] == f"'{name}"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("Host", "x", "--hail-header: The header Host is set by the registry itself."),
        ("X-Token ", "x", "--hail-header: This is not a valid header name."),
        ("X-Token", "a\r\n b", "--hail-value: This is not a valid header value."),
    ],
)
def test_a_header_that_no_hail_could_be_sent_with_is_refused(
    name: str, value: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--hail-url", "http://x/", "--hail-header", name, "--hail-value", value)

    assert maraude("add", "operator", *where) == 1

    assert told in capsys.readouterr().err
    with pytest.raises(administration.AccountUnknown):
        administration.find("operator")


# --- accounts for people ----------------------------------------------------------------------------


def test_the_list_is_a_table_with_a_line_an_account(capsys: pytest.CaptureFixture[str]) -> None:
    administration.add("fleet", roles=[Role.GROUPEMENT])
    administration.add("operator", roles=[Role.OPERATEUR], manager="fleet", name="Taxis du Port")

    assert maraude("list") == 0

    titles, fleet, operator = capsys.readouterr().out.splitlines()
    places = [titles.index(one) for one in ("ID", "E-MAIL", "NAME", "ROLES", "MANAGER", "ACTIVE")]
    cells = [
        [line[begin:end].strip() for begin, end in zip(places, [*places[1:], None], strict=True)]
        for line in (fleet, operator)
    ]
    assert cells[0][:5] == ["1", "fleet", "fleet", "groupement", "-"]
    assert cells[1][:5] == ["2", "operator", "Taxis du Port", "operateur", "fleet"]
    assert cells[1][5].startswith("yes")


def test_an_account_is_shown_with_its_fleet_and_no_secret(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = clock.now()
    administration.add("fleet", roles=[Role.GROUPEMENT])
    account, _ = administration.add(
        "operator",
        roles=[Role.OPERATEUR],
        manager="fleet",
        fleet_size=3,
        hook=("https://x.example/", "X-Token", "mellon"),
        now=now - timedelta(days=9),
    )
    administration.add("led", manager="operator")
    _, key = administration.rotate_key("operator", now=now, overlap=timedelta(hours=1))
    administration.rotate_signing_secret("operator", now=now, overlap=timedelta(days=2))
    for taxi_id in ("aaaaaaa", "bbbbbbb"):
        fleets.admit(account.owner, taxi_id)

    assert maraude("show", "operator") == 0
    shown = capsys.readouterr().out
    assert maraude("show", "operator", "--json") == 0
    said = capsys.readouterr().out

    lines = dict(re.split(r"  +", line, maxsplit=1) for line in shown.splitlines())
    assert (lines["e-mail"], lines["roles"], lines["manager"]) == ("operator", "operateur", "fleet")
    assert (lines["manages"], lines["webhook"], lines["webhook's header"]) == (
        "led",
        "https://x.example/",
        "X-Token",
    )
    assert (lines["active"], lines["password"], lines["taxis stated"]) == ("yes", "no", "3")
    assert (lines["taxis registered"], lines["pages of its fleet"]) == ("2", "1")
    assert lines["last key change"].startswith(f"{now:%Y-%m-%dT%H:%M}")
    assert lines["old key until"].startswith(f"{now + timedelta(hours=1):%Y-%m-%dT%H:%M}")
    found = json.loads(said)
    assert (found["taxis"], found["fleet_pages"], found["manages"]) == (2, 1, ["led"])
    assert found["old_webhook_secret_until"].startswith(f"{now + timedelta(days=2):%Y-%m-%dT%H:%M}")
    record = administration.find("operator")
    secrets = (key, record.sealed_key, record.key_digest, record.signing_nonce, "mellon")
    assert [secret for secret in secrets if secret in shown + said] == []


def test_an_account_that_has_nothing_yet_is_shown_without_zeros_that_nobody_stated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    administration.add("new")

    assert maraude("show", "new") == 0

    lines = dict(re.split(r"  +", line) for line in capsys.readouterr().out.splitlines())
    assert lines["taxis stated"] == lines["webhook"] == lines["manages"] == "-"
    assert lines["last key change"] == "unknown"
    assert lines["taxis registered"] == "0"


def test_a_partner_s_name_cannot_move_the_terminal_s_cursor(
    capsys: pytest.CaptureFixture[str],
) -> None:
    administration.add("operator", name="Élan\x1b[2J\nroot")

    maraude("list")

    printed = capsys.readouterr().out
    assert "\\x1b[2J\\nroot" in printed
    assert len(printed.splitlines()) == 2


@pytest.mark.parametrize("email", ["", " ", "\t"])
@pytest.mark.parametrize(
    "command",
    [
        ("add", "{}"),
        ("add", "new", "--manager", "{}"),
        ("set-manager", "somebody", "--manager", "{}"),
        ("set-role", "{}", "--role", "moteur"),
        ("set-fleet-size", "{}", "7"),
        ("show", "{}"),
        ("suspend", "{}"),
        ("webhook-secret", "{}"),
        ("test-webhook", "{}"),
    ],
)
def test_an_empty_email_is_refused_and_changes_nothing(
    command: tuple[str, ...], email: str, capsys: pytest.CaptureFixture[str]
) -> None:
    administration.add("boss")
    administration.add("somebody", manager="boss")

    with pytest.raises(SystemExit) as ended:
        maraude(*(word.format(email) for word in command))

    assert ended.value.code == 2
    assert "an account's e-mail must not be empty" in capsys.readouterr().err
    assert administration.find("somebody").account.manager_id is not None
    assert administration.known(email) is None


def test_an_account_without_a_role_is_told_what_it_may_not_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert maraude("add", "new") == 0

    told = capsys.readouterr()
    assert list(json.loads(told.out)) == ["id", "email", "api_key"]
    assert "new has no role: it may neither search, nor hail, nor register taxis." in told.err
    assert maraude("add", "new", "--role", "moteur", "--yes") == 0
    assert "no role" not in capsys.readouterr().err
