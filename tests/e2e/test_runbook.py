"""The procedures of docs/runbook.md, followed word for word on a real local system."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.test_newcomer import System

RUNBOOK = Path(__file__).resolve().parents[2] / "docs" / "runbook.md"

pytestmark = pytest.mark.local_stack


class Step(NamedTuple):
    """A line to type, and the lines that the reader is told to see."""

    typed: str
    seen: list[str]


def procedures() -> str:
    return RUNBOOK.read_text("utf-8").partition("\n# Procedures\n")[2]


def steps() -> list[Step]:
    found: list[Step] = []
    for block in re.findall(r"^```console\n(.*?)^```", procedures(), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Step(line[2:], []))
            else:
                found[-1].seen.append(line)
    return found


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

    for step in steps():
        ran = subprocess.run(
            ["/bin/sh", "-c", step.typed],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert ran.returncode == 0, (step.typed, ran.stderr)
        said = ran.stdout.splitlines()
        assert len(said) == len(step.seen), (step.typed, said)
        for line, seen in zip(said, step.seen, strict=True):
            wanted = ".*".join(re.escape(part) for part in seen.split("…"))
            assert re.fullmatch(wanted, line), (step.typed, line)
        followed += 1

    assert followed >= 14


def test_what_is_not_followed_says_that_it_is_for_aws() -> None:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", procedures(), re.MULTILINE | re.DOTALL)
    first, *others = [text for language, text in blocks if language != "console"]

    assert "where=" in first
    assert all(text.startswith("# on AWS only\n") for text in others)
