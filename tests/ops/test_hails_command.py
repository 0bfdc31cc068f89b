"""`maraude hail show` and `maraude account webhook-secret`: what they print."""

import json
from datetime import timedelta

import pytest

from chalicelib.taxis.hails import dispatch, service
from chalicelib.taxis.hails.rules import Status
from ops import apps
from ops.cli import administration, hails, main
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
    administration.add("operateur", hook=("https://operator.example/", "", ""))
    call = dispatch.prepare(scene.hail().hail_id, now=scene.now)
    assert call is not None
    capsys.readouterr()

    run("account", "webhook-secret", "operateur")

    printed = json.loads(capsys.readouterr().out)
    assert printed["webhook_secrets"] == list(call.signing_secrets)


def test_a_signing_secret_is_rotated_and_all_that_sign_are_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    administration.add("operator")
    run("account", "webhook-secret", "operator")
    run("account", "rotate-webhook-secret", "operator")
    run("account", "rotate-webhook-secret", "operator", "--overlap", "0m")
    run("account", "webhook-secret", "operator")

    first, second, third, shown = (
        json.loads(line)["webhook_secrets"] for line in capsys.readouterr().out.splitlines()
    )
    assert second == [second[0], *first]
    assert len(third) == 1
    assert third == shown
    assert third[0] not in second


def test_an_overlap_of_signing_secrets_has_a_longest_time() -> None:
    administration.add("operator")

    with pytest.raises(CannotGoOn, match="for 30 days at most"):
        run("account", "rotate-webhook-secret", "operator", "--overlap", "31d")


@pytest.mark.parametrize("action", ["webhook-secret", "rotate-webhook-secret"])
def test_nobodys_secret_is_one_sentence(action: str) -> None:
    with pytest.raises(AccountUnknown, match="There is no account 'nobody'"):
        run("account", action, "nobody")
