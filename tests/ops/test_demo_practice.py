"""Commands for practising: a customer, an operator, and an example hail to a webhook."""

import http.client
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

import pytest

from chalicelib.foundation import clock
from chalicelib.taxis.access import hooks
from chalicelib.taxis.access import store as accounts_store
from chalicelib.taxis.hails import webhook
from chalicelib.taxis.vocabulary import Role
from ops.cli import administration
from ops.cli.main import main
from ops.local.place import Place, Run
from tests.eventually import eventually

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands' registry is the one of the tests, which may call this machine."""
    monkeypatch.setattr("ops.cli.target.connect", lambda _: None)


@pytest.fixture
def running(place: Place) -> Iterator[str]:
    """The folder of a local system without a demonstration, whose API answers nothing."""
    with place.held():
        place.write_run(Run("http://127.0.0.1:1", "http://127.0.0.1:1", {"up": 1}, "now"))
        yield str(place.root)


def emails() -> set[str]:
    return {record.account.email for record in accounts_store.every()}


# --- a customer -----------------------------------------------------------------------------------


def test_without_a_demonstration_nothing_is_changed_and_it_is_said_what_to_do(
    running: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["demo-hail", "--data", running])

    said = capsys.readouterr().err
    assert code == 1
    assert "No demonstration runs" in said
    assert "make run" in said
    assert "--account EMAIL" in said
    assert emails() == set()


@pytest.mark.parametrize(
    ("command", "advice"),
    [
        (["demo-hail", "--account", "nobody"], "maraude account list"),
        (["demo-hail", "--account", "operator"], "--role moteur"),
        (["demo-hail", "--account", "asleep"], "maraude account resume asleep"),
        (["demo-operator", "nobody"], "maraude account list"),
        (["demo-operator", "app"], "--role operateur"),
    ],
)
def test_an_account_that_cannot_play_the_part_is_named(
    running: str, capsys: pytest.CaptureFixture[str], command: list[str], advice: str
) -> None:
    administration.add("operator", roles=[Role.OPERATEUR])
    administration.add("app", roles=[Role.MOTEUR])
    administration.add("asleep", roles=[Role.MOTEUR])
    administration.set_active("asleep", active=False)

    assert main([*command, "--data", running]) == 1

    assert advice in capsys.readouterr().err
    assert emails() == {"operator", "app", "asleep"}


@pytest.mark.parametrize("at", ["here", "2.35", "2.35,48.86,1", "200,48", "2,86", "nan,1"])
def test_a_place_that_is_none_is_refused(running: str, at: str) -> None:
    with pytest.raises(SystemExit):
        main(["demo-hail", "--data", running, "--at", at])


# --- an operator ----------------------------------------------------------------------------------


def post(address: str, body: bytes) -> int:
    where = urlsplit(address)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
    connection.request("POST", where.path, body)
    status = connection.getresponse().status
    connection.close()
    return status


def test_an_operator_is_played_until_it_is_ended_and_its_hails_go_where_they_went(
    running: str, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = ("https://taxis.example/hails", "X-Key", "secret")
    administration.add("operator", roles=[Role.OPERATEUR], hook=theirs)
    met: list[int] = []

    def meet() -> None:
        try:
            eventually(
                lambda: "127.0.0.1" in administration.find("operator").hail_endpoint_production
            )
            met.append(post(administration.find("operator").hail_endpoint_production, b"no hail"))
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    threading.Thread(target=meet).start()
    code = main(["demo-operator", "operator", "--data", running, "--temper", "declines"])

    assert (code, met) == (0, [400])
    hook = hooks.hook(administration.find("operator"), now=clock.now())
    assert (hook.url, hook.header_name, hook.header_value) == theirs
    said = capsys.readouterr().out
    assert "its drivers: declines" in said
    assert "go to https://taxis.example/hails again" in said
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_address_that_was_set_meanwhile_stays(running: str) -> None:
    administration.add("operator", roles=[Role.OPERATEUR])

    def meet() -> None:
        try:
            eventually(lambda: administration.find("operator").hail_endpoint_production != "")
            administration.add("operator", hook=("https://new.example/", "", ""))
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=meet).start()
    assert main(["demo-operator", "operator", "--data", running]) == 0

    assert administration.find("operator").hail_endpoint_production == "https://new.example/"


