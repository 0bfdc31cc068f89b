"""The package, deployed to a cloud of this machine, does what partners need; and what hinders it is said."""

import re
from pathlib import Path

import pytest

from ops import apps
from ops.release.cloud import adapted
from ops.release.rehearsal import main, rehearse
from tests.infra.templates import packaged

pytestmark = pytest.mark.local_stack

# Of the runbook, what only AWS has and takes seconds; `make rehearse` follows all of it.
SECTIONS = ("Look into the failure queues", "Restore a table to a point in time")


def test_the_package_is_deployed_used_to_the_end_of_a_hail_and_taken_down(package: Path) -> None:
    said: list[str] = []

    rehearsal = rehearse(apps.first(), package, stage="dev", sections=SECTIONS, tell=said.append)

    came = {what: result for what, result, _ in rehearsal.rows}
    assert len(came) == 12
    assert re.fullmatch(
        r"hail \w+ after [\d.]+ s: finished", came["hailing, to the end of the ride"]
    )
    kept = [line.removeprefix("  kept: ") for line in said if line.startswith("  kept: ")]
    assert "maraude-dev-hails" in kept
    assert "maraude-dev-cells" not in kept


def test_a_package_that_is_not_there_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["--package", str(tmp_path / "nowhere")])

    assert code == 1
    assert "failed: " in capsys.readouterr().err


def test_nothing_but_alarms_of_several_functions_is_left_out(package: Path) -> None:
    template = packaged(package)

    left_out = adapted(template)

    whole = packaged(package)["Resources"]
    assert whole.keys() - template["Resources"].keys() == set(left_out)
    assert {whole[name]["Type"] for name in left_out} == {"AWS::CloudWatch::Alarm"}
    assert all("Metrics" in whole[name]["Properties"] for name in left_out)


def test_of_a_function_nothing_is_changed_but_the_format_of_its_events_and_whom_it_may_call(
    package: Path,
) -> None:
    template = packaged(package)

    adapted(template)

    for name, resource in packaged(package)["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            changed = template["Resources"][name]
            assert changed["Properties"]["Environment"]["Variables"].pop(
                "MARAUDE_ALLOW_LOOPBACK_HOOKS"
            )
            if name == "APIHandler":
                assert changed["Properties"].pop("Handler") == "ops.release.format_2.handle"
                assert resource["Properties"].pop("Handler") == "app.app"
            assert changed == resource
