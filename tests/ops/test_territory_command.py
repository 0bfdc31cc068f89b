"""The desk's command for the territory."""

from pathlib import Path

import pytest

from ops.cli import main
from tests.taxis.territory.loaded import (
    towns_file,
)

pytestmark = pytest.mark.usefixtures("store")


def test_the_command_says_in_one_sentence_that_nothing_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = towns_file(tmp_path)

    code = main.main(["territory", "load-towns", str(file), "--data", str(tmp_path / "none")])

    assert code != 0
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
