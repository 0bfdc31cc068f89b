"""The procedures of docs/runbook.md, followed word for word on a real local system."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.release.followed import AWS_ONLY, Shell, page, steps
from tests.e2e.newcomer import System

pytestmark = pytest.mark.local_stack


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    started = System(tmp_path_factory.mktemp("runbook"))
    started.start()
    yield started
    started.stop()


def test_a_reader_who_types_every_step_sees_what_the_runbook_says(
    system: System, tmp_path: Path
) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "where": f"--data {system.folder}"}
    followed = 0

    with Shell(tmp_path, environment, patience_s=300) as shell:
        for step in steps(page("runbook"), on_aws=False):
            answer = shell.type(step.typed)
            assert answer.code == 0, (step.typed, answer.complained)
            assert step.is_seen(answer.output), (step.typed, answer.output)
            followed += 1

    assert followed >= 14


def test_what_is_not_followed_says_that_it_is_for_aws() -> None:
    procedures = page("runbook").partition("\n# Procedures\n")[2]
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", procedures, re.MULTILINE | re.DOTALL)
    first, *others = [text for language, text in blocks if language != "console"]

    assert "where=" in first
    assert all(text.startswith(f"{AWS_ONLY}\n") for text in others)
