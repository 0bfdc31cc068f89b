"""What each command of `maraude` says where it cannot do what it is asked to: a sentence, never a traceback."""

import gzip
import hashlib
import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from urllib3.exceptions import HTTPError

from chalicelib.foundation.errors import in_request
from chalicelib.foundation.store.reads import StoreBusy
from chalicelib.foundation.store.writes import Moved
from ops.cli import administration, failures, main
from ops.cli.administration import AccountBusy
from tests.conftest import empty_registry

# Each command that speaks to a registry, as it is typed; `{file}` is a file that is there.
COMMANDS = """
account add somebody --role operateur
account list
account show somebody
account export
account suspend somebody
account resume somebody
account rotate-key somebody
account revoke-old-key somebody
account set-role somebody --role moteur
account set-manager somebody --none
account set-fleet-size somebody 7
account set-password somebody
account webhook-secret somebody
secrets reseal
hail show 0123456789
job run count-fleets
queue replay hail-dead-letters
cells refit
backup export {file}.out
backup restore {file}.in
backup copy --from maraude-test-taxis-restored --to maraude-test-taxis --yes
import {file}.in
replay {file}
demo-hail
territory load-towns {file}
doctor
status
""".strip().splitlines()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that commands may read, and a folder like those of backups and imports."""
    (tmp_path / "f.in").mkdir()
    (tmp_path / "f.in" / "accounts.csv").write_text("email,roles\nsomebody,operateur\n")
    kept = tmp_path / "f.in" / "taxis.jsonl.gz"
    kept.write_bytes(gzip.compress(b'{"taxi_id": {"S": "a"}}\n'))
    taxis = {"items": 1, "sha256": hashlib.sha256(kept.read_bytes()).hexdigest()}
    about = {"stage": "test", "made_at": "2026-11-27T06:00:00+00:00", "tables": {"taxis": taxis}}
    (tmp_path / "f.in" / "manifest.json").write_text(json.dumps(about))
    trip = [[2.35, 48.85], [2.36, 48.86]]
    (tmp_path / "f").write_text(f'TRIP_ID,polyline\n1,"{trip}"\n')
    return tmp_path / "f"


def tell(command: str, *where: str, file: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command that cannot do it tells on standard error."""
    words = command.format(file=file).split()
    code = main.main([*words, *where])
    told = capsys.readouterr().err
    assert code in {1, 2}, told
    assert "Traceback" not in told
    assert "fault of the command's own" not in told
    return told


@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_system_each_command_says_so(
    command: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = tell(command, "--data", str(tmp_path / "nowhere"), file=file, capsys=capsys)

    assert "nowhere" in told


def _no_tables() -> None:
    """A stage that was deleted, or was never made."""


@pytest.mark.parametrize("command", COMMANDS)
def test_of_a_stage_without_tables_each_command_says_what_was_refused(
    command: str, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.cli.target.connect", lambda _: None)
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse\n"))

    with empty_registry(make=_no_tables):
        tell(command, "--stage", "test", file=file, capsys=capsys)


def test_where_nothing_listens_each_command_says_that_it_found_nobody(file: Path) -> None:
    with socket.socket() as bound:  # and does not listen
        bound.bind(("127.0.0.1", 0))
        environment = {
            **os.environ,
            "MARAUDE_ENDPOINT": f"http://127.0.0.1:{bound.getsockname()[1]}",
        }
        run = subprocess.run(
            [sys.executable, "-c", ALL, *(command.format(file=file) for command in SOME)],
            env=environment,
            input="correct horse\n" * len(SOME),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stderr
    assert "fault of the command's own" not in run.stderr
    assert [line for line in run.stdout.splitlines() if line.startswith("@")] == ["@ 1"] * len(SOME)


# One of each kind: botocore tries for seconds. One process for all, which takes a second to start.
SOME = """
account suspend somebody
hail show 0123456789
secrets reseal
queue replay hail-dead-letters
backup export {file}.out
""".strip().splitlines()
ALL = """
import sys
from ops.cli.main import main
for command in sys.argv[1:]:
    print("@", main([*command.split(), "--stage", "test"]), flush=True)
"""


def test_an_account_whose_key_was_sealed_with_a_key_that_is_gone_is_told(
    environment: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ops.cli.target.connect", lambda _: None)
    with empty_registry():
        administration.add("somebody")
        environment(MARAUDE_SECRET_KEYS="bmV3LWtleS1mb3ItdGVzdHMtbmV3LWtleS1mb3ItdGU=")

        assert main.main(["account", "add", "somebody", "--yes"]) == 1

    assert "sealed with a secret key that is not at hand" in capsys.readouterr().err


LONG = """
from ops.cli import jobs, main
jobs._list = lambda _: [print("x" * 100) for _ in range(1000)]
raise SystemExit(main.main(["job", "list"]))
"""


def test_a_reader_that_has_seen_enough_is_no_fault() -> None:
    listed = subprocess.run(
        ["/bin/sh", "-c", f'{sys.executable} -c "$LONG" | true'],
        env={**os.environ, "LONG": LONG},
        capture_output=True,
        text=True,
        check=True,
    )

    assert listed.stderr == ""


def test_of_a_fault_of_ours_the_place_is_told_and_on_demand_all_of_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.cli.target.connect", lambda _: 1 / 0)

    assert main.main(["account", "list"]) == 1
    told = capsys.readouterr().err
    monkeypatch.setenv(failures.TRACEBACK, "1")
    main.main(["account", "list"])

    assert "A fault of the command's own, ZeroDivisionError at test_failures.py:" in told
    assert "Traceback" not in told
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (StoreBusy(), "The store is busy"),
        (Moved(), "changed meanwhile"),
        (HTTPError("reset"), "The API does not answer: reset"),
        (EOFError(), "Standard input ended"),
        (PermissionError(13, "Permission denied", "keys.csv"), "'keys.csv'"),
        (AccountBusy(in_request("The account is busy.")), "The account is busy."),
    ],
)
def test_what_is_known_is_told_in_a_sentence(error: Exception, told: str) -> None:
    assert told in failures.sentence(error)
