"""External tools: installed once, whoever asks for them at the same time."""

import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from ops.release import tools


def test_two_that_ask_at_once_install_a_tool_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "a-tool.txt").write_text("a-tool==1\n")
    ran: list[str] = []

    def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        ran.append(command[2])
        if command[2] == "venv":
            Path(command[-1]).mkdir(exist_ok=True)
        time.sleep(0.1)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(tools, "ROOT", tmp_path)
    monkeypatch.setattr(tools, "run", run)
    asking = [threading.Thread(target=tools.ready, args=("a-tool",)) for _ in range(2)]
    for one in asking:
        one.start()
    for one in asking:
        one.join()

    assert ran == ["venv", "pip"]
