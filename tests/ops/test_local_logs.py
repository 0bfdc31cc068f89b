"""Logs of the local system: bounded, followed over their rotations, and lines that a person can read."""

import subprocess
import sys
from pathlib import Path

import pytest

from chalicelib.foundation import clock
from chalicelib.taxis.access import service as access
from chalicelib.taxis.vocabulary import Role
from ops.cli import administration, main
from ops.local import api, log_lines, logs
from ops.local.client import DEMONSTRATION
from ops.local.demo import accounts, start
from ops.local.log_lines import Request

METRIC = '{"_aws":{"Timestamp":1796029906784,"CloudWatchMetrics":[]},"stage":"local","records":16}'


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log that is long when it has more than 1,000 bytes."""
    monkeypatch.setattr(logs, "LOG_BYTES", 1_000)
    return tmp_path / "api.log"


def test_a_long_log_begins_anew_while_its_process_goes_on_writing(log: Path) -> None:
    writes = "import sys\nfor line in sys.stdin: print(line.strip() * 300, flush=True); print('ok', file=sys.stderr, flush=True)"
    with (
        log.open("ab") as opened,
        subprocess.Popen(
            [sys.executable, "-c", writes],
            stdin=subprocess.PIPE,
            stdout=opened,
            stderr=subprocess.PIPE,
            text=True,
        ) as child,
    ):
        assert child.stdin
        assert child.stderr
        for word in ("one", "two", "three", "four", "five", "six"):
            child.stdin.write(f"{word}\n")
            child.stdin.flush()
            child.stderr.readline()
            logs.rotate(log)
        child.stdin.close()

    kept = {file.name: file.read_text() for file in log.parent.iterdir()}
    assert kept == {
        "api.log": f"{'six' * 300}\n",
        "api.log.1": f"{'five' * 300}\n",
        "api.log.2": f"{'four' * 300}\n",
    }


def test_a_short_log_stays(log: Path) -> None:
    log.write_text("short\n")
    logs.rotate(log)

    assert [file.name for file in log.parent.iterdir()] == ["api.log"]


def test_who_follows_a_log_misses_nothing_of_a_rotation(log: Path) -> None:
    log.write_text("before\n")
    tail = logs.Tail(log)
    with log.open("a") as opened:
        opened.write("one\n" + "x" * 1_000 + "\nhal")
        opened.flush()
        assert [len(line) for line in tail.lines()] == [3, 1_000]
        opened.write("f\nlast of the old\n")
        opened.flush()
        logs.rotate(log)
        opened.write("first of the new\n")

    assert list(tail.lines()) == ["half", "last of the old", "first of the new"]
    assert list(tail.lines()) == []


def test_the_end_of_a_log_reaches_back_over_a_rotation(log: Path) -> None:
    log.write_text("x" * 1_000 + "\nold\n")
    logs.rotate(log)
    log.write_text("new\n")

    assert logs.last(log)[-2:] == ["old", "new"]


def a_request(
    *, account: str = "", agent: str = "curl/8", target: str = "/taxis?lon=2.35&lat=48.85"
) -> str:
    return Request(1796029918988, "GET", target, 200, 24.5, account, agent).text()


def read(line: str, *, metrics: bool = False) -> str:
    """A line without its time."""
    one = log_lines.shown(line, metrics=metrics)
    assert one is not None
    assert one.at_s
    return one.text.partition(" ")[2]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (a_request(account="my-app"), "GET /taxis?lon=2.35&lat=48.85 200 24 ms my-app"),
        (a_request(), "GET /taxis?lon=2.35&lat=48.85 200 24 ms"),
        (a_request(target="/" + "a" * 200), f"GET /{'a' * 159}… 200 24 ms"),
        (a_request(account="x\x1b[2J\n"), "GET /taxis?lon=2.35&lat=48.85 200 24 ms x[2J"),
        ("2026-11-30 09:11:59,494 WARNING maraude.runner: ingest waits", "WARNING maraude.runner: ingest waits"),
        (
            '2026-11-30 09:11:59,494 ERROR maraude.http {"event": "request_failed", "route": "GET /taxis", "errors": [{"type": "KeyError", "at": ["a.py:1 f", "b.py:2 g"]}]}',
            "ERROR maraude.http request_failed route=GET /taxis; KeyError at b.py:2 g",
        ),
        ("2026-11-30 09:11:59,494 ERROR x {not json}", "ERROR x {not json}"),
    ],
)  # fmt: skip
def test_a_line_is_readable(line: str, text: str) -> None:
    assert read(line) == text


def test_metrics_are_left_out_unless_they_are_asked_for() -> None:
    assert log_lines.shown(METRIC) is None
    assert read(METRIC, metrics=True) == "records=16"


def test_the_terminal_has_all_requests_but_the_demonstration_s_own() -> None:
    lines = [METRIC, a_request(agent=DEMONSTRATION), "Traceback", a_request(account="app")]

    assert [line.split()[-1] for line in log_lines.requests(lines)] == ["app"]


@pytest.mark.usefixtures("store")
def test_a_request_s_line_names_the_account_that_its_key_has_opened() -> None:
    administration.add("my-app", roles=[Role.MOTEUR])
    key = accounts.key_of(administration.find("my-app"))
    headers = {"x-api-key": key}

    unasked = start.account_of(headers)
    access.recognize(key=key, logas=None, now=clock.now())

    assert unasked == ""
    assert start.account_of(headers) == "my-app"
    assert start.account_of({**headers, "x-logas": "neotaxi"}) == "my-app as neotaxi"
    assert start.account_of({"x-api-key": "another"}) == ""
    assert start.account_of({}) == ""


def test_a_request_has_its_line_even_where_its_account_cannot_be_told(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def account_of(_: object) -> str:
        raise RuntimeError("no store")

    api.log_request(account_of, "GET", "/taxis", {"user-agent": "curl"}, 200, 1.25)

    [line] = capsys.readouterr().out.splitlines()
    assert read(line) == "GET /taxis 200 1 ms"
    assert "no store" in caplog.text


def logged(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[str], str]:
    code = main.main(["logs", *words])
    printed = capsys.readouterr()
    return code, printed.out.splitlines(), printed.err


def test_the_command_merges_the_processes_by_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "api.log").write_text(f"{a_request(account='late')}\n{METRIC}\n")
    (tmp_path / "logs" / "worker.log").write_text(
        "2026-11-20 09:00:00,000 ERROR early\nTraceback\n  line\n"
    )
    data = ["--data", str(tmp_path)]

    code, lines, _ = logged(capsys, *data)
    assert code == 0
    assert [line.split()[0] for line in lines] == ["worker"] * 3 + ["api"]
    assert lines[1] == "worker   Traceback"
    assert [line.split()[-1] for line in logged(capsys, *data, "--lines", "1")[1]] == ["late"]
    [own] = logged(capsys, *data, "--of", "api")[1]
    assert own.endswith(" GET /taxis?lon=2.35&lat=48.85 200 24 ms late")


def test_where_no_system_has_run_the_command_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines, said = logged(capsys, "--data", str(tmp_path), "--of", "api")

    assert (code, lines) == (1, [])
    assert said == f"No local system has run on {tmp_path}: it has no logs.\n"
