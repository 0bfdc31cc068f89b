"""Which registry a command works on."""

import argparse
import os
import subprocess
import sys

import pytest

from ops import apps
from ops.cli import main, target
from ops.errors import CannotGoOn
from ops.local.place import Place, Run
from ops.local.process import environment

RUN = Run("http://127.0.0.1:1", "http://127.0.0.1:2", {"api": 3}, "2026-11-20T15:00:00+00:00")


@pytest.fixture(autouse=True)
def environment_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives the environment back as it was, whatever the commands make of it."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    os.environ["AWS_PROFILE"] = "mine"


def arguments(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.set_defaults(app=apps.first())
    target.add_arguments(parser)
    return parser.parse_args(given)


def test_a_running_system_is_connected_to_without_the_users_own_credentials(place: Place) -> None:
    with place.held():
        place.write_run(RUN)

        target.connect(arguments("--data", str(place.root)))

    assert os.environ["MARAUDE_STAGE"] == "local"
    assert os.environ["MARAUDE_ENDPOINT"] == RUN.endpoint
    assert os.environ["MARAUDE_SECRET_KEYS"] == place.secrets().secret_keys
    assert os.environ["AWS_ACCESS_KEY_ID"] == "local"
    assert "AWS_PROFILE" not in os.environ


def test_a_stage_is_connected_to_with_the_users_own_credentials() -> None:
    target.connect(arguments("--stage", "prod"))

    assert (os.environ["MARAUDE_STAGE"], os.environ["AWS_PROFILE"]) == ("prod", "mine")


def test_only_the_local_systems_api_has_a_known_place(place: Place) -> None:
    with place.held():
        place.write_run(RUN)

        assert target.url(arguments("--data", str(place.root))) == RUN.url
    with pytest.raises(CannotGoOn, match="--stage"):
        target.url(arguments("--stage", "prod"))


def test_a_place_and_a_stage_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        arguments("--data", "here", "--stage", "prod")

    assert refused.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["", *main.commands_of(apps.first())])
def test_every_command_has_its_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main([*filter(None, [command]), "--help"])

    assert ended.value.code == 0
    assert "usage: maraude" in capsys.readouterr().out


@pytest.mark.parametrize(
    "option", [["--port", "x"], ["--port", "70000"], ["--ingest-window", "-1"]]
)
def test_an_option_that_makes_no_sense_is_refused(
    option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        main.main(["up", *option])

    assert refused.value.code == 2
    assert "it must be" in capsys.readouterr().err


def maraude(place: Place, *given: str, **more: str) -> tuple[int, str]:
    """The exit code of a command in a process of its own, and what it says."""
    with place.held():
        place.write_run(RUN)
        done = subprocess.run(
            [sys.executable, "-m", "ops.cli.main", *given, "--data", str(place.root)],
            env=environment(more),
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    return done.returncode, done.stderr


@pytest.mark.local_stack
def test_a_system_that_does_not_answer_is_said_in_one_sentence(place: Place) -> None:
    code, said = maraude(place, "account", "list")

    assert (code, said.count("\n")) == (1, 1)
    assert "refused" in said


@pytest.mark.local_stack
def test_a_setting_that_makes_no_sense_is_named(place: Place) -> None:
    code, said = maraude(place, "account", "add", "x", MARAUDE_FRESHNESS_S="soon")

    assert (code, said.count("\n")) == (2, 1)
    assert "MARAUDE_FRESHNESS_S" in said
