"""`maraude hail show` and `maraude account webhook-secret`: what they print."""

import json
from datetime import timedelta

import pytest

from chalicelib.taxis.hails import dispatch, service, webhook
from chalicelib.taxis.hails.rules import Status
from ops import apps
from ops.cli import hails, main
from ops.cli.administration import AccountUnknown
from ops.errors import CannotGoOn
from tests.taxis.hails.hail_factories import Scene

pytestmark = pytest.mark.usefixtures("store")


def run(command: str, *words: str) -> None:
    """Runs a command on the registry of this process: without `main`, which would turn to another."""
    parsed = main.parser_of(apps.first(), [command]).parse_args([command, *words])
    parsed.run(parsed)


def test_a_hails_steps_and_requests_are_printed_in_the_order_of_time() -> None:
    scene = Scene()
    hail = scene.hail(Status.RECEIVED_BY_OPERATOR)
    dispatch.log_exchange(
        hail.hail_id,
        payload={"customer_phone_number": "0799887766"},
        now=scene.now + timedelta(seconds=1),
        code=200,
        answer="{}",
    )
    scene.drive(hail, Status.RECEIVED_BY_TAXI, after=timedelta(seconds=2))

    printed = list(hails.lines(service.history(hail.hail_id)))

    assert printed[0].startswith(f"hail {hail.hail_id} is received_by_taxi, until 20")
    events = [line.partition("  ")[2] for line in printed[4:]]
    wanted = (
        "becomes received,",
        "becomes received_by_operator,",
        "POST to operator",
        "becomes received_by_taxi,",
    )
    places = [next(n for n, event in enumerate(events) if event.startswith(w)) for w in wanted]
    assert places == sorted(places)
    assert any(event.endswith("-> 200 {}") for event in events)
    assert "0799887766" not in "\n".join(printed)


def test_a_failure_is_printed_with_its_cause() -> None:
    scene = Scene()
    hail = scene.hail()
    dispatch.fail(hail.hail_id, reason="no connection", now=scene.now)

    printed = "\n".join(hails.lines(service.history(hail.hail_id)))

    assert "becomes failure, by the registry (no connection)" in printed


def test_a_hail_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(CannotGoOn, match="There is no hail 'abcdef0'"):
        run("hail", "show", "abcdef0")


def test_the_secret_that_is_printed_is_the_one_that_hails_are_signed_with(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene = Scene()
    capsys.readouterr()

    run("account", "webhook-secret", "operateur")

    printed = json.loads(capsys.readouterr().out)
    assert printed["webhook_secrets"] == list(webhook.secrets_of(scene.operateur.id))


def test_nobodys_secret_is_one_sentence() -> None:
    with pytest.raises(AccountUnknown, match="There is no account 'nobody'"):
        run("account", "webhook-secret", "nobody")