def test_a_port_that_is_taken_is_one_sentence(
    running: str, capsys: pytest.CaptureFixture[str]
) -> None:
    administration.add("operator", roles=[Role.OPERATEUR])
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as other:
        port = other.server_port
        code = main(["demo-operator", "operator", "--port", str(port), "--data", running])

    assert code == 1
    assert f"Port {port} is in use" in capsys.readouterr().err
    assert administration.find("operator").hail_endpoint_production == ""


# --- an example hail --------------------------------------------------------------------------------


@contextmanager
def a_server(
    status: int, answer: bytes
) -> Iterator[tuple[str, list[tuple[bytes, dict[str, str]]]]]:
    """An operator's server: its address, and what it was sent."""
    got: list[tuple[bytes, dict[str, str]]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((body, dict(self.headers)))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nothing: the test looks at `got`."""

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hails", got
        server.shutdown()


@pytest.fixture
def loopback(environment: Callable[..., None]) -> None:
    """Operators' servers may be on this machine, as for a local system."""
    environment(MARAUDE_ALLOW_LOOPBACK_HOOKS="true")


@pytest.mark.usefixtures("loopback")
def test_an_example_is_signed_as_a_hail_is_and_says_that_it_is_a_test(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reply = b'{"data":[{"taxi_phone_number":"0611"}]}'
    with a_server(200, reply) as (url, got):
        account, _ = administration.add(
            "operator", roles=[Role.OPERATEUR], hook=(url, "X-Key", "secret")
        )
        code = main(["account", "test-webhook", "operator", "--taxi", "AAAAAAB"])

    [(body, headers)] = got
    [hail] = json.loads(body)["data"]
    at_s = int(headers[webhook.SIGNATURE].split(",")[0].removeprefix("t="))
    assert code == 0
    assert headers["X-Key"] == "secret"
    assert headers[webhook.SIGNATURE] == webhook.sign(
        body, hooks.signing_secrets(administration.find(account.email), now=clock.now()), at_s=at_s
    )
    assert (hail["status"], hail["taxi"]["id"]) == ("received", "AAAAAAB")
    assert headers["Idempotency-Key"] == hail["id"]
    assert hail["id"].startswith("test")
    assert hail["customer_id"] == "test"
    assert "TEST" in hail["customer_address"]
    said = capsys.readouterr().out
    assert url in said
    assert "200 after 0." in said
    assert ": taken" in said
    assert "0611" in said


@pytest.mark.usefixtures("loopback")
@pytest.mark.parametrize(
    ("status", "answer", "wrong"),
    [
        (500, b"oh no", "the operator's server answered 500"),
        (200, b"oh no", "the answer is not JSON"),
    ],
)
def test_what_was_wrong_is_shown(
    capsys: pytest.CaptureFixture[str], status: int, answer: bytes, wrong: str
) -> None:
    with a_server(status, answer) as (url, _):
        administration.add("operator", hook=(url, "", ""))
        code = main(["account", "test-webhook", "operator"])

    said = capsys.readouterr()
    assert code == 1
    assert f"{status} after" in said.out
    assert "taken" not in said.out
    assert "b'oh no'" not in said.out
    assert "'oh no'" in said.out
    assert f"Not taken: {wrong}" in said.err


def test_an_address_that_production_refuses_is_not_called(
    capsys: pytest.CaptureFixture[str],
) -> None:
    administration.add("operator", hook=("http://127.0.0.1:9/", "", ""))

    assert main(["account", "test-webhook", "operator"]) == 1

    assert "no answer after" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("email", "advice"), [("nobody", "maraude account list"), ("operator", "--hail-url URL")]
)
def test_there_must_be_an_account_with_an_address(
    capsys: pytest.CaptureFixture[str], email: str, advice: str
) -> None:
    administration.add("operator", roles=[Role.OPERATEUR])

    assert main(["account", "test-webhook", email]) == 1

    assert advice in capsys.readouterr().err
