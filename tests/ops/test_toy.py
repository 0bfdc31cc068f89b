"""A service of a few lines is packaged, deployed, run at home and taken down by the code of all services."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from moto import mock_aws

from ops import apps
from ops.local import payload
from ops.local.place import REGION, Place
from ops.local.process import environment
from ops.local.provision import provision
from ops.release import deployment_zip, permissions
from ops.release.deployment import TICK
from ops.release.rehearsal import rehearse
from tests.conftest import package_of
from tests.infra.linting import faults
from tests.infra.templates import of_kind, packaged, translated
from tests.infra.witness import Witness
from tests.ops import zips
from tests.toy.rehearsal import knock

TOY = apps.at(apps.ROOT / "tests" / "toy")

ANSWERS = """
import sys
sys.path.insert(0, {folder!r})
import app
about = {{"httpMethod": "GET", "resourcePath": "$default", "path": "/", "identity": {{"sourceIp": "::1"}}}}
event = dict.fromkeys(
    ("headers", "multiValueHeaders", "multiValueQueryStringParameters", "pathParameters", "body",
     "stageVariables")
)
event |= {{"path": "/nowhere", "isBase64Encoded": False, "requestContext": about}}
answer = app.app(event, None)
assert answer["statusCode"] == 404, answer
strangers = [
    module.__file__
    for module in list(sys.modules.values())
    if "site-packages" in (getattr(module, "__file__", None) or "")
]
assert not strangers, strangers
"""


@pytest.fixture(scope="session", name="made")
def package_of_the_toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy's package."""
    return package_of(TOY, tmp_path_factory)


def test_its_zip_holds_the_foundation_its_own_files_and_its_requirements_only(made: Path) -> None:
    assert "chalicelib/foundation/settings.py" in zips.names(made)
    assert zips.strangers(TOY, made) == set()
    assert zips.distributions(made) == zips.required(TOY)


def test_its_functions_and_its_alarms_say_the_same_of_its_metrics(made: Path) -> None:
    functions = [
        one["Properties"]["Environment"]["Variables"]
        for _, one in of_kind(packaged(made), "AWS::Serverless::Function")
    ]

    assert {one["MARAUDE_NAMESPACE"] for one in functions} == {"Maraude/toy"}
    [alarm] = of_kind(packaged(made), "AWS::CloudWatch::Alarm")
    assert alarm[1]["Properties"]["Namespace"] == "Maraude/toy"


def test_nothing_is_wrong_with_its_template(made: Path) -> None:
    template = packaged(made)

    assert faults(template) == []
    assert faults(translated(template)) == []


def test_its_application_answers_from_the_zip_alone(made: Path, tmp_path: Path) -> None:
    deployment_zip.unpacked(made / "deployment.zip", tmp_path)

    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", ANSWERS.format(folder=str(tmp_path))],
        cwd=tmp_path,
        env={"MARAUDE_STAGE": "dev"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr


def test_each_of_its_functions_may_make_the_calls_that_it_makes_and_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    toy = apps.application(TOY)
    with mock_aws():
        provision("test", endpoint=None, region=REGION, services=[TOY])
        witness = Witness(TOY, monkeypatch)
        with witness.process("APIHandler"):
            for asked, status in ((("POST", "/knocks"), 202), (("GET", "/counts"), 200)):
                event = payload.event(
                    *asked, "", {}, None, encoded=False, source="::1", request_id="1"
                )
                assert toy(event, None)["statusCode"] == status
        with witness.process("CountKnock"):
            toy.handler_map["count_knock"]({"Records": []}, None)
        with witness.process("CountMinute"):
            toy.handler_map["count_minute"](TICK, None)
    functions = permissions.granted(TOY).keys()

    assert witness.needed.keys() == functions
    assert {name: faults for name in functions if (faults := witness.unlike(name))} == {}


@pytest.mark.local_stack
def test_it_is_deployed_used_and_taken_down(made: Path) -> None:
    said: list[str] = []

    rehearsal = rehearse(TOY, made, stage="dev", tell=said.append)

    came = {what: result for what, result, _ in rehearsal.rows}
    assert came["knocking"] == "counted {'knocks': 1}"
    assert came["running what is scheduled"] == "1 functions, each under its own role"
    assert [line for line in said if line.startswith("  kept: ")] == [
        "  kept: maraude-dev-toy-counts"
    ]


def maraude(place: Path, *words: str) -> "subprocess.Popen[str]":
    """A command of the toy's on a data folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "ops.cli.main", str(TOY.project), *words, "--data", str(place)],
        cwd=apps.ROOT,
        env=environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(name="url")
def running_at_home(tmp_path: Path) -> Iterator[str]:
    """Where the toy answers on this machine, until the end of the test."""
    with maraude(tmp_path, "up", "--port", "0") as up:
        assert up.stdout
        first = up.stdout.readline().strip()
        try:
            assert first.startswith("ready ")
            yield first.removeprefix("ready ")
        finally:
            up.send_signal(signal.SIGINT)
            rest, _ = up.communicate(timeout=30)
    assert (up.returncode, rest.splitlines()[-1]) == (
        0,
        f"stopped; data kept in {tmp_path / 'toy'}",
    )


@pytest.mark.local_stack
def test_it_runs_at_home_where_the_commands_of_all_services_find_it(
    url: str, tmp_path: Path
) -> None:
    assert knock(url) == "counted {'knocks': 1}"
    assert urllib3.request("GET", f"{url}/nowhere", retries=False).status == 404

    assert Place(tmp_path / "toy").running().url == url
    for words, last in (
        (["doctor"], "Nothing is wrong."),
        (["backup", "export", str(tmp_path / "backup")], "1 items of 1 tables are in"),
    ):
        done = maraude(tmp_path, *words)
        said, _ = done.communicate(timeout=60)
        assert done.returncode == 0, said
        assert said.splitlines()[-1].startswith(last)
